"""Futures: cancelling one drops or interrupts its own job, and touches no other."""

from __future__ import annotations

import asyncio

import pytest

from nb_aiopool import NbAioPool
from support import Gate, accounting, append, counts, fill, is_closed, outcome, turns, value


async def test_cancelling_a_queued_job_drops_it_at_once() -> None:
    pool, gate, log = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]
    held, coro = pool.submit_nowait(gate.hold()), append(log, "ran")
    job = pool.submit_nowait(coro)
    assert counts(pool) == {"running": 1, "queued": 1, "waiting": 0}
    assert job.cancel() is True
    assert job.done() and job.cancelled() and is_closed(coro)
    assert counts(pool) == {"running": 1, "queued": 0, "waiting": 0}
    assert job.cancel() is False
    replacement = pool.submit_nowait(value("in its place"))
    gate.open()
    assert await replacement == "in its place"
    await held
    with pytest.raises(asyncio.CancelledError):
        await job
    assert log == []


async def test_cancelling_an_accepted_job_before_its_first_step_keeps_it_from_starting() -> None:
    pool, log = NbAioPool(2, 1), []  # type: ignore[var-annotated]
    coro = append(log, "ran")
    job, other = pool.submit_nowait(coro), pool.submit_nowait(value("other"))
    assert job.cancel() is True
    assert await other == "other"
    with pytest.raises(asyncio.CancelledError):
        await job
    assert is_closed(coro) and log == [] and accounting(pool) == (2, 1, 0, 1, 0, 0)


@pytest.mark.parametrize("victim", [0, 1, 2, 3, 4])
async def test_a_job_dropped_from_the_queue_leaves_the_order_of_the_others(victim: int) -> None:
    pool, gate, log = NbAioPool(1, 5), Gate(), []  # type: ignore[var-annotated]
    pool.submit_nowait(gate.hold())
    queued = [pool.submit_nowait(append(log, i)) for i in range(5)]
    queued[victim].cancel()
    gate.open()
    await pool.join()
    assert log == [i for i in range(5) if i != victim]


async def test_the_callbacks_and_waiters_of_a_dropped_job_are_told() -> None:
    pool, gate, log = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]
    held, job = fill(pool, gate)
    job.add_done_callback(lambda done: log.append(done.cancelled()))
    waiting = asyncio.gather(job, return_exceptions=True)
    job.cancel()
    assert log == []
    (error,) = await waiting
    assert isinstance(error, asyncio.CancelledError) and log == [True]
    gate.open()
    await held


async def test_cancelling_a_running_job_raises_cancelled_error_at_its_await() -> None:
    pool, gate, log = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]

    async def work() -> None:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            await turns(2)
            log.append("cleaned up")
            raise

    job = pool.submit_nowait(work())
    await gate.reached(1)
    assert job.cancel() is True
    assert log == [] and not job.done()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert log == ["cancelled", "cleaned up"] and job.cancelled()
    assert accounting(pool) == (1, 0, 0, 1, 0, 0)


async def test_a_job_may_suppress_its_cancellation_and_return() -> None:
    pool, gate = NbAioPool(1, 1), Gate()

    async def work() -> str:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            return "suppressed"
        return "not cancelled"

    job = pool.submit_nowait(work())
    await gate.reached(1)
    job.cancel()
    assert await job == "suppressed"
    assert not job.cancelled() and accounting(pool) == (1, 1, 0, 0, 0, 0)


async def test_a_job_may_answer_its_cancellation_with_another_exception() -> None:
    pool, gate, error = NbAioPool(1, 1), Gate(), LookupError("instead")

    async def work() -> None:
        try:
            await gate.wait()
        finally:
            raise error

    job = pool.submit_nowait(work())
    await gate.reached(1)
    job.cancel()
    with pytest.raises(LookupError) as caught:
        await job
    assert caught.value is error and isinstance(error.__context__, asyncio.CancelledError)
    assert accounting(pool) == (1, 0, 1, 0, 0, 0)


async def test_cancelling_a_finished_job_does_nothing() -> None:
    job = NbAioPool(1, 1).submit_nowait(value("result"))
    await job
    assert job.cancel() is False
    assert outcome(job) == ("result", "result")


@pytest.mark.parametrize("victim", range(4))
async def test_cancelling_one_job_touches_no_other(victim: int) -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    jobs = fill(pool, gate)
    await gate.reached(2)
    jobs[victim].cancel()
    await turns(3)
    gate.open()
    done = await asyncio.gather(*jobs, return_exceptions=True)
    assert isinstance(done[victim], asyncio.CancelledError)
    assert [done[i] for i in range(4) if i != victim] == [i for i in range(4) if i != victim]


async def test_a_late_cancellation_does_not_reach_the_next_job_in_the_slot() -> None:
    for delay in range(5):
        pool, first_gate, second_gate = NbAioPool(1, 1), Gate(), Gate()
        first, second = pool.submit_nowait(first_gate.hold(1)), pool.submit_nowait(second_gate.hold(2))
        await first_gate.reached(1)
        first_gate.open()
        await turns(delay)
        first.cancel()
        await second_gate.reached(1)
        second_gate.open()
        assert await second == 2
        assert second.cancelling() == 0  # type: ignore[attr-defined]
        await asyncio.wait([first])
        assert accounting(pool).succeeded == 1 + (not first.cancelled())


async def test_an_awaiting_tasks_cancellation_is_passed_on_to_the_job() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    job = pool.submit_nowait(gate.hold())

    async def wait() -> None:
        await job

    task = asyncio.ensure_future(wait())
    await gate.reached(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert job.cancelled()
