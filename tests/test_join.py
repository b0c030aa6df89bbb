"""join: waits until nothing is queued or running, and leaves the pool open."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, accounting, append, counts, fill, park, raises, turns, value


async def test_a_pool_with_nothing_to_do_is_joined_at_once() -> None:
    pool = NbAioPool(1, 1)
    await pool.join()
    await pool.run(value())
    await pool.join()
    assert not pool.closed


async def test_join_waits_for_what_runs_and_what_is_queued() -> None:
    pool, gate = NbAioPool(2, 3), Gate()
    jobs = fill(pool, gate)
    joined = asyncio.ensure_future(pool.join())
    for ended in range(4):
        await gate.reached(min(2 + ended, 5))
        gate.release()
        assert await jobs[ended] == ended
        await turns(5)
        assert not joined.done()
    gate.release()
    await joined
    assert all(job.done() for job in jobs)
    assert counts(pool) == {"running": 0, "queued": 0, "waiting": 0}


async def test_join_waits_for_producers_in_line_too() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    log: List[Any] = []
    fill(pool, gate)
    await park(pool, *[append(log, i) for i in range(3)])
    joined = asyncio.ensure_future(pool.join())
    await turns(3)
    assert not joined.done()
    gate.open()
    await joined
    assert log == [0, 1, 2]


async def test_join_waits_for_jobs_submitted_while_it_waits() -> None:
    pool, gate = NbAioPool(1, 5), Gate()
    log: List[Any] = []

    async def job(n: int) -> None:
        if n:
            await pool.submit(job(n - 1))
        await turns()
        log.append(n)

    pool.submit_nowait(gate.hold())
    joined = asyncio.ensure_future(pool.join())
    await turns()
    pool.submit_nowait(job(4))
    gate.open()
    await joined
    assert log == [4, 3, 2, 1, 0]


async def test_join_waits_for_a_call_of_run() -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    caller = asyncio.ensure_future(pool.run(gate.hold("result")))
    await gate.reached(1)
    joined = asyncio.ensure_future(pool.join())
    await turns(5)
    assert not joined.done()
    gate.open()
    await joined
    assert await caller == "result"


async def test_join_leaves_the_pool_open() -> None:
    pool = NbAioPool(1, 1)
    log: List[Any] = []
    for i in range(3):
        await pool.submit(append(log, i))
        await pool.join()
        assert log == list(range(i + 1)) and not pool.closed


async def test_join_does_not_raise_what_jobs_raise() -> None:
    pool = NbAioPool(2, 2)
    failed, cancelled = pool.submit_nowait(raises(KeyError("mine"))), pool.submit_nowait(asyncio.sleep(3600))
    await turns()
    cancelled.cancel()
    await pool.join()
    assert isinstance(failed.exception(), KeyError) and cancelled.cancelled()


async def test_any_number_of_tasks_may_join() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    joins = [asyncio.ensure_future(pool.join()) for _ in range(5)]
    await turns(3)
    assert not any(join.done() for join in joins)
    gate.open()
    assert await asyncio.gather(*joins) == [None] * 5
    await asyncio.gather(*jobs)


async def test_a_cancelled_join_leaves_the_jobs_and_the_other_joins_alone() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    first, second = asyncio.ensure_future(pool.join()), asyncio.ensure_future(pool.join())
    await turns(2)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await turns(2)
    assert not second.done() and counts(pool) == {"running": 1, "queued": 1, "waiting": 0}
    gate.open()
    await second
    assert await asyncio.gather(*jobs) == [0, 1]
    assert accounting(pool).cancelled == 0


async def test_a_join_that_times_out_leaves_the_jobs_alone() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(pool.join(), 0.01)
    gate.open()
    assert await asyncio.gather(*jobs) == [0, 1]


async def test_join_ends_when_the_last_queued_jobs_are_cancelled() -> None:
    pool, gate = NbAioPool(1, 3), Gate()
    running, *queued = fill(pool, gate)
    joined = asyncio.ensure_future(pool.join())
    await gate.reached(1)
    gate.release()
    await running
    for job in queued:
        job.cancel()
    await joined
    assert accounting(pool) == (4, 1, 0, 3, 0, 0)


@pytest.mark.parametrize("name", ["submit", "run"])
async def test_join_inside_of_a_job_is_an_error_and_changes_nothing(name: str) -> None:
    pool = NbAioPool(2, 2)

    async def job() -> str:
        await turns()
        with pytest.raises(RuntimeError, match="join"):
            await pool.join()
        await turns()
        return "went on"

    result: Any = await getattr(pool, name)(job())
    assert (await result if name == "submit" else result) == "went on"
    assert not pool.closed and accounting(pool) == (1, 1, 0, 0, 0, 0)
    await pool.join()


async def test_a_job_may_join_another_pool() -> None:
    pool, other, gate = NbAioPool(1, 1), NbAioPool(1, 1), Gate()
    log: List[Any] = []

    async def job() -> None:
        await other.join()
        log.append(held.done())

    held = other.submit_nowait(gate.hold())
    mine = pool.submit_nowait(job())
    await gate.reached(1)
    await turns(3)
    assert log == []
    gate.open()
    await mine
    assert log == [True]


async def test_a_closed_pool_can_be_joined_while_it_drains_and_after() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    await pool.shutdown(wait=False)
    joined = asyncio.ensure_future(pool.join())
    await turns(3)
    assert not joined.done()
    gate.open()
    await joined
    assert await asyncio.gather(*jobs) == [0, 1]
    await pool.join()


async def test_a_pool_that_comes_to_rest_while_join_is_about_to_wait() -> None:
    """The loop's create_future() is other people's code, and so is the hash of what it makes."""
    loop, pool = asyncio.get_running_loop(), NbAioPool(1)
    jobs = [pool.submit_nowait(asyncio.sleep(3600)) for _ in range(2)]

    class Treacherous(asyncio.Future):  # type: ignore[type-arg]
        def __hash__(self) -> int:
            for job in jobs:
                job.cancel()
            return object.__hash__(self)

    other = asyncio.ensure_future(pool.join())
    await turns(2)
    waiter = Treacherous(loop=loop)
    if not hasattr(loop, "__dict__"):  # uvloop's takes no attribute
        await pool.shutdown(cancel=True)
        await other
        return
    loop.create_future = lambda: waiter  # type: ignore[method-assign]
    try:
        joining = asyncio.ensure_future(pool.join())
        await asyncio.sleep(0)
    finally:
        del loop.create_future  # type: ignore[method-assign]
    await asyncio.wait_for(joining, 10)
    await other
