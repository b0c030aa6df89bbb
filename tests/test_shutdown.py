"""shutdown: no new work, what was accepted ends, and whoever waits is told."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool, PoolStopped
from support import Gate, accounting, append, counts, fill, is_closed, park, raises, turns, value

IDLE = {"running": 0, "queued": 0, "waiting": 0}


async def begin_shutdown(pool: NbAioPool, **options: Any) -> Any:
    """A task in which the pool is being shut down."""
    task = asyncio.ensure_future(pool.shutdown(**options))
    await turns(2)
    assert pool.closed
    return task


async def test_an_unused_pool_is_shut_down_at_once() -> None:
    pool = NbAioPool(1, 1)
    assert not pool.closed
    assert await pool.shutdown() is None  # type: ignore[func-returns-value]
    assert pool.closed and counts(pool) == IDLE


async def test_shutdown_returns_when_all_accepted_jobs_have_ended() -> None:
    pool, gate = NbAioPool(2, 3), Gate()
    jobs = fill(pool, gate)
    shutdown = await begin_shutdown(pool)
    await gate.reached(2)
    gate.release(2)
    await gate.reached(4)
    gate.release(2)
    await gate.reached(5)
    await turns(3)
    assert not shutdown.done()
    gate.open()
    await shutdown
    assert all(job.done() for job in jobs) and counts(pool) == IDLE
    assert await asyncio.gather(*jobs) == [0, 1, 2, 3, 4]


async def test_shutdown_does_not_return_before_the_last_cleanup() -> None:
    pool, gate, log = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]

    async def work() -> None:
        try:
            await gate.wait()
        finally:
            await turns(5)
            log.append("cleaned up")

    job = pool.submit_nowait(work())
    await gate.reached(1)
    job.cancel()
    await pool.shutdown()
    assert log == ["cleaned up"] and job.cancelled()


async def test_closed_is_true_from_the_call_on() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    job = pool.submit_nowait(gate.hold())
    call = pool.shutdown()
    assert not pool.closed
    step = call.send(None)  # the first step of the call, by hand
    assert pool.closed and step is not None
    call.close()
    gate.open()
    await job
    assert pool.closed


async def test_new_work_is_refused_and_closed() -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    job = pool.submit_nowait(gate.hold("accepted"))
    await pool.shutdown(wait=False)
    coros = [value(i) for i in range(8)]
    for refused in (
        lambda: pool.submit(coros[0]),
        lambda: pool.submit(coros[1], block=False),
        lambda: pool.run(coros[2]),
        lambda: pool.batch_submit([coros[3]]),
        lambda: pool.batch_submit([coros[4]], block=False),
        lambda: pool.batch_run([coros[5], coros[6]]),
    ):
        with pytest.raises(PoolStopped):
            await refused()
    with pytest.raises(PoolStopped):
        pool.submit_nowait(coros[7])
    assert all(is_closed(coro) for coro in coros)
    gate.open()
    assert await job == "accepted"
    assert accounting(pool).submitted == 1


async def test_producers_already_waiting_are_admitted_in_order() -> None:
    pool, gate, log = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]
    jobs = fill(pool, gate)
    producers = await park(pool, *[append(log, i) for i in range(3)])
    caller = asyncio.ensure_future(pool.run(append(log, "run")))
    await turns()
    assert pool.waiting == 4
    shutdown = await begin_shutdown(pool)
    with pytest.raises(PoolStopped):
        await pool.submit(value())
    gate.open()
    await shutdown
    assert log == [0, 1, 2, "run"]
    assert await asyncio.gather(*[await producer for producer in producers]) == [0, 1, 2]
    assert await caller == "run"
    assert await asyncio.gather(*jobs) == [0, 1]
    assert accounting(pool) == (6, 6, 0, 0, 0, 0)


async def test_shutdown_waits_for_producers_whose_place_has_come_free() -> None:
    pool, gate, log = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]
    held, queued = fill(pool, gate)
    (producer,) = await park(pool, append(log, "admitted"))
    queued.cancel()
    held.cancel()
    await pool.shutdown()
    assert log == ["admitted"]
    assert await (await producer) == "admitted"


async def test_a_job_may_submit_to_its_pool_while_it_drains() -> None:
    pool, gate, log = NbAioPool(5, 10), Gate(), []  # type: ignore[var-annotated]

    async def child(i: int) -> int:
        log.append(i)
        if i < 3:
            await (await pool.submit(child(i + 1)))
        return i

    async def work() -> Any:
        await gate.wait()
        assert pool.closed
        futures = [
            await pool.submit(child(3)),
            pool.submit_nowait(child(3)),
            *await pool.batch_submit([child(2)]),
        ]
        return [*await asyncio.gather(*futures), await pool.run(child(3)), *await pool.batch_run([child(3)])]

    job = pool.submit_nowait(work())
    await gate.reached(1)
    shutdown = await begin_shutdown(pool)
    gate.open()
    await shutdown
    assert await job == [3, 3, 2, 3, 3]
    assert sorted(log) == [2, 3, 3, 3, 3, 3]
    assert accounting(pool) == (7, 7, 0, 0, 0, 0)
    with pytest.raises(PoolStopped):
        pool.submit_nowait(value())


async def test_a_job_of_run_may_submit_to_its_pool_while_it_drains() -> None:
    pool, gate = NbAioPool(2, 2), Gate()

    async def work() -> Any:
        await gate.wait()
        return await (await pool.submit(value("child")))

    caller = asyncio.ensure_future(pool.run(work()))
    await gate.reached(1)
    shutdown = await begin_shutdown(pool)
    gate.open()
    assert await caller == "child"
    await shutdown


async def test_a_callback_of_a_job_is_not_the_job() -> None:
    pool, refused = NbAioPool(1, 1), []  # type: ignore[var-annotated]

    def callback(job: Any) -> None:
        with pytest.raises(PoolStopped):
            pool.submit_nowait(value())
        refused.append(job)

    job = pool.submit_nowait(turns(2))
    job.add_done_callback(callback)
    await pool.shutdown()
    await turns()
    assert refused == [job]


async def test_without_waiting_it_returns_at_once_and_the_jobs_go_on() -> None:
    pool, gate, log = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]
    jobs = fill(pool, gate)
    (producer,) = await park(pool, append(log, "waited"))
    call = pool.shutdown(wait=False)
    with pytest.raises(StopIteration):
        call.send(None)  # it does not suspend
    assert pool.closed and counts(pool) == {"running": 1, "queued": 1, "waiting": 1}
    gate.open()
    assert await asyncio.gather(*jobs) == [0, 1]
    assert await (await producer) == "waited"


async def test_cancel_drops_what_is_queued_refuses_producers_and_cancels_what_runs() -> None:
    pool, gate, log = NbAioPool(1, 2), Gate(), []  # type: ignore[var-annotated]

    async def work() -> None:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            await turns(3)
            log.append("cleaned up")
            raise

    running = pool.submit_nowait(work())
    queued = [append(log, "queued") for _ in range(2)]
    dropped = [pool.submit_nowait(coro) for coro in queued]
    await gate.reached(1)
    refused = [append(log, "refused") for _ in range(3)]
    producers = await park(pool, *refused[:2])
    caller = asyncio.ensure_future(pool.run(refused[2]))
    await turns()
    await pool.shutdown(cancel=True)
    assert log == ["cleaned up"] and running.cancelled()
    assert all(job.cancelled() for job in dropped)
    assert all(is_closed(coro) for coro in [*queued, *refused])
    for waiting in [*producers, caller]:
        with pytest.raises(PoolStopped):
            await waiting
    assert counts(pool) == IDLE and accounting(pool) == (3, 0, 0, 3, 0, 0)


async def test_cancel_waits_for_a_job_that_refuses_to_be_cancelled() -> None:
    pool, gate, second = NbAioPool(1, 1), Gate(), Gate()

    async def work() -> Any:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            return await second.hold("stayed")

    job = pool.submit_nowait(work())
    await gate.reached(1)
    shutdown = await begin_shutdown(pool, cancel=True)
    await second.reached(1)
    await turns(3)
    assert not shutdown.done()
    second.open()
    await shutdown
    assert await job == "stayed"


async def test_cancel_reaches_a_job_of_run_and_its_caller() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    caller = asyncio.ensure_future(pool.run(gate.hold()))
    queued = asyncio.ensure_future(pool.run(value()))
    await gate.reached(1)
    await turns()
    await pool.shutdown(cancel=True)
    for task in (caller, queued):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert accounting(pool) == (2, 0, 0, 2, 0, 0)


async def test_cancel_keeps_accepted_jobs_from_starting_that_had_no_step_yet() -> None:
    pool, log = NbAioPool(3, 3), []  # type: ignore[var-annotated]
    jobs = [pool.submit_nowait(append(log, i)) for i in range(6)]
    await pool.shutdown(cancel=True)
    assert log == [] and all(job.cancelled() for job in jobs)


async def test_cancel_without_waiting_returns_at_once_and_the_cleanup_goes_on() -> None:
    pool, gate, log = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]

    async def work() -> None:
        try:
            await gate.wait()
        finally:
            await turns(2)
            log.append("cleaned up")

    job = pool.submit_nowait(work())
    await gate.reached(1)
    await pool.shutdown(wait=False, cancel=True)
    assert log == [] and pool.running == 1
    await pool.join()
    assert log == ["cleaned up"] and job.cancelled()


async def test_a_job_submitted_by_a_cleanup_runs() -> None:
    pool, gate = NbAioPool(2, 2), Gate()

    async def work() -> Any:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            return await (await pool.submit(value("submitted late")))

    job = pool.submit_nowait(work())
    await gate.reached(1)
    await pool.shutdown(cancel=True)
    assert await job == "submitted late"
    assert counts(pool) == IDLE


async def test_shutdown_does_not_raise_what_jobs_raise() -> None:
    pool, error = NbAioPool(1, 2), LookupError("a job's own")
    job = pool.submit_nowait(raises(error))
    await pool.shutdown()
    assert job.exception() is error


async def test_a_stopped_pool_stays_stopped() -> None:
    pool = NbAioPool(1, 1)
    await pool.shutdown()
    pool.max_concurrency = 5
    await pool.join()
    await pool.shutdown()
    assert pool.closed
    with pytest.raises(PoolStopped):
        await pool.submit(value())


def test_a_stopped_pool_stays_stopped_in_another_loop(run_loop: Callable[[Any], Any]) -> None:
    pool = NbAioPool(1, 1)
    run_loop(pool.shutdown())

    async def use() -> None:
        with pytest.raises(PoolStopped):
            await pool.submit(value())
        await pool.shutdown()

    run_loop(use())
    assert pool.closed


async def test_a_batch_that_waits_is_told_when_its_next_job_is_refused() -> None:
    pool, gate, log = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]
    jobs: List[Any] = fill(pool, gate)
    coros = [append(log, i) for i in range(3)]
    batch = asyncio.ensure_future(pool.batch_submit(coros))
    await turns()
    assert pool.waiting == 1
    shutdown = await begin_shutdown(pool)
    gate.open()
    await shutdown
    with pytest.raises(PoolStopped):
        await batch
    assert log == [0] and all(is_closed(coro) for coro in coros)
    assert await asyncio.gather(*jobs) == [0, 1]
