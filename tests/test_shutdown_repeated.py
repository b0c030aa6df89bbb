"""shutdown with a time limit, called again, by several tasks, from inside, and abandoned."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nb_aiopool import NbAioPool, PoolStopped
from support import Gate, accounting, counts, fill, is_closed, park, turns, value


async def test_a_timeout_that_is_not_reached_changes_nothing() -> None:
    for timeout in (3600, 3600.5, float("inf"), None):
        pool, gate = NbAioPool(1, 1), Gate()
        jobs = fill(pool, gate)
        shutdown = asyncio.ensure_future(pool.shutdown(timeout=timeout))
        await gate.reached(1)
        gate.open()
        await shutdown
        assert await asyncio.gather(*jobs) == [0, 1]


@pytest.mark.parametrize("timeout", [0, 0.0, 0.01])
async def test_after_the_timeout_the_jobs_are_cancelled(timeout: float) -> None:
    pool, gate, log = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]

    async def work() -> None:
        try:
            await gate.wait()
        finally:
            await turns(2)
            log.append("cleaned up")

    coro, refused = value(), value()
    running, queued = pool.submit_nowait(work()), pool.submit_nowait(coro)
    await gate.reached(1)
    (producer,) = await park(pool, refused)
    await pool.shutdown(timeout=timeout)
    assert log == ["cleaned up"] and running.cancelled() and queued.cancelled()
    assert is_closed(coro) and is_closed(refused)
    with pytest.raises(PoolStopped):
        await producer
    assert accounting(pool) == (2, 0, 0, 2, 0, 0)


async def test_the_timeout_works_also_when_nobody_waits() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    await gate.reached(1)
    await pool.shutdown(wait=False, timeout=0.01)
    assert pool.running == 1
    await asyncio.wait(jobs)
    assert all(job.cancelled() for job in jobs)


async def test_the_timeout_of_an_idle_pool_is_no_matter() -> None:
    pool = NbAioPool(1, 1)
    await pool.shutdown(timeout=0)
    await pool.shutdown(timeout=3600)
    assert pool.closed


async def test_the_timeout_of_an_abandoned_shutdown_is_abandoned_with_it() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    await gate.reached(1)
    call = pool.shutdown(timeout=0.02)
    call.send(None)  # by hand: no timer goes off before the call is abandoned
    with pytest.raises(asyncio.CancelledError):
        call.throw(asyncio.CancelledError())
    await asyncio.sleep(0.05)
    assert not any(job.done() for job in jobs)
    gate.open()
    assert await asyncio.gather(*jobs) == [0, 1]


async def test_any_number_of_tasks_may_shut_a_pool_down() -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    jobs = fill(pool, gate)
    calls = [asyncio.ensure_future(pool.shutdown()) for _ in range(5)]
    joins = [asyncio.ensure_future(pool.join()) for _ in range(2)]
    await gate.reached(2)
    assert not any(call.done() for call in calls)
    gate.open()
    await asyncio.gather(*calls, *joins)
    assert await asyncio.gather(*jobs) == [0, 1, 2, 3]
    await pool.shutdown()


async def test_a_second_call_may_be_more_impatient() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    patient = asyncio.ensure_future(pool.shutdown())
    await gate.reached(1)
    await pool.shutdown(wait=False)
    assert not patient.done() and pool.running == 1
    await pool.shutdown(cancel=True)
    await patient
    assert all(job.cancelled() for job in jobs)


async def test_of_two_timeouts_the_shorter_one_counts() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    long, short = (asyncio.ensure_future(pool.shutdown(timeout=timeout)) for timeout in (3600, 0.01))
    await asyncio.gather(long, short)
    assert all(job.cancelled() for job in jobs)


async def test_cancelling_a_shutdown_that_waits_abandons_the_wait_and_not_the_jobs() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    abandoned, other = asyncio.ensure_future(pool.shutdown()), asyncio.ensure_future(pool.shutdown())
    await gate.reached(1)
    abandoned.cancel()
    with pytest.raises(asyncio.CancelledError):
        await abandoned
    await turns(3)
    assert pool.closed and not other.done()
    assert counts(pool) == {"running": 1, "queued": 1, "waiting": 0}
    gate.open()
    await other
    assert await asyncio.gather(*jobs) == [0, 1]


async def test_a_wait_for_around_shutdown_abandons_the_wait_and_not_the_jobs() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(pool.shutdown(), 0.01)
    assert not any(job.done() for job in jobs)
    gate.open()
    await pool.shutdown()
    assert await asyncio.gather(*jobs) == [0, 1]


@pytest.mark.parametrize("options", [{}, {"cancel": True}, {"timeout": 0}], ids=str)
@pytest.mark.parametrize("name", ["submit", "run"])
async def test_waiting_inside_a_job_is_an_error_and_changes_nothing(name: str, options: Any) -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    other = pool.submit_nowait(gate.hold("undisturbed"))

    async def work() -> str:
        await turns()
        with pytest.raises(RuntimeError, match="shutdown") as caught:
            await pool.shutdown(**options)
        assert not isinstance(caught.value, PoolStopped)
        assert not pool.closed
        await turns(2)
        return "went on"

    result: Any = await getattr(pool, name)(work())
    assert (await result if name == "submit" else result) == "went on"
    assert not pool.closed
    gate.open()
    assert await other == "undisturbed"
    assert await pool.run(value("usable")) == "usable"


async def test_waiting_in_a_coroutine_that_a_job_awaits_is_the_same_error() -> None:
    pool = NbAioPool(1, 1)

    async def helper() -> None:
        await turns()
        await pool.shutdown()

    async def work() -> None:
        await helper()

    with pytest.raises(RuntimeError, match="shutdown"):
        await pool.submit_nowait(work())
    assert not pool.closed


@pytest.mark.parametrize("call", ["shutdown", "join"])
@pytest.mark.parametrize("name", ["submit", "run"])
async def test_a_task_that_a_job_has_started_may_wait_for_the_pool(name: str, call: str) -> None:
    pool = NbAioPool(2, 2)

    async def work() -> Any:
        task = asyncio.get_running_loop().create_task(
            getattr(pool, call)()
        )  # eager tasks begin within this step
        await turns(2)
        assert not task.done()
        return task

    got: Any = await getattr(pool, name)(work())
    task = await got if name == "submit" else got
    await task
    assert counts(pool) == {"running": 0, "queued": 0, "waiting": 0}


async def test_without_waiting_a_job_may_shut_its_own_pool_down() -> None:
    pool = NbAioPool(1, 2)

    async def work() -> str:
        await pool.shutdown(wait=False)
        assert pool.closed
        await turns(2)
        return "went on"

    job, follower = pool.submit_nowait(work()), pool.submit_nowait(value("follower"))
    assert await job == "went on"
    assert await follower == "follower"
    with pytest.raises(PoolStopped):
        pool.submit_nowait(value())


async def test_without_waiting_a_job_may_cancel_its_own_pool() -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    others = [pool.submit_nowait(gate.hold()) for _ in range(1)]

    async def work() -> None:
        await pool.shutdown(wait=False, cancel=True)
        await turns(2)

    job = pool.submit_nowait(work())
    await asyncio.wait([job, *others])
    assert job.cancelled() and others[0].cancelled()


async def test_a_job_may_shut_another_pool_down() -> None:
    pool, other, gate = NbAioPool(1, 1), NbAioPool(1, 1), Gate()
    held = other.submit_nowait(gate.hold("held"))

    async def work() -> Any:
        await other.shutdown()
        return held.result()

    job = pool.submit_nowait(work())
    await gate.reached(1)
    await turns(2)
    gate.open()
    assert await job == "held"
    assert other.closed and not pool.closed


async def test_a_pool_can_be_dropped_while_it_drains() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    await pool.shutdown(wait=False)
    del pool
    await gate.reached(1)
    gate.open()
    assert await asyncio.gather(*jobs) == [0, 1]


async def test_a_repr_of_a_subclass_is_not_asked_for_by_a_submit() -> None:
    class Unspeakable(NbAioPool):
        def __repr__(self) -> str:
            raise LookupError("not now")

    pool = Unspeakable(1, 1)
    assert await (await pool.submit(value(1))) == 1
    assert await pool.run(value(2)) == 2


async def test_to_cancel_everything_while_everything_is_being_cancelled_is_done_once() -> None:
    pool, calls = NbAioPool(3, 3), []

    class Future(asyncio.Future):  # type: ignore[type-arg]
        def cancel(self, *args: Any, **kwargs: Any) -> bool:
            calls.append(len(calls))
            pool._native_cancel_all()  # as a shutdown(cancel=True) does
            return super().cancel(*args, **kwargs)

    async def wait() -> None:
        await Future()

    for _ in range(3):
        await pool.submit(wait())
    await turns(2)
    await pool.shutdown(cancel=True)
    assert len(calls) == 3 and pool.stats().cancelled == 3
