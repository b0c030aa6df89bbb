"""Jobs that cancel themselves, and cancellations that pass through what a job awaits, as with asyncio's Task."""

from __future__ import annotations

import asyncio
from typing import Any, List

from parity import cancelled_with, new_future, spawn
from support import Gate, turns


async def test_a_job_that_cancels_itself_is_cancelled_at_its_next_await() -> None:
    log: List[Any] = []

    async def work() -> None:
        me: Any = asyncio.current_task()
        assert me.cancel() is True
        assert me._must_cancel
        log.append("before")
        await asyncio.sleep(3600)
        log.append("after")

    job = spawn(work())
    assert await cancelled_with(job) == ()
    assert log == ["before"] and not job._must_cancel


async def test_a_job_that_cancels_itself_and_gives_way_is_cancelled_there() -> None:
    log: List[Any] = []

    async def work() -> None:
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        try:
            await turns()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    assert await cancelled_with(spawn(work())) == ()
    assert log == ["cancelled"]


async def test_a_job_that_cancels_itself_and_returns_is_cancelled() -> None:
    async def work() -> int:
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        return 12

    job = spawn(work())
    assert await cancelled_with(job) == ()
    assert not job._must_cancel and job.cancel() is False


async def test_a_job_that_cancels_itself_and_fails_has_failed() -> None:
    error = LookupError("mine")

    async def work() -> None:
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        raise error

    job = spawn(work())
    assert await asyncio.gather(job, return_exceptions=True) == [error]
    assert not job.cancelled()


async def test_a_job_that_cancels_and_uncancels_itself_goes_on() -> None:
    async def work() -> str:
        me: Any = asyncio.current_task()
        me.cancel()
        assert me.uncancel() == 0
        await turns(2)
        return "end"

    assert await spawn(work()) == "end"


async def test_a_job_that_cancels_itself_cancels_the_job_that_it_awaits_next() -> None:
    future = new_future()

    async def inner() -> None:
        await future

    async def outer(nested: Any) -> None:
        await turns()
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        await nested

    nested = spawn(inner())
    job = spawn(outer(nested))
    assert await cancelled_with(job) == ()
    assert nested.cancelled() and future.cancelled()


async def test_cancelling_passes_through_a_chain_of_jobs_and_tasks() -> None:
    gate, seen = Gate(), []  # type: ignore[var-annotated]

    async def last() -> None:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            seen.append("last")
            raise

    async def follow(awaited: Any) -> None:
        try:
            await awaited
        except asyncio.CancelledError:
            seen.append(awaited)
            raise

    first = spawn(last())
    second = asyncio.ensure_future(follow(first))
    third = spawn(follow(second))
    await gate.reached(1)
    await turns(3)
    third.cancel()
    assert await cancelled_with(third) == ()
    assert seen == ["last", first, second]
    assert first.cancelled() and second.cancelled()


async def test_cancelling_a_job_that_gathers_cancels_what_it_gathers() -> None:
    gate = Gate()

    async def work(jobs: List[Any]) -> None:
        await asyncio.gather(*jobs)

    inner = [spawn(gate.hold(i)) for i in range(3)]
    job = spawn(work(inner))
    await gate.reached(3)
    await turns(2)
    job.cancel()
    assert await cancelled_with(job) == ()
    assert all(child.cancelled() for child in inner)


async def test_cancelling_a_job_that_awaits_a_shield_spares_what_is_shielded() -> None:
    gate = Gate()

    async def work(awaited: Any) -> None:
        await asyncio.shield(awaited)

    inner = spawn(gate.hold("inner"))
    job = spawn(work(inner))
    await gate.reached(1)
    await turns(2)
    job.cancel()
    assert await cancelled_with(job) == ()
    assert not inner.done()
    gate.open()
    assert await inner == "inner"
