"""Interrupts that strike while a thread's future is settled in the loop's thread: nothing waits for ever."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import sys
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool, _thread_future
from support import raises, value
from threads import FOREVER


class Interrupt:
    """Raises KeyboardInterrupt at the nth call in the module of thread futures, or from there."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, frame: Any, event: str, arg: Any) -> None:
        places = [frame.f_code.co_filename, frame.f_back.f_code.co_filename if frame.f_back else ""]
        if event == "call" and _thread_future.__file__ in places:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


OUTCOMES = {
    "result": lambda: value(7),
    "exception": lambda: raises(LookupError("mine")),
    "cancellation": lambda: raises(asyncio.CancelledError()),
}


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_interrupt_at_any_call_leaves_no_future_pending(
    outcome: str, given: bool, loop_factory: Callable[[], Any], reports: List[Any]
) -> None:
    for nth in range(1, 200):
        loop, pool, called = loop_factory(), NbAioPool(1, 1), []
        own: Any = concurrent.futures.Future() if given else None
        future = pool.sync_submit(OUTCOMES[outcome](), future=own, loop=loop)
        if not given:
            future.add_done_callback(called.append)
        interrupt, before, caught = Interrupt(nth), sys.gettrace(), []
        try:
            sys.settrace(interrupt)
            loop.run_until_complete(asyncio.sleep(0))
        except KeyboardInterrupt as error:
            caught.append(error)
        finally:
            sys.settrace(before)
        assert future.done()
        if outcome == "result":
            assert future.result(FOREVER) == 7
        elif outcome == "exception":
            assert isinstance(future.exception(FOREVER), LookupError)
        else:
            assert concurrent.futures.wait([future], FOREVER).done and future.cancelled()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        if interrupt.left > 0:
            break
        assert caught
    assert interrupt.left > 0 and nth > 5  # it has struck everywhere
    del future, own, called
    gc.collect()
    assert reports == []


@pytest.mark.loop("asyncio", "debug", "eager")  # uvloop loses those that come between two callbacks
def test_an_interrupt_in_a_callback_is_raised_and_the_other_callbacks_are_called(
    loop_factory: Callable[[], Any], reports: List[Any]
) -> None:
    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    loop, called = loop_factory(), []
    future = NbAioPool(1, 1).sync_submit(value(7), loop=loop)
    for callback in (interrupt, called.append, interrupt, called.append):
        future.add_done_callback(callback)
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(asyncio.sleep(3600))
    assert called == [future, future] and future.result(0) == 7 and not reports
    loop.run_until_complete(asyncio.sleep(0))
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
