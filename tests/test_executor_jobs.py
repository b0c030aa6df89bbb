"""AsyncPoolExecutor: contexts, cancellation, exceptions, references, and the loops that it is given."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import threading
import weakref
from typing import Any, Callable, List

import pytest

from executors import divmod_of, power
from nb_aiopool import AsyncPoolExecutor
from threads import FOREVER, ThreadGate, until

New = Callable[..., AsyncPoolExecutor]


class Thing:
    async def method(self) -> None:
        pass


# -- contexts, cancellation, exceptions, interrupts -------------------------------------------------------------------


def stirred(executor: AsyncPoolExecutor) -> bool:
    """Have the loop's thread run some code: without the GIL, what others drop is freed by the thread that made it."""
    return bool(executor.submit(power, 1, 1).result(FOREVER))


def test_the_context_of_the_submitting_thread_reaches_the_job(new: New) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    async def read() -> str:
        found = variable.get()
        variable.set("by the job")
        return found

    executor, token = new(), variable.set("by the thread")
    assert [executor.submit(read).result(FOREVER) for _ in range(2)] == ["by the thread"] * 2
    variable.reset(token)
    assert executor.submit(read).result(FOREVER) == "unset"


def test_cancelling_from_the_thread_reaches_the_job(new: New) -> None:
    executor, begun, ended = new(1), threading.Event(), threading.Event()

    async def job() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended.set()
            raise

    running_one, queued = executor.submit(job), executor.submit(job)
    assert begun.wait(FOREVER) and running_one.running() and not queued.running()
    assert queued.cancel() and running_one.cancel() and queued.cancelled() and running_one.cancelled()
    assert ended.wait(FOREVER)
    with pytest.raises(concurrent.futures.CancelledError):
        running_one.result(FOREVER)
    assert executor.submit(power, 1, 1).result(FOREVER) == 1


def test_a_job_that_is_cancelled_from_within_cancels_the_future(new: New) -> None:
    async def job() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(3600)

    future = new().submit(job)
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(FOREVER)
    assert future.cancelled()


class FalseyBool(Exception):
    def __bool__(self) -> bool:
        return False


class FalseyLen(Exception):
    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize("kind", [FalseyBool, FalseyLen, GeneratorExit, StopIteration, OSError])
def test_an_exception_comes_out_whatever_it_is(new: New, kind: Any) -> None:
    async def job() -> None:
        raise kind("text")

    error = new().submit(job).exception(FOREVER)
    assert error is not None and isinstance(error, RuntimeError if kind is StopIteration else kind)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_job_is_its_outcome_and_ends_nothing_else(new: New, kind: Any) -> None:
    async def leave() -> None:
        await asyncio.sleep(0)
        raise kind("leave")

    executor, gate = new(4), ThreadGate()
    held = executor.submit(gate.hold, "held")
    for _ in range(3):
        with pytest.raises(kind, match="leave"):
            executor.submit(leave).result(FOREVER)
    gate.open()
    assert held.result(FOREVER) == "held" and executor.submit(power, 2, 2).result(FOREVER) == 4


def test_an_exception_that_nobody_asks_for_is_reported_once(new: New, reports: List[Any]) -> None:
    executor = new()
    asked = executor.submit(divmod_of, 2, 0)
    executor.submit(divmod_of, 1, 0)
    until(lambda: stirred(executor) and reports)
    assert asked.exception(FOREVER) is not None
    del asked
    executor.shutdown()
    [report] = reports
    assert isinstance(report["exception"], ZeroDivisionError) and "divmod_of" in report["message"]


# -- references -------------------------------------------------------------------------------------------------------


def test_no_stale_references_are_kept(new: New) -> None:
    thing, collected = Thing(), threading.Event()
    alive = weakref.ref(thing, lambda _: collected.set())
    executor = new()
    executor.submit(thing.method)
    del thing
    until(lambda: stirred(executor) and collected.is_set())
    assert alive() is None


def test_results_are_free_as_soon_as_their_owner_lets_go(new: New) -> None:
    async def make(_: int) -> Thing:
        return Thing()

    executor = new(5)
    for thing in executor.map(make, range(10)):
        alive = weakref.ref(thing)
        del thing
        until(lambda alive=alive: stirred(executor) and alive() is None)  # type: ignore[misc]
    futures = [executor.submit(make, i) for i in range(10)]
    for future in concurrent.futures.as_completed(futures, FOREVER):
        futures.remove(future)
        of_future = weakref.ref(future)
        del future
        until(lambda of_future=of_future: gc.collect() is not None and of_future() is None)  # type: ignore[misc]
