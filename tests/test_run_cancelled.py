"""run: cancelling the caller cancels the job, and the caller goes on only after the job has ended."""

from __future__ import annotations

import asyncio
from typing import Any, List, Tuple

import pytest

from nb_aiopool import NbAioPool
from support import Gate, accounting, append, counts, fill, is_closed, park, turns, value

# A job of run starts at once inside of its caller, or later out of the queue: nobody may notice a difference.
both_ways = pytest.mark.parametrize("busy", [False, True], ids=["at once", "from the queue"])


async def started(pool: NbAioPool, busy: bool, inside: Gate, job: Any) -> Tuple[Any, List[Any]]:
    """A task that calls ``pool.run(job)``, once the job has arrived at the gate ``inside``."""
    ahead, gate = [], Gate()
    if busy:
        ahead.append(pool.submit_nowait(gate.hold()))
    caller = asyncio.ensure_future(pool.run(job))
    await turns()
    assert pool.queued == (1 if busy else 0)
    gate.open()
    await inside.reached(1)
    return caller, ahead


@both_ways
async def test_the_caller_is_not_resumed_before_the_cleanup_of_the_job_has_ended(busy: bool) -> None:
    pool, inside, cleaning = NbAioPool(1, 1), Gate(), Gate()
    log: List[Any] = []

    async def job() -> None:
        try:
            await inside.wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            await cleaning.wait()
            log.append("cleaned up")
            raise

    caller, ahead = await started(pool, busy, inside, job())
    caller.add_done_callback(lambda _: log.append("caller done"))
    caller.cancel()
    await cleaning.reached(1)
    await turns(5)
    assert log == ["cancelled"] and not caller.done()
    assert counts(pool) == {"running": 1, "queued": 0, "waiting": 0}
    cleaning.open()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await turns()
    assert log == ["cancelled", "cleaned up", "caller done"]
    assert accounting(pool).cancelled == 1
    await asyncio.gather(*ahead)


@both_ways
async def test_a_job_that_refuses_to_be_cancelled_gives_its_result_to_the_caller(busy: bool) -> None:
    pool, inside = NbAioPool(1, 1), Gate()

    async def job() -> str:
        try:
            await inside.wait()
        except asyncio.CancelledError:
            await turns(2)
        return "went on"

    caller, ahead = await started(pool, busy, inside, job())
    caller.cancel()
    assert await caller == "went on"
    assert (accounting(pool).succeeded, accounting(pool).cancelled) == (1 + len(ahead), 0)


@both_ways
async def test_a_job_that_answers_a_cancellation_with_an_error_raises_it_in_the_caller(busy: bool) -> None:
    pool, inside = NbAioPool(1, 1), Gate()

    async def job() -> None:
        try:
            await inside.wait()
        except asyncio.CancelledError:
            raise LookupError("cleanup failed") from None

    caller, _ = await started(pool, busy, inside, job())
    caller.cancel()
    with pytest.raises(LookupError, match="cleanup failed"):
        await caller
    assert (accounting(pool).failed, accounting(pool).cancelled) == (1, 0)


@both_ways
async def test_a_second_cancellation_reaches_the_cleanup_of_the_job(busy: bool) -> None:
    pool, inside, cleaning = NbAioPool(1, 1), Gate(), Gate()
    log: List[Any] = []

    async def job() -> None:
        try:
            await inside.wait()
        finally:
            try:
                await cleaning.wait()
            finally:
                log.append("cleanup interrupted")
                await turns(3)
                log.append("job ended")

    caller, _ = await started(pool, busy, inside, job())
    caller.cancel()
    await cleaning.reached(1)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert log == ["cleanup interrupted", "job ended"]
    assert counts(pool) == {"running": 0, "queued": 0, "waiting": 0}


async def test_cancelled_in_the_queue_the_job_never_starts() -> None:
    pool, gate = NbAioPool(1, 2), Gate()
    log: List[Any] = []
    job, coro = pool.submit_nowait(gate.hold()), append(log, "ran")
    caller = asyncio.ensure_future(pool.run(coro))
    await gate.reached(1)
    assert pool.queued == 1
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert is_closed(coro) and log == []
    assert counts(pool) == {"running": 1, "queued": 0, "waiting": 0}
    gate.open()
    await job
    assert (accounting(pool).submitted, accounting(pool).cancelled) == (2, 1)


async def test_cancelled_while_it_waits_for_room_nothing_was_submitted() -> None:
    pool, gate, coro = NbAioPool(1, 1), Gate(), value()
    jobs = fill(pool, gate)
    caller = asyncio.ensure_future(pool.run(coro))
    await turns()
    (patient,) = await park(pool, value("patient"))
    assert pool.waiting == 2
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert is_closed(coro) and pool.waiting == 1
    gate.open()
    assert await (await patient) == "patient"
    await asyncio.gather(*jobs)
    assert accounting(pool).submitted == 3


async def test_cancelled_at_any_moment_around_its_start_the_job_runs_wholly_or_not_at_all() -> None:
    for delay in range(8):
        pool, gate = NbAioPool(1, 1), Gate()
        log: List[Any] = []

        async def job(log: List[str]) -> None:
            log.append("began")
            try:
                await turns(3)
            finally:
                log.append("ended")

        jobs, coro = fill(pool, gate), job(log)
        caller = asyncio.ensure_future(pool.run(coro))
        await turns()
        gate.open()
        await turns(delay)
        caller.cancel()
        await asyncio.wait([caller])
        assert log in ([], ["began", "ended"]) and is_closed(coro)
        await asyncio.gather(*jobs)
        assert counts(pool) == {"running": 0, "queued": 0, "waiting": 0}


async def test_a_timeout_around_run_ends_after_the_cleanup() -> None:
    pool = NbAioPool(1, 1)
    log: List[Any] = []

    async def job() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await turns(3)
            log.append("cleaned up")

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(pool.run(job()), 0.01)
    assert log == ["cleaned up"]
    assert await pool.run(value("usable")) == "usable"


@both_ways
async def test_a_job_that_cancels_itself_cancels_the_call_and_not_the_caller(busy: bool) -> None:
    pool, inside = NbAioPool(1, 1), Gate()

    async def job() -> None:
        await inside.wait()
        raise asyncio.CancelledError("by itself")

    async def caller() -> str:
        with pytest.raises(asyncio.CancelledError):
            await pool.run(job())
        await turns()
        return "went on"

    ahead = [pool.submit_nowait(turns(2))] if busy else []
    task = asyncio.ensure_future(caller())
    await inside.reached(1)
    inside.open()
    assert await task == "went on"
    await asyncio.gather(*ahead)
    assert accounting(pool).cancelled == 1


async def test_cancelling_one_of_several_runs_leaves_the_others_alone() -> None:
    pool, gate = NbAioPool(3, 3), Gate()
    callers = [asyncio.ensure_future(pool.run(gate.hold(i))) for i in range(6)]
    await gate.reached(3)
    for i in (1, 4):
        callers[i].cancel()
    gate.open()
    done = await asyncio.gather(*callers, return_exceptions=True)
    assert [i for i, result in enumerate(done) if isinstance(result, asyncio.CancelledError)] == [1, 4]
    assert [done[i] for i in (0, 2, 3, 5)] == [0, 2, 3, 5]
