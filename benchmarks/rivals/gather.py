"""A task for each coroutine, all at once: asyncio's `create_task`, `gather` and `as_completed`. Nothing is limited."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Iterable

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "asyncio"
REQUIREMENT = ""
LIMITED = False
QUEUE = "unbounded"


async def submit(_limits: Limits, job: Job, items: Iterable[Any]) -> None:
    await asyncio.gather(*[asyncio.create_task(job(item)) for item in items])


async def submit_await(_limits: Limits, job: Job, items: Iterable[Any]) -> None:
    for item in items:
        task = asyncio.create_task(job(item))
        await task


async def batch(_limits: Limits, job: Job, batches: Iterable[Iterable[Any]]) -> None:
    for items in batches:
        await asyncio.gather(*map(job, items))


async def map_unordered(_limits: Limits, job: Job, items: Iterable[Any]) -> None:
    for future in asyncio.as_completed(map(job, items)):
        await future


async def map_ordered(_limits: Limits, job: Job, items: Iterable[Any]) -> None:
    for task in [asyncio.create_task(job(item)) for item in items]:
        await task
