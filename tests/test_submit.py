"""submit and submit_nowait: what they return, waiting for room, giving up, refusing."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool, PoolError, PoolFull
from support import Gate, accounting, append, counts, fill, is_closed, park, raises, turns, value


async def test_submit_returns_an_asyncio_future_of_the_running_loop() -> None:
    pool = NbAioPool(1, 1)
    job = await pool.submit(value("result"))
    assert isinstance(job, asyncio.Future)
    assert asyncio.isfuture(job)
    assert job.get_loop() is asyncio.get_running_loop()
    assert await job == "result"
    assert job.done() and job.result() == "result"
    assert await job == "result"


async def test_submit_nowait_is_an_ordinary_call_that_returns_the_future() -> None:
    job = NbAioPool(1, 1).submit_nowait(value("result"))
    assert isinstance(job, asyncio.Future) and not job.done()
    assert await job == "result"


RESULTS = [
    None,
    0,
    (),
    (1, 2),
    StopIteration(5),
    StopIteration((1, 2)),
    ValueError("a value"),
    value,
    NbAioPool,
]


@pytest.mark.parametrize("result", RESULTS, ids=repr)
async def test_any_object_may_be_the_result(result: Any) -> None:
    pool = NbAioPool(1, 1)
    assert await (await pool.submit(value(result))) is result
    assert await pool.run(value(result)) is result
    gate = Gate()
    held = pool.submit_nowait(gate.hold(result))
    queued = asyncio.ensure_future(pool.run(value(result)))
    await gate.reached(1)
    gate.open()
    assert await held is result
    assert await queued is result


async def test_the_exception_of_the_job_is_the_exception_of_the_future() -> None:
    pool, error = NbAioPool(1, 1), LookupError("mine")
    job = await pool.submit(raises(error))
    with pytest.raises(LookupError) as caught:
        await job
    assert caught.value is error and job.exception() is error


async def test_submit_waits_as_long_as_the_pool_is_full() -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    jobs = fill(pool, gate)
    (producer,) = await park(pool, value("late"))
    await turns(20)
    assert not producer.done() and counts(pool) == {"running": 2, "queued": 2, "waiting": 1}
    gate.release()
    job = await producer
    assert counts(pool) == {"running": 2, "queued": 2, "waiting": 0}
    gate.open()
    assert await job == "late"
    await asyncio.gather(*jobs)


async def test_the_calls_work_as_tasks_in_gather_and_in_wait_for() -> None:
    pool = NbAioPool(1, 1)
    jobs = [
        await asyncio.get_running_loop().create_task(pool.submit(value(1))),
        *await asyncio.gather(pool.submit(value(2)), pool.submit(value(3))),
        await asyncio.wait_for(pool.submit(value(4)), 10),
    ]
    assert await asyncio.gather(*jobs) == [1, 2, 3, 4]


async def test_all_arguments_can_be_given_by_name() -> None:
    pool, future = NbAioPool(1, 1), asyncio.get_running_loop().create_future()
    assert await pool.submit(coro=value(1), block=True, future=future) is future
    assert await future == 1
    assert await pool.run(coro=value(2), block=False, future=None) == 2
    assert await pool.submit_nowait(coro=value(3)) == 3


async def test_a_cancelled_producer_has_submitted_nothing_and_closes_its_coroutine() -> None:
    pool, gate, coro = NbAioPool(1, 1), Gate(), value()
    jobs = fill(pool, gate)
    (producer,) = await park(pool, coro)
    producer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await producer
    assert is_closed(coro)
    assert counts(pool) == {"running": 1, "queued": 1, "waiting": 0}
    gate.open()
    await asyncio.gather(*jobs)
    assert accounting(pool).submitted == 2


@pytest.mark.parametrize("victim", [0, 1, 2, 3])
async def test_a_cancelled_producer_costs_the_others_nothing(victim: int) -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    log: List[Any] = []
    jobs = fill(pool, gate)
    producers = await park(pool, *[append(log, i) for i in range(4)])
    producers[victim].cancel()
    gate.open()
    done = await asyncio.gather(*producers, return_exceptions=True)
    assert isinstance(done[victim], asyncio.CancelledError)
    rest = [i for i in range(4) if i != victim]
    assert await asyncio.gather(*[done[i] for i in rest]) == rest
    await asyncio.gather(*jobs)
    assert log == rest
    assert accounting(pool).submitted == 5


async def test_a_producer_cancelled_in_the_moment_it_is_admitted_has_submitted_nothing() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    log: List[Any] = []
    running, queued = fill(pool, gate)
    coro = append(log, "cancelled")
    first, second = await park(pool, coro, append(log, "next"))
    queued.cancel()  # makes room for the first in line ...
    first.cancel()  # ... who gives up before it could take another step
    with pytest.raises(asyncio.CancelledError):
        await first
    assert is_closed(coro)
    job = await second
    gate.open()
    assert await job == "next"
    await running
    assert log == ["next"]
    stats = accounting(pool)
    assert (stats.submitted, stats.succeeded, stats.cancelled) == (3, 2, 1)


async def test_a_producer_cancelled_just_after_a_job_ended_has_submitted_nothing() -> None:
    # The same, for each number of turns that may lie between the end of a job and the cancellation.
    for delay in range(6):
        pool, gate = NbAioPool(1, 1), Gate()
        log: List[Any] = []
        jobs = fill(pool, gate)
        first, second = await park(pool, append(log, "first"), append(log, "second"))
        gate.release()
        await turns(delay)
        was_submitted = first.done()
        first.cancel()
        gate.open()
        done = await asyncio.gather(first, second, return_exceptions=True)
        await asyncio.gather(*jobs)
        await pool.join()
        if was_submitted:
            assert log == ["first", "second"]
        else:
            assert isinstance(done[0], asyncio.CancelledError)
            assert log == ["second"]
        assert accounting(pool).submitted == 2 + len(log)


async def test_all_producers_may_give_up_at_once() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    coros = [value(i) for i in range(20)]
    producers = await park(pool, *coros)
    gate.release()
    for producer in producers:
        producer.cancel()
    await asyncio.gather(*producers, return_exceptions=True)
    assert all(producer.cancelled() for producer in producers)
    assert all(is_closed(coro) for coro in coros)
    gate.open()
    await asyncio.gather(*jobs)
    assert accounting(pool).submitted == 2 and pool.waiting == 0
    assert await pool.run(value("usable")) == "usable"


async def test_a_producer_that_gives_up_in_wait_for_leaves_its_place_to_the_next() -> None:
    pool, gate, coro = NbAioPool(1, 1), Gate(), value()
    jobs = fill(pool, gate)
    slow = asyncio.ensure_future(asyncio.wait_for(pool.submit(coro), 3600))
    await turns(2)
    (patient,) = await park(pool, value("patient"))
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert is_closed(coro) and pool.waiting == 1
    gate.open()
    assert await (await patient) == "patient"
    await asyncio.gather(*jobs)


@pytest.mark.parametrize("nowait", [True, False], ids=["submit_nowait", "block=False"])
async def test_a_full_pool_refuses_who_does_not_want_to_wait(nowait: bool) -> None:
    pool, gate, coro = NbAioPool(2, 3), Gate(), value()
    jobs = fill(pool, gate)
    with pytest.raises(PoolFull) as caught:
        pool.submit_nowait(coro) if nowait else await pool.submit(coro, block=False)
    assert isinstance(caught.value, PoolError)
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, asyncio.QueueFull)
    assert "3" in str(caught.value) and "full" in str(caught.value).lower()
    assert is_closed(coro)
    assert accounting(pool).submitted == 5
    gate.open()
    await asyncio.gather(*jobs)
    assert await pool.submit_nowait(value("usable")) == "usable"


async def test_without_blocking_a_pool_that_has_room_accepts() -> None:
    pool = NbAioPool(1, 1)
    assert await (await pool.submit(value("result"), block=False)) == "result"


async def test_a_job_whose_future_is_dropped_runs_nevertheless() -> None:
    pool, gate = NbAioPool(1, 2), Gate()
    log: List[Any] = []
    pool.submit_nowait(gate.hold())
    pool.submit_nowait(append(log, "ran"))
    await gate.reached(1)
    gc.collect()
    gate.open()
    await pool.join()
    assert log == ["ran"]


async def test_a_pool_that_is_dropped_finishes_its_jobs() -> None:
    gate = Gate()
    log: List[Any] = []
    pool = NbAioPool(1, 5)
    held = pool.submit_nowait(gate.hold("held"))
    last = pool.submit_nowait(append(log, "last"))
    (producer,) = [asyncio.ensure_future(pool.submit(append(log, "waited")))]
    await gate.reached(1)
    del pool
    gc.collect()
    gate.open()
    assert await held == "held"
    assert await last == "last"
    assert await (await producer) == "waited"
    assert log == ["last", "waited"]
