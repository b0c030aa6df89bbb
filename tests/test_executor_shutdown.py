"""AsyncPoolExecutor: how it is shut down, dropped, and left by the loop that it was given."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import time
import weakref
from typing import Any, Callable, List

import pytest

from executors import current_loop, doze, power
from nb_aiopool import AsyncPoolExecutor, PoolError, PoolStopped
from threads import FOREVER, ThreadGate, join, started, until

New = Callable[..., AsyncPoolExecutor]


def threads_of_executors() -> List[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "AsyncPoolExecutor"]


# -- shutdown ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", [True, False])
def test_after_shutdown_nothing_is_accepted(new: New, wait: bool) -> None:
    executor = new()
    executor.shutdown(wait)
    with pytest.raises(PoolStopped, match="cannot schedule new futures after shutdown"):
        executor.submit(power, 2, 5)
    with pytest.raises(RuntimeError):
        executor.map(power, [1], [2])
    executor.shutdown()


def test_shutdown_waits_for_what_runs_and_for_what_is_queued(new: New) -> None:
    executor, ended = new(2, max_queue_size=20), []

    async def job(i: int) -> None:
        await asyncio.sleep(0.01)
        ended.append(i)

    for i in range(10):
        executor.submit(job, i)
    executor.shutdown()
    assert sorted(ended) == list(range(10)) and not threads_of_executors()


def test_leaving_the_block_waits_also_after_an_exception(new: New) -> None:
    futures = []
    with pytest.raises(LookupError), new(2) as executor:
        futures += [executor.submit(doze, 0.01) for _ in range(4)]
        raise LookupError
    assert all(future.done() for future in futures) and not threads_of_executors()


def test_shutdown_without_waiting_lets_the_work_go_on(new: New) -> None:
    executor, gate = new(1, max_queue_size=5), ThreadGate()
    futures = [executor.submit(gate.hold, i) for i in range(5)]
    executor.shutdown(wait=False)
    assert not any(future.done() for future in futures)
    gate.open()
    assert [future.result(FOREVER) for future in futures] == list(range(5))
    until(lambda: not threads_of_executors())


@pytest.mark.parametrize("wait", [True, False])
def test_cancel_futures_cancels_what_has_not_begun(new: New, wait: bool) -> None:
    executor, gate = new(2, max_queue_size=10), ThreadGate()
    futures = [executor.submit(gate.hold, i) for i in range(8)]
    until(lambda: gate.arrived == 2)
    threading.Timer(0.05, gate.open).start()
    executor.shutdown(wait, cancel_futures=True)
    assert [future.result(FOREVER) for future in futures[:2]] == [0, 1]
    concurrent.futures.wait(futures, FOREVER)
    assert all(future.cancelled() for future in futures[2:])
    executor.shutdown()


def test_cancel_futures_has_cancelled_them_when_it_returns(new: New) -> None:
    executor, begun, end, errors, called = (
        new(1, max_queue_size=4),
        threading.Event(),
        threading.Event(),
        [],
        [],
    )

    async def block() -> str:
        begun.set()
        return "done" if end.wait(FOREVER) else "not in time"

    def produce() -> None:
        try:
            executor.submit(power, 2, 3)
        except PoolStopped as error:
            errors.append(error)

    first = executor.submit(block)  # the loop does nothing else meanwhile
    assert begun.wait(FOREVER)
    queued = [executor.submit(power, 2, i) for i in range(4)]
    queued[0].add_done_callback(lambda _: called.append(threading.current_thread()))
    threads = started(produce, produce)
    until(lambda: "waiting=2" in repr(executor))
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in queued) and called == [threading.current_thread()]
    join(threads)
    assert len(errors) == 2 and "queued=0/4 waiting=0" in repr(executor)
    end.set()
    executor.shutdown()
    assert first.result() == "done" and concurrent.futures.wait(queued, FOREVER).done == set(queued)


def test_cancel_futures_goes_on_after_a_callback_that_interrupts_it(new: New) -> None:
    executor, begun, end = new(1, max_queue_size=4), threading.Event(), threading.Event()

    async def block() -> bool:
        begun.set()
        return end.wait(FOREVER)

    first = executor.submit(block)  # so that the loop does not come first
    assert begun.wait(FOREVER)
    queued = [executor.submit(power, 2, i) for i in range(4)]

    def interrupt(_: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt

    queued[0].add_done_callback(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            executor.shutdown(wait=False, cancel_futures=True)
    finally:
        end.set()
    executor.shutdown()
    assert first.result() is True and all(future.cancelled() for future in queued)


def test_what_cancel_futures_drops_is_closed_though_the_loop_stops_at_once() -> None:
    loop = asyncio.new_event_loop()  # uvloop makes one turn more
    (thread,) = started(loop.run_forever)
    until(loop.is_running)
    executors = [AsyncPoolExecutor(1, loop=loop)]
    gate = ThreadGate()
    first = executors[0].submit(gate.hold)
    until(lambda: gate.arrived)
    queued = executors[0].submit(power, 2, 3)

    def stop() -> None:
        loop.stop()
        executors.pop().shutdown(wait=False, cancel_futures=True)

    loop.call_soon_threadsafe(stop)
    join([thread])
    loop.close()
    assert queued.cancelled()
    with pytest.raises(PoolError):
        first.result(FOREVER)
    del queued
    gc.collect()  # a coroutine that was never awaited would say so now


def test_cancel_futures_may_come_after_a_shutdown_that_waits(new: New) -> None:
    executor, gate = new(1, max_queue_size=5), ThreadGate()
    futures = [executor.submit(gate.hold, i) for i in range(4)]
    waiting = started(executor.shutdown)
    until(lambda: "closed" in repr(executor) and gate.arrived == 1)
    executor.shutdown(wait=False, cancel_futures=True)
    concurrent.futures.wait(futures[1:], FOREVER)
    gate.open()
    join(waiting)
    assert futures[0].result() == 0 and all(future.cancelled() for future in futures[1:])


@pytest.mark.parametrize("cancel_futures", [True, False])
def test_threads_that_wait_for_room_come_in_or_are_turned_away(new: New, cancel_futures: bool) -> None:
    executor, gate, outcomes = new(1, max_queue_size=1), ThreadGate(), []

    def produce() -> None:
        try:
            outcomes.append(executor.submit(gate.hold, "in").result(FOREVER))
        except PoolStopped as error:
            outcomes.append(str(error))

    held = [executor.submit(gate.hold) for _ in range(2)]
    threads = started(*[produce] * 3)
    until(lambda: "waiting=3" in repr(executor) and gate.arrived == 1)
    executor.shutdown(wait=False, cancel_futures=cancel_futures)
    if cancel_futures:
        join(threads)
    gate.open()
    join(threads)
    expected = "cannot schedule new futures after shutdown" if cancel_futures else "in"
    assert outcomes == [expected] * 3
    executor.shutdown()
    assert held[0].result() is None and held[1].cancelled() == cancel_futures


def test_shutdown_in_the_loops_own_thread_does_not_wait_for_itself(new: New) -> None:
    executor = new()

    async def job() -> str:
        with pytest.raises(RuntimeError, match="would wait for itself; use wait=False"):
            executor.shutdown()
        assert "open" in repr(executor)
        executor.shutdown(wait=False)
        await asyncio.sleep(0.01)
        return "goes on"

    assert executor.submit(job).result(FOREVER) == "goes on"
    executor.shutdown()
    assert not threads_of_executors()


def test_a_callback_of_a_future_may_shut_down(new: New) -> None:
    executor, called = new(), threading.Event()

    def callback(_: Any) -> None:
        executor.shutdown(wait=False)
        called.set()

    executor.submit(doze, 0.01).add_done_callback(callback)
    assert called.wait(FOREVER)
    executor.shutdown()


def test_several_threads_may_shut_down_at_once_and_again(new: New) -> None:
    executor, gate, ended = new(2), ThreadGate(), []
    held = executor.submit(gate.hold)
    threads = started(*[lambda: ended.append(executor.shutdown()) for _ in range(8)])
    until(lambda: "closed" in repr(executor))
    assert not ended and not held.done()
    gate.open()
    join(threads)
    executor.shutdown()
    assert len(ended) == 8 and held.done() and not threads_of_executors()


def test_a_job_that_cancels_itself_over_and_over_does_not_hinder_shutdown(new: New) -> None:
    executor = new()

    async def stubborn() -> str:
        task = asyncio.current_task()
        assert task is not None
        for _ in range(3):
            task.cancel()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue
        return "done"

    future = executor.submit(stubborn)
    executor.shutdown()
    assert future.result() == "done"


def test_what_jobs_have_left_in_the_loop_is_cancelled_when_it_closes(new: New) -> None:
    executor, cancelled, kept = new(), [], []

    async def left() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    async def job() -> Any:
        kept.append(asyncio.ensure_future(left()))
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    loop = executor.submit(job).result(FOREVER)
    executor.shutdown()
    assert cancelled == [1] and loop.is_closed()


# -- an executor that is dropped --------------------------------------------------------------------------------------


def test_a_dropped_executor_finishes_its_work_and_its_thread_ends(loop_factory: Callable[[], Any]) -> None:
    executor, gate = AsyncPoolExecutor(1, loop_factory()), ThreadGate()
    alive = weakref.ref(executor)
    futures = [executor.submit(gate.hold, i) for i in range(2)]
    del executor
    gc.collect()
    assert alive() is None and len(threads_of_executors()) == 1
    gate.open()
    assert [future.result(FOREVER) for future in futures] == [0, 1]
    until(lambda: not threads_of_executors())


def test_an_executor_in_a_cycle_is_dropped_by_the_collector(loop_factory: Callable[[], Any]) -> None:
    executor: Any = AsyncPoolExecutor(1, loop_factory())
    executor.itself = executor
    assert executor.submit(power, 1, 1).result(FOREVER) == 1
    del executor
    assert threads_of_executors()
    gc.collect()
    until(lambda: not threads_of_executors())


def test_many_executors_leave_no_thread_and_no_loop(loop_factory: Callable[[], Any]) -> None:
    loops = []
    for i in range(30):
        executor = AsyncPoolExecutor(2, loop_factory())
        loops.append(executor.submit(current_loop).result(FOREVER))
        if i % 2:
            executor.shutdown()
    del executor
    until(lambda: not threads_of_executors())
    assert all(loop.is_closed() for loop in loops)


def test_submits_that_race_with_a_shutdown_end_one_way_or_the_other(new: New) -> None:
    for _ in range(20):
        executor, futures, refused = new(2), [], []

        def produce(executor: Any = executor, futures: Any = futures, refused: Any = refused) -> None:
            try:
                while True:
                    futures.append(executor.submit(power, 2, 2))
            except PoolStopped as error:
                refused.append(str(error))

        threads = started(*[produce] * 4)
        time.sleep(0.002)
        executor.shutdown()
        join(threads)
        assert refused == ["cannot schedule new futures after shutdown"] * 4
        assert all(future.result(FOREVER) == 4 for future in futures)


@pytest.mark.parametrize("flag", [5, None, "no", 0.0])
@pytest.mark.parametrize("name", ["wait", "cancel_futures"])
def test_what_is_no_flag_is_refused_and_changes_nothing(
    name: str, flag: Any, new: Callable[..., Any]
) -> None:
    executor = new(1)
    with pytest.raises(TypeError, match=f"{name} must be True or False"):
        executor.shutdown(**{name: flag})
    assert executor.submit(power, 3, 2).result(FOREVER) == 9
