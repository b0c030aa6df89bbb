"""sync_submit: the pool from other threads than its loop's."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
from typing import TYPE_CHECKING, Any, Callable, List, Sequence, Tuple

import pytest

from nb_aiopool import NbAioPool, PoolFull, PoolStopped
from support import accounting, is_closed, raises, value
from threads import FOREVER, ThreadGate, await_in, blocked, in_loop, join, running, started, until

if TYPE_CHECKING:
    import threading


@pytest.fixture
def loop(loop_factory: Callable[[], Any]) -> Any:
    with running(loop_factory()) as loop:
        yield loop


def line_up(pool: NbAioPool, loop: Any, coros: Sequence[Any]) -> Tuple[List[threading.Thread], List[Any]]:
    """Have tasks and threads in turn stand in the line of a full pool, in this order."""
    threads: List[threading.Thread] = []
    tasks = []
    for number, coro in enumerate(coros, 1):
        if number % 2:
            tasks.append(asyncio.run_coroutine_threadsafe(pool.submit(coro), loop))
        else:
            threads += started(lambda coro=coro: pool.sync_submit(coro))  # type: ignore[misc]
        until(lambda number=number: pool.waiting == number)
    return threads, tasks


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
    with pytest.raises(RuntimeError, match="not used in one yet, or that has ended; .* loop=loop"):
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
    threads, tasks = line_up(pool, loop, [note(i) for i in range(10)])
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


def test_without_block_a_thread_comes_in_behind_those_in_line(loop: Any) -> None:
    pool, gate, ran = NbAioPool(1, 1), ThreadGate(), []

    async def note(i: int) -> None:
        ran.append(i)

    held = [pool.sync_submit(gate.hold(), loop=loop) for _ in range(2)]
    threads, tasks = line_up(pool, loop, [note(i) for i in range(6)])
    with blocked(loop):  # so that nobody but the thread can let them in
        pool.max_queue_size = 8
        last = pool.sync_submit(note(6), block=False)
        with pytest.raises(PoolFull):
            pool.sync_submit(note(7), block=False)
        assert (pool.waiting, pool.queued) == (0, 8)
        join(threads)
    gate.open()
    assert last.result(FOREVER) is None and ran == list(range(7))
    assert all(task.result(FOREVER) for task in tasks) and all(future.done() for future in held)
    assert accounting(pool)[:2] == (9, 9)


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
