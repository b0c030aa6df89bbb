"""sync_submit: the pool from other threads than its loop's."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import sysconfig
import threading
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool, PoolFull, PoolStopped
from support import accounting, is_closed, raises, turns, value
from threads import ThreadGate, await_in, in_loop, join, running, started, until

FOREVER = 20


@pytest.fixture
def loop(loop_factory: Callable[[], Any]) -> Any:
    with running(loop_factory()) as loop:
        yield loop


def test_a_thread_gets_the_result_and_the_exception_of_a_job(loop: Any) -> None:
    pool = NbAioPool(2, 2)
    future = pool.sync_submit(value(42), loop=loop)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(FOREVER) == 42 and future.exception() is None and future.done()
    error = LookupError("no")
    failed = pool.sync_submit(raises(error))
    assert failed.exception(FOREVER) is error
    with pytest.raises(LookupError, match="no"):
        failed.result()
    assert accounting(pool)[:4] == (2, 1, 1, 0)


def test_without_a_loop_it_is_refused() -> None:
    pool, coro = NbAioPool(2, 2), value(1)
    with pytest.raises(RuntimeError, match="loop=loop"):
        pool.sync_submit(coro)
    assert is_closed(coro) and pool.stats().submitted == 0


def test_a_pool_that_was_used_needs_no_loop(loop: Any) -> None:
    pool = NbAioPool(2, 2)
    await_in(loop, pool.run(value()))
    assert pool.sync_submit(value(1)).result(FOREVER) == 1


@pytest.mark.parametrize("wrong", [3, "loop", object()])
def test_a_loop_that_is_none_is_refused(wrong: Any) -> None:
    pool, coro = NbAioPool(2, 2), value(1)
    with pytest.raises(TypeError, match="loop must be an event loop, got"):
        pool.sync_submit(coro, loop=wrong)
    assert is_closed(coro)


def test_a_loop_that_is_closed_is_refused(loop_factory: Callable[[], Any]) -> None:
    pool, coro, closed = NbAioPool(2, 2), value(1), loop_factory()
    closed.close()
    with pytest.raises(RuntimeError, match="closed"):
        pool.sync_submit(coro, loop=closed)
    assert is_closed(coro)


def test_a_busy_pool_is_not_taken_to_another_loop(loop: Any, loop_factory: Callable[[], Any]) -> None:
    pool, gate, other = NbAioPool(1, 1), ThreadGate(), loop_factory()
    held = pool.sync_submit(gate.hold(), loop=loop)
    coro = value(1)
    with pytest.raises(RuntimeError, match="busy in another event loop"):
        pool.sync_submit(coro, loop=other)
    assert is_closed(coro)
    gate.open()
    held.result(FOREVER)
    until(lambda: pool.running == 0)
    moved = pool.sync_submit(value(2), loop=other)  # idle: it may move
    assert other.run_until_complete(asyncio.wait_for(asyncio.wrap_future(moved, loop=other), FOREVER)) == 2
    other.close()


@pytest.mark.parametrize("wrong", [3, None, len, "text"])
def test_what_cannot_run_is_refused_by_the_call(loop: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match="an awaitable is required"):
        NbAioPool(1, 1).sync_submit(wrong, loop=loop)


def test_a_full_pool_holds_the_thread_until_there_is_room(loop: Any) -> None:
    pool, gate, order = NbAioPool(1, 1), ThreadGate(), []
    first = [pool.sync_submit(gate.hold(i), loop=loop) for i in range(2)]

    def produce() -> None:
        order.append(pool.sync_submit(value("third")).result(FOREVER))

    threads = started(produce)
    until(lambda: pool.waiting == 1)
    assert order == [] and (pool.running, pool.queued) == (1, 1)
    gate.open()
    join(threads)
    assert order == ["third"] and [future.result(FOREVER) for future in first] == [0, 1]
    assert accounting(pool)[:2] == (3, 3)


def test_threads_and_tasks_wait_in_one_line_and_come_in_in_order(loop: Any) -> None:
    pool, gate, ran = NbAioPool(1, 1), ThreadGate(), []

    async def note(i: int) -> None:
        ran.append(i)

    held = [pool.sync_submit(gate.hold(), loop=loop) for _ in range(2)]
    threads: List[threading.Thread] = []
    tasks = []
    for i in range(10):
        if i % 2:
            threads += started(lambda i=i: pool.sync_submit(note(i)))  # type: ignore[misc]
        else:
            tasks.append(asyncio.run_coroutine_threadsafe(pool.submit(note(i)), loop))
        until(lambda i=i: pool.waiting == i + 1)
    gate.open()
    join(threads)
    await_in(loop, pool.join())
    assert ran == list(range(10))
    assert all(future.result(FOREVER) is None for future in held)
    assert all(task.result(FOREVER) for task in tasks)


def test_without_block_a_full_pool_raises(loop: Any) -> None:
    pool, gate = NbAioPool(1, 1), ThreadGate()
    held = [pool.sync_submit(gate.hold(), loop=loop) for _ in range(2)]
    coro = value(1)
    with pytest.raises(PoolFull, match="1 running"):
        pool.sync_submit(coro, block=False)
    assert is_closed(coro)
    gate.open()
    concurrent.futures.wait(held, FOREVER)


def test_in_the_loops_own_thread_a_full_pool_raises_and_never_blocks(loop: Any) -> None:
    pool, gate = NbAioPool(1, 1), ThreadGate()

    async def main() -> None:
        pool.sync_submit(gate.hold())
        pool.sync_submit(gate.hold())
        with pytest.raises(PoolFull):
            pool.sync_submit(value())
        gate.open()
        await pool.join()

    await_in(loop, main())
    assert accounting(pool)[:2] == (2, 2)


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


def test_shutdown_that_cancels_releases_waiting_threads_and_cancels_their_jobs(loop: Any) -> None:
    pool, gate, errors = NbAioPool(1, 1), ThreadGate(), []
    held = [pool.sync_submit(gate.hold(), loop=loop) for _ in range(2)]
    coros = [value(i) for i in range(3)]

    def produce(coro: Any) -> None:
        try:
            pool.sync_submit(coro)
        except PoolStopped as error:
            errors.append(error)

    threads = started(*[lambda coro=coro: produce(coro) for coro in coros])  # type: ignore[misc]
    until(lambda: pool.waiting == 3)
    await_in(loop, pool.shutdown(cancel=True))
    join(threads)
    assert len(errors) == 3 and "shut down" in str(errors[0]) and all(map(is_closed, coros))
    assert all(future.cancelled() for future in held)
    with pytest.raises(PoolStopped):
        pool.sync_submit(value())


def test_shutdown_admits_the_threads_that_wait_already(loop: Any) -> None:
    pool, gate, results = NbAioPool(1, 1), ThreadGate(), []
    held = [pool.sync_submit(gate.hold(), loop=loop) for _ in range(2)]
    threads = started(lambda: results.append(pool.sync_submit(value("in")).result(FOREVER)))
    until(lambda: pool.waiting == 1)
    in_loop(loop, lambda: None)
    ending = asyncio.run_coroutine_threadsafe(pool.shutdown(), loop)
    until(lambda: pool.closed)
    gate.open()
    ending.result(FOREVER)
    join(threads)
    assert results == ["in"] and all(future.done() for future in held)


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


def test_the_context_of_the_thread_reaches_the_job(loop: Any) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    async def read() -> str:
        found = variable.get()
        variable.set("changed by the job")
        return found

    pool = NbAioPool(1, 1)
    results = []

    def produce() -> None:
        variable.set("of the thread")
        results.extend([pool.sync_submit(read(), loop=loop).result(FOREVER), variable.get()])

    join(started(produce))
    assert results == ["of the thread", "of the thread"]


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
