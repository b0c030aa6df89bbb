"""async with: the block ends when its jobs have ended; left by cancellation, it takes them along."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool, PoolStopped
from support import Gate, accounting, append, fill, is_closed, park, raises, turns, value


class Nursed:
    """Jobs that write down what happens to them: ``log`` has "begun", "ended", "cancelled" and "cleaned up"."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.log: List[str] = []

    async def job(self) -> str:
        self.log.append("begun")
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.log.append("cancelled")
            await turns(3)
            self.log.append("cleaned up")
            raise
        self.log.append("ended")
        return "result"


async def test_the_block_is_given_the_pool_itself() -> None:
    pool = NbAioPool(1, 1)
    async with pool as inside:
        assert inside is pool and not pool.closed
    assert pool.closed


async def test_the_block_ends_when_all_its_jobs_have_ended() -> None:
    jobs, log = [], []  # type: ignore[var-annotated]

    async def work(i: int) -> int:
        await turns(i)
        log.append(i)
        return i

    async with NbAioPool(2, 2) as pool:
        for i in range(8):
            jobs.append(await pool.submit(work(i)))
    assert [job.result() for job in jobs] == log == list(range(8))
    assert accounting(pool) == (8, 8, 0, 0, 0, 0)
    with pytest.raises(PoolStopped):
        await pool.submit(value())


async def test_after_an_exception_the_jobs_still_end_and_the_exception_comes_out() -> None:
    error, nursed = LookupError("in the block"), Nursed()
    asyncio.get_running_loop().call_later(0.01, nursed.gate.open)
    with pytest.raises(LookupError) as caught:
        async with NbAioPool(1, 1) as pool:
            jobs = [await pool.submit(nursed.job()) for _ in range(2)]
            raise error
    assert caught.value is error
    assert nursed.log == ["begun", "ended"] * 2
    assert [job.result() for job in jobs] == ["result"] * 2


async def test_a_failing_job_does_not_disturb_the_block() -> None:
    async with NbAioPool(1, 2) as pool:
        job = await pool.submit(raises(LookupError("a job's own")))
        other = await pool.submit(value("other"))
    assert isinstance(job.exception(), LookupError) and other.result() == "other"


