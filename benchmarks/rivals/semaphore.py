"""asyncio's Semaphore: a task for each coroutine, most of which wait for the semaphore."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Iterable

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "asyncio"
REQUIREMENT = ""
LIMITED = True
QUEUE = "unbounded"


def guarded(limits: Limits, job: Job) -> Job:
    """Let the semaphore guard each call of the job."""
    semaphore = asyncio.Semaphore(limits.running)

    async def guarded_job(item: Any) -> Any:
        async with semaphore:
            return await job(item)

    return guarded_job


async def submit(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    guarded_job = guarded(limits, job)
    await asyncio.gather(*[asyncio.create_task(guarded_job(item)) for item in items])


async def run(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    semaphore = asyncio.Semaphore(limits.running)
    for item in items:
        async with semaphore:
            await job(item)


async def submit_await(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    guarded_job = guarded(limits, job)
    for item in items:
        task = asyncio.create_task(guarded_job(item))
        await task


async def batch(limits: Limits, job: Job, batches: Iterable[Iterable[Any]]) -> None:
    guarded_job = guarded(limits, job)
    for items in batches:
        await asyncio.gather(*map(guarded_job, items))


async def map_unordered(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    for future in asyncio.as_completed(map(guarded(limits, job), items)):
        await future


async def map_ordered(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    guarded_job = guarded(limits, job)
    for task in [asyncio.create_task(guarded_job(item)) for item in items]:
        await task
