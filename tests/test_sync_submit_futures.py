"""sync_submit: the future that the thread gets, and what either side does with it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sysconfig
import threading
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool, PoolStopped
from support import accounting, is_closed, raises, turns, value
from threads import FOREVER, ThreadGate, await_in, join, running, started, until


@pytest.fixture
def loop(loop_factory: Callable[[], Any]) -> Any:
    with running(loop_factory()) as loop:
        yield loop


def test_to_wait_for_a_result_in_the_loops_own_thread_is_an_error_and_no_hang(loop: Any) -> None:
    pool = NbAioPool(1, 1)

    async def main() -> Any:
        future = pool.sync_submit(value(7))
        for ask in (future.result, future.exception):
            with pytest.raises(RuntimeError, match="wrap_future"):
                ask()
            with pytest.raises(concurrent.futures.TimeoutError):
                ask(0)
        return await asyncio.wrap_future(future)

    assert await_in(loop, main()) == 7


def test_a_timeout_of_result_leaves_the_job_alone(loop: Any) -> None:
    pool, gate = NbAioPool(1, 1), ThreadGate()
    future = pool.sync_submit(gate.hold("late"), loop=loop)
    for ask in (future.result, future.exception):
        with pytest.raises(concurrent.futures.TimeoutError):
            ask(0.01)
    assert not future.done()
    gate.open()
    assert future.result(FOREVER) == "late"


def test_a_timeout_error_of_the_job_itself_is_its_outcome(loop: Any) -> None:
    error = concurrent.futures.TimeoutError("of the job")
    future = NbAioPool(1, 1).sync_submit(raises(error), loop=loop)
    with pytest.raises(concurrent.futures.TimeoutError, match="of the job"):
        future.result(FOREVER)


def test_cancelling_the_future_cancels_a_job_that_runs(loop: Any) -> None:
    pool, begun, ended = NbAioPool(1, 1), threading.Event(), []

    async def job() -> None:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    future = pool.sync_submit(job(), loop=loop)
    assert begun.wait(FOREVER) and future.running()
    assert future.cancel() and future.cancelled() and not future.running()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()
    await_in(loop, pool.join())
    assert ended == ["cancelled"] and accounting(pool)[:4] == (1, 0, 0, 1)
    assert future.cancel()  # again: it is


def test_cancelling_the_future_drops_a_job_that_is_queued(loop: Any) -> None:
    pool, gate, ran = NbAioPool(1, 1), ThreadGate(), []

    async def job() -> None:
        ran.append(1)

    held = pool.sync_submit(gate.hold(), loop=loop)
    future = pool.sync_submit(job())
    assert future.cancel()
    until(lambda: pool.queued == 0)
    gate.open()
    held.result(FOREVER)
    await_in(loop, pool.join())
    assert ran == [] and accounting(pool)[:4] == (2, 1, 0, 1)


def test_a_future_that_is_done_is_not_cancelled(loop: Any) -> None:
    future = NbAioPool(1, 1).sync_submit(value(1), loop=loop)
    assert future.result(FOREVER) == 1
    assert not future.cancel() and not future.cancelled()


def test_a_job_that_is_cancelled_from_its_own_side_cancels_the_future(loop: Any) -> None:
    pool = NbAioPool(1, 1)
    future = pool.sync_submit(raises(asyncio.CancelledError()), loop=loop)
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(FOREVER)
    assert future.cancelled()
    assert concurrent.futures.wait([future], FOREVER).done == {future}


def test_another_thread_may_cancel_the_future_of_one_that_waits_for_room(loop: Any) -> None:
    pool, gate, got = NbAioPool(1, 1), ThreadGate(), []
    held = [pool.sync_submit(gate.hold(), loop=loop) for _ in range(2)]
    given: Any = concurrent.futures.Future()
    coro = value(1)
    threads = started(lambda: got.append(pool.sync_submit(coro, future=given)))
    until(lambda: pool.waiting == 1)
    assert given.cancel()
    gate.open()
    join(threads)
    await_in(loop, pool.join())
    assert got == [given] and given.cancelled() and all(future.done() for future in held)


def test_a_given_future_gets_the_outcome_and_is_returned(loop: Any) -> None:
    pool = NbAioPool(1, 1)
    given: Any = concurrent.futures.Future()
    assert pool.sync_submit(value(1), future=given, loop=loop) is given
    assert given.result(FOREVER) == 1
    failed: Any = concurrent.futures.Future()
    pool.sync_submit(raises(LookupError("x")), future=failed)
    assert isinstance(failed.exception(FOREVER), LookupError)
    begun = threading.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.get_running_loop().create_future()

    cancelled: Any = concurrent.futures.Future()
    pool.sync_submit(forever(), future=cancelled)
    assert begun.wait(FOREVER) and cancelled.cancel()
    await_in(loop, pool.join())
    assert pool.stats().cancelled == 1


def test_a_given_future_that_is_cancelled_while_its_job_stands_in_line_withdraws_it(loop: Any) -> None:
    pool, gate, coro = NbAioPool(1, 1), ThreadGate(), value(1)
    held = [pool.sync_submit(gate.hold(), loop=loop) for _ in range(2)]
    given: Any = concurrent.futures.Future()
    got: List[Any] = []
    threads = started(lambda: got.append(pool.sync_submit(coro, future=given)))
    until(lambda: pool.waiting == 1)
    assert given.cancel()
    join(threads)  # the pool is as full as before
    assert got == [given] and concurrent.futures.wait(got, FOREVER).done == {given}
    gate.open()
    assert [future.result(FOREVER) for future in held] == [None, None]
    assert is_closed(coro) and accounting(pool)[:1] == (2,)


@pytest.mark.parametrize("fails", [True, False])
def test_a_given_future_that_is_cancelled_as_the_job_ends_is_told(loop: Any, fails: bool) -> None:
    class Cancelled(concurrent.futures.Future):  # type: ignore[type-arg]
        """It is so at the very last moment."""

        def set_result(self, result: Any) -> None:
            self.cancel()
            super().set_result(result)

        def set_exception(self, exception: Any) -> None:
            self.cancel()
            super().set_exception(exception)

    given = Cancelled()
    NbAioPool(1, 1).sync_submit(raises(LookupError()) if fails else value(1), future=given, loop=loop)
    assert concurrent.futures.wait([given], FOREVER).done == {given} and given.cancelled()


def test_a_given_future_that_is_said_to_run_gets_the_cancellation_of_the_job(loop: Any) -> None:
    given: Any = concurrent.futures.Future()
    given.set_running_or_notify_cancel()
    NbAioPool(1, 1).sync_submit(raises(asyncio.CancelledError()), future=given, loop=loop)
    assert isinstance(given.exception(FOREVER), concurrent.futures.CancelledError)


def test_a_given_future_stays_pending_if_nothing_was_submitted(loop: Any) -> None:
    pool, gate, refused = NbAioPool(1, 1), ThreadGate(), []
    held = [pool.sync_submit(gate.hold(), loop=loop) for _ in range(2)]
    given: Any = concurrent.futures.Future()

    def produce() -> None:
        with pytest.raises(PoolStopped):
            pool.sync_submit(value(1), future=given)
        refused.append(1)

    threads = started(produce)
    until(lambda: pool.waiting == 1)
    await_in(loop, pool.shutdown(cancel=True))
    join(threads)
    assert refused and not given.done() and all(future.cancelled() for future in held)
    assert given.cancel()  # harms nobody


def test_a_given_future_must_be_a_pending_one_of_concurrent_futures(loop: Any) -> None:
    pool = NbAioPool(1, 1)
    done: Any = concurrent.futures.Future()
    done.set_result(1)
    for given, kind in [
        (done, concurrent.futures.InvalidStateError),
        (3, TypeError),
        (loop.create_future(), TypeError),
    ]:
        coro = value(1)
        with pytest.raises(kind, match="future"):
            pool.sync_submit(coro, future=given, loop=loop)
        assert is_closed(coro)


def test_wait_and_as_completed_and_callbacks_work(loop: Any) -> None:
    pool, gate, called = NbAioPool(20, 20), ThreadGate(), []
    quick = [pool.sync_submit(value(i), loop=loop) for i in range(5)]
    slow = [pool.sync_submit(gate.hold(i)) for i in range(5)]
    for future in (*quick, *slow):
        future.add_done_callback(called.append)
    done, pending = concurrent.futures.wait(quick + slow, FOREVER, concurrent.futures.FIRST_COMPLETED)
    assert done and pending >= set(slow)
    gate.open()
    seen = list(concurrent.futures.as_completed(quick + slow, FOREVER))
    assert len(seen) == 10 and set(seen) == set(quick + slow)
    until(lambda: len(called) == 10)
    assert set(called) == set(quick + slow)
    assert concurrent.futures.wait(quick, FOREVER, concurrent.futures.ALL_COMPLETED).not_done == set()


def test_a_future_can_be_awaited_in_another_loop(loop: Any, run_loop: Callable[..., Any]) -> None:
    pool = NbAioPool(2, 2)

    async def main() -> Any:
        return await asyncio.gather(
            *[asyncio.wrap_future(pool.sync_submit(value(i), loop=loop)) for i in range(4)]
        )

    assert run_loop(main()) == [0, 1, 2, 3]


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="there, what one thread made and another drops goes when the first gets round to it",
)
def test_an_exception_that_nobody_asks_for_is_reported_once(loop: Any, reports: List[Any]) -> None:
    pool = NbAioPool(2, 2)

    async def failing() -> None:
        raise LookupError("unseen")

    pool.sync_submit(failing(), loop=loop)
    until(lambda: reports)
    await_in(loop, turns(3))
    assert len(reports) == 1 and isinstance(reports[0]["exception"], LookupError)
    assert "failing" in reports[0]["message"]
    seen = pool.sync_submit(failing())
    assert seen.exception(FOREVER) is not None
    del seen
    await_in(loop, turns(3))
    assert len(reports) == 1


def test_interrupts_of_jobs_reach_the_future_and_then_the_loops_caller(
    loop_factory: Callable[[], Any],
) -> None:
    loop, pool, caught = loop_factory(), NbAioPool(1, 1), []

    def run() -> None:
        asyncio.set_event_loop(loop)
        while True:
            try:
                loop.run_forever()
            except SystemExit as error:
                caught.append(error)
                continue
            break

    thread = started(run)
    error = SystemExit("leave")
    future = pool.sync_submit(raises(error), loop=loop)
    assert future.exception(FOREVER) is error
    assert pool.sync_submit(value("goes on")).result(FOREVER) == "goes on"
    loop.call_soon_threadsafe(loop.stop)
    join(thread)
    assert caught == [error]
    loop.close()