async def test_cancelled_in_the_block_the_jobs_are_cancelled_and_awaited() -> None:
    nursed, entered = Nursed(), asyncio.Event()
    queued = value()
    jobs: List[Any] = []

    async def block() -> None:
        async with NbAioPool(1, 1) as pool:
            jobs.extend([await pool.submit(nursed.job()), await pool.submit(queued)])
            entered.set()
            await asyncio.sleep(3600)

    task = asyncio.ensure_future(block())
    await entered.wait()
    await nursed.gate.reached(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nursed.log == ["begun", "cancelled", "cleaned up"]
    assert all(job.cancelled() for job in jobs) and is_closed(queued)


async def test_cancelled_while_it_waits_at_its_end_the_jobs_are_cancelled_and_awaited() -> None:
    nursed, queued = Nursed(), value()
    jobs: List[Any] = []

    async def block() -> None:
        async with NbAioPool(1, 1) as pool:
            jobs.extend([await pool.submit(nursed.job()), await pool.submit(queued)])

    task = asyncio.ensure_future(block())
    await nursed.gate.reached(1)
    await turns(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nursed.log == ["begun", "cancelled", "cleaned up"]
    assert all(job.cancelled() for job in jobs) and is_closed(queued)


async def test_cancelled_again_and_again_it_still_waits_for_its_jobs() -> None:
    gate, second, log = Gate(), Gate(), []  # type: ignore[var-annotated]

    async def stubborn() -> str:
        for _ in range(4):
            try:
                await gate.wait()
            except asyncio.CancelledError:
                log.append("cancelled")
        await second.wait()
        return "end"

    jobs: List[Any] = []

    async def block() -> None:
        async with NbAioPool(1, 1) as pool:
            jobs.append(await pool.submit(stubborn()))

    task = asyncio.ensure_future(block())
    for i in range(4):
        await gate.reached(i + 1)
        await turns(2)
        task.cancel()
        await turns(4)
        assert not task.done()
    await second.reached(1)
    second.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["cancelled"] * 4 and jobs[0].result() == "end"


async def test_a_cancellation_that_came_with_an_exception_in_the_block_cancels_the_jobs() -> None:
    nursed = Nursed()

    async def block() -> None:
        async with NbAioPool(1, 1) as pool:
            await pool.submit(nursed.job())
            raise LookupError("in the block")

    task = asyncio.ensure_future(block())
    await nursed.gate.reached(1)
    await turns(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert nursed.log == ["begun", "cancelled", "cleaned up"]
    del caught


async def test_a_timeout_around_the_block_takes_its_jobs_along() -> None:
    nursed = Nursed()

    async def block() -> None:
        async with NbAioPool(1, 1) as pool:
            await pool.submit(nursed.job())

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(block(), 0.02)
    assert nursed.log == ["begun", "cancelled", "cleaned up"]


async def test_a_cancelled_error_that_the_block_raises_cancels_the_jobs() -> None:
    nursed = Nursed()
    with pytest.raises(asyncio.CancelledError):
        async with NbAioPool(1, 1) as pool:
            job = await pool.submit(nursed.job())
            await nursed.gate.reached(1)
            raise asyncio.CancelledError
    assert job.cancelled() and nursed.log == ["begun", "cancelled", "cleaned up"]


async def test_producers_that_wait_when_the_block_ends_are_admitted() -> None:
    gate, log = Gate(), []  # type: ignore[var-annotated]
    async with NbAioPool(1, 1) as pool:
        fill(pool, gate)
        producers = await park(pool, *[append(log, i) for i in range(3)])
        gate.open()
    assert log == [0, 1, 2]
    assert [(await producer).result() for producer in producers] == [0, 1, 2]


async def test_producers_that_wait_when_the_block_is_cancelled_are_refused() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    with pytest.raises(asyncio.CancelledError):
        async with pool:
            fill(pool, gate)
            coro = value()
            (producer,) = await park(pool, coro)
            raise asyncio.CancelledError
    with pytest.raises(PoolStopped):
        await producer
    assert is_closed(coro)


async def test_jobs_may_submit_while_the_block_waits_for_them() -> None:
    log: List[Any] = []
    async with NbAioPool(2, 2) as pool:

        async def work(i: int) -> None:
            await turns()
            log.append(i)
            if i < 5:
                await pool.submit(work(i + 1))

        await pool.submit(work(0))
    assert log == [0, 1, 2, 3, 4, 5]


async def test_a_pool_that_was_shut_down_inside_its_block_is_no_error() -> None:
    async with NbAioPool(1, 1) as pool:
        job = await pool.submit(value("result"))
        await pool.shutdown()
    assert job.result() == "result"


async def test_blocks_may_be_nested() -> None:
    gate = Gate()
    async with NbAioPool(1, 1) as outer:
        async with NbAioPool(1, 1) as inner:
            first, second = await outer.submit(gate.hold("outer")), await inner.submit(gate.hold("inner"))
            gate.open()
        assert second.result() == "inner" and inner.closed and not outer.closed
    assert first.result() == "outer" and outer.closed


async def test_a_job_may_have_a_block_of_its_own() -> None:
    async def work() -> Any:
        async with NbAioPool(2, 2) as mine:
            return await mine.batch_run(value(i) for i in range(5))

    async with NbAioPool(2, 2) as pool:
        jobs = [await pool.submit(work()) for _ in range(3)]
    assert [job.result() for job in jobs] == [[0, 1, 2, 3, 4]] * 3


async def test_a_block_of_its_own_pool_inside_a_job_is_an_error() -> None:
    pool = NbAioPool(1, 1)

    async def work() -> None:
        async with pool:
            pass

    with pytest.raises(RuntimeError, match="own jobs"):
        await pool.submit_nowait(work())
    assert not pool.closed


async def test_jobs_that_swallowed_an_earlier_cancellation_are_cancelled_when_the_block_is() -> None:
    """Somebody has cancelled all other tasks, and the pool's jobs with them: that was another cancellation."""
    swallowed: List[str] = []

    async def stubborn() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            swallowed.append("once")
        await asyncio.get_running_loop().create_future()

    async def block() -> None:
        async with NbAioPool(1) as pool:
            await pool.submit(stubborn())
            await asyncio.get_running_loop().create_future()

    task = asyncio.ensure_future(block())
    await turns(3)
    for other in asyncio.all_tasks():
        if other not in (task, asyncio.current_task()):
            other.cancel()
    await turns(5)
    assert swallowed == ["once"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)


@pytest.mark.parametrize("at_the_end", [False, True])
async def test_a_block_that_is_thrown_away_cancels_its_jobs_and_does_not_wait(at_the_end: bool) -> None:
    nursed, pool = Nursed(), NbAioPool(1)

    async def block() -> None:
        async with pool:
            await pool.submit(nursed.job())
            if not at_the_end:
                await asyncio.get_running_loop().create_future()

    call: Any = block()
    call.send(None)
    await turns(3)
    call.close()
    assert pool.closed
    await pool.join()
    assert nursed.log == ["begun", "cancelled", "cleaned up"]


def test_jobs_of_two_pools_clean_up_undisturbed_when_asyncio_run_cancels_the_block_of_both(
    run_loop: Any,
) -> None:
    first, second = Nursed(), Nursed()

    async def block() -> None:
        async with NbAioPool(1) as outer, NbAioPool(1) as inner:
            await outer.submit(first.job())
            await inner.submit(second.job())
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        task = asyncio.ensure_future(block())
        while not (first.log and second.log):
            await asyncio.sleep(0)
        assert not task.done()

    run_loop(main())
    assert first.log == second.log == ["begun", "cancelled", "cleaned up"]
