"""asyncio-pool: `spawn` waits for a free slot, so nothing waits inside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable

from asyncio_pool import AioPool

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "asyncio_pool"
REQUIREMENT = "asyncio-pool"
LIMITED = True
QUEUE = ""


async def submit(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with AioPool(limits.running) as pool:
        for item in items:
            await pool.spawn(job(item))


async def run(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with AioPool(limits.running) as pool:
        for item in items:
            await pool.exec(job(item))


async def submit_await(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with AioPool(limits.running) as pool:
        for item in items:
            future = await pool.spawn(job(item))
            await future


async def batch(limits: Limits, job: Job, batches: Iterable[Iterable[Any]]) -> None:
    async with AioPool(limits.running) as pool:
        for items in batches:
            await pool.map(job, items)


async def map_unordered(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with AioPool(limits.running) as pool:
        async for _ in pool.itermap(job, items):
            pass
