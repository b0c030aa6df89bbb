"""Resizing: raising a limit admits work at once, lowering one never interrupts a job."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool, PoolFull
from support import Gate, Load, accounting, append, counts, fill, is_untouched, park, turns, value


def test_the_limits_can_be_set_without_a_loop_before_first_use() -> None:
    pool = NbAioPool(1, 1)
    pool.max_concurrency, pool.max_queue_size = 5, 6
    assert (pool.max_concurrency, pool.max_queue_size) == (5, 6)


async def test_a_raised_concurrency_starts_queued_jobs_at_once() -> None:
    pool, gate = NbAioPool(1, 4), Gate()
    jobs = fill(pool, gate)
    await gate.reached(1)
    pool.max_concurrency = 3
    assert counts(pool) == {"running": 3, "queued": 2, "waiting": 0}
    await gate.reached(3)
    await turns(3)
    assert gate.arrived == 3
    gate.open()
    assert await asyncio.gather(*jobs) == list(range(5))


async def test_a_raised_concurrency_keeps_the_order_of_the_queue() -> None:
    pool, gate = NbAioPool(1, 9), Gate()
    log: List[Any] = []
    jobs = [pool.submit_nowait(gate.hold())]
    jobs += [pool.submit_nowait(append(log, i)) for i in range(9)]
    await gate.reached(1)
    pool.max_concurrency = 4
    await turns(4)
    assert log == list(range(9))
    gate.open()
    await asyncio.gather(*jobs)


async def test_a_raised_concurrency_admits_producers_for_the_places_in_the_queue() -> None:
    pool, gate = NbAioPool(1, 2), Gate()
    jobs = fill(pool, gate)
    producers = await park(pool, *[gate.hold() for _ in range(4)])
    pool.max_concurrency = 3
    await turns(3)
    assert counts(pool) == {"running": 3, "queued": 2, "waiting": 2}
    assert [producer.done() for producer in producers] == [True, True, False, False]
    gate.open()
    await asyncio.gather(*jobs, *[await producer for producer in producers])


@pytest.mark.parametrize(("size", "admitted"), [(2, 1), (4, 3), (0, 5), (100, 5)])
async def test_a_raised_queue_size_admits_producers_in_order(size: int, admitted: int) -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    log: List[Any] = []
    jobs = fill(pool, gate)
    producers = await park(pool, *[append(log, i) for i in range(5)])
    pool.max_queue_size = size
    await turns(3)
    assert [producer.done() for producer in producers] == [i < admitted for i in range(5)]
    assert counts(pool) == {"running": 1, "queued": 1 + admitted, "waiting": 5 - admitted}
    gate.open()
    await asyncio.gather(*jobs, *[await producer for producer in producers])
    assert log == list(range(5))


async def test_what_was_raised_can_be_used_in_the_same_moment() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    pool.max_queue_size = 2
    jobs.append(pool.submit_nowait(gate.hold()))
    pool.max_concurrency = 2
    jobs.append(pool.submit_nowait(gate.hold()))
    with pytest.raises(PoolFull):
        pool.submit_nowait(value())
    gate.open()
    await asyncio.gather(*jobs)


async def test_a_newcomer_does_not_take_what_was_raised_from_producers_in_line() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    log: List[Any] = []
    jobs = fill(pool, gate)
    producers = await park(pool, append(log, 1), append(log, 2))
    pool.max_queue_size = 3
    with pytest.raises(PoolFull):
        pool.submit_nowait(value())
    gate.open()
    await asyncio.gather(*jobs, *[await producer for producer in producers])
    assert log == [1, 2]


async def test_a_lowered_concurrency_interrupts_nobody_and_shrinks_as_jobs_end() -> None:
    pool, gate = NbAioPool(4, 9), Gate()
    jobs = [pool.submit_nowait(gate.hold(i)) for i in range(8)]
    await gate.reached(4)
    pool.max_concurrency = 2
    assert counts(pool) == {"running": 4, "queued": 4, "waiting": 0}
    for ended, running in [(1, 3), (2, 2)]:
        gate.release()
        await jobs[ended - 1]
        await turns(3)
        assert counts(pool) == {"running": running, "queued": 4, "waiting": 0}
        assert gate.arrived == 4
    gate.release()
    await gate.reached(5)
    assert counts(pool) == {"running": 2, "queued": 3, "waiting": 0}
    gate.open()
    assert await asyncio.gather(*jobs) == list(range(8))
    assert accounting(pool).cancelled == 0


async def test_a_lowered_concurrency_sends_jobs_that_have_not_begun_back_to_the_front() -> None:
    pool, load = NbAioPool(4, 2), Load()
    log: List[Any] = []

    async def job(i: int) -> None:
        log.append(i)
        await load.job()

    coros = [job(i) for i in range(6)]
    jobs = [pool.submit_nowait(coro) for coro in coros]
    assert counts(pool) == {"running": 4, "queued": 2, "waiting": 0}
    pool.max_concurrency = 1
    assert counts(pool) == {"running": 1, "queued": 5, "waiting": 0}
    assert all(is_untouched(coro) for coro in coros)
    with pytest.raises(PoolFull):
        pool.submit_nowait(value())
    await asyncio.gather(*jobs)
    assert log == list(range(6)) and load.peak == 1


async def test_a_lowered_queue_size_drops_nothing_and_refuses_until_there_is_room() -> None:
    pool, gate = NbAioPool(1, 5), Gate()
    jobs = fill(pool, gate)
    await gate.reached(1)
    pool.max_queue_size = 2
    assert counts(pool) == {"running": 1, "queued": 5, "waiting": 0}
    (producer,) = await park(pool, gate.hold("late"))
    for started in (2, 3, 4):
        with pytest.raises(PoolFull):
            pool.submit_nowait(value())
        assert not producer.done()
        gate.release()
        await gate.reached(started)
        await turns(3)
        assert pool.queued == 6 - started
    assert pool.waiting == 1
    gate.release()
    late = await producer
    assert counts(pool) == {"running": 1, "queued": 2, "waiting": 0}
    gate.open()
    assert await asyncio.gather(*jobs, late) == [0, 1, 2, 3, 4, 5, "late"]


async def test_a_bound_can_be_put_on_a_queue_that_had_none() -> None:
    pool, gate = NbAioPool(1, 0), Gate()
    jobs = [pool.submit_nowait(gate.hold(i)) for i in range(50)]
    pool.max_queue_size = 10
    with pytest.raises(PoolFull):
        pool.submit_nowait(value())
    gate.open()
    assert await asyncio.gather(*jobs) == list(range(50))


async def test_producers_are_admitted_after_lowering_and_raising_again() -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    jobs = fill(pool, gate)
    await gate.reached(2)
    producers = await park(pool, *[value(i) for i in range(3)])
    pool.max_concurrency, pool.max_queue_size = 1, 1
    await turns(2)
    assert counts(pool) == {"running": 2, "queued": 2, "waiting": 3}
    pool.max_concurrency, pool.max_queue_size = 3, 5
    await turns(3)
    assert pool.waiting == 0 and [producer.done() for producer in producers] == [True] * 3
    gate.open()
    await asyncio.gather(*jobs)
    assert await asyncio.gather(*[await producer for producer in producers]) == [0, 1, 2]


async def test_a_job_may_resize_its_own_pool() -> None:
    pool, load = NbAioPool(1, 50), Load()

    async def grow() -> None:
        pool.max_concurrency = 6

    async def shrink() -> None:
        pool.max_concurrency = 2

    await pool.batch_run([grow()] + [load.job() for _ in range(20)])
    assert load.peak == 6
    load.peak = 0
    await pool.batch_run([shrink()])
    await pool.batch_run([load.job() for _ in range(20)])
    assert load.peak == 2


async def test_the_limit_holds_at_every_start_while_it_changes() -> None:
    pool = NbAioPool(1, 100)
    over: List[Any] = []
    inside = 0

    async def job() -> None:
        nonlocal inside
        if inside >= pool.max_concurrency:
            over.append((inside, pool.max_concurrency))
        inside += 1
        await turns(3)
        inside -= 1

    jobs = [pool.submit_nowait(job()) for _ in range(100)]
    for limit in [5, 2, 8, 1, 3, 10, 1, 4] * 3:
        pool.max_concurrency = limit
        await turns(2)
        accounting(pool)
    await asyncio.gather(*jobs)
    assert over == []


async def test_a_closed_pool_that_drains_can_be_resized() -> None:
    pool, gate = NbAioPool(1, 5), Gate()
    jobs = fill(pool, gate)
    await gate.reached(1)
    await pool.shutdown(wait=False)
    pool.max_concurrency = 6
    await gate.reached(6)
    gate.open()
    await asyncio.gather(*jobs)


@pytest.mark.parametrize(
    ("name", "bad", "error"),
    [
        ("max_concurrency", 0, ValueError),
        ("max_concurrency", -3, ValueError),
        ("max_queue_size", -1, ValueError),
        ("max_concurrency", True, TypeError),
        ("max_queue_size", False, TypeError),
        ("max_concurrency", 2.0, TypeError),
        ("max_queue_size", "7", TypeError),
        ("max_concurrency", None, TypeError),
    ],
)
async def test_a_bad_limit_is_an_error_with_the_value_and_changes_nothing(
    name: str, bad: Any, error: Any
) -> None:
    pool, gate = NbAioPool(2, 3), Gate()
    jobs: List[Any] = fill(pool, gate)
    with pytest.raises(error, match=name) as caught:
        setattr(pool, name, bad)
    assert repr(bad) in str(caught.value) or type(bad).__name__ in str(caught.value)
    assert (pool.max_concurrency, pool.max_queue_size) == (2, 3)
    gate.open()
    assert await asyncio.gather(*jobs) == list(range(5))


@pytest.mark.parametrize("name", ["max_concurrency", "max_queue_size"])
def test_a_limit_cannot_be_deleted(name: str) -> None:
    pool = NbAioPool(2, 3)
    with pytest.raises((AttributeError, TypeError)):
        delattr(pool, name)
    assert (pool.max_concurrency, pool.max_queue_size) == (2, 3)
