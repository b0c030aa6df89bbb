"""What a program does that uses nb_aiopool: the calls that the original and this package have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Awaitable, Callable, Iterable

from nb_aiopool import NbAioPool

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

__all__ = ["batch", "first", "run", "submit", "submit_await"]


async def submit(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with NbAioPool(*limits) as pool:
        for item in items:
            await pool.submit(job(item))


async def run(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with NbAioPool(*limits) as pool:
        for item in items:
            await pool.run(job(item))


async def submit_await(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with NbAioPool(*limits) as pool:
        for item in items:
            future = await pool.submit(job(item))
            await future


async def batch(limits: Limits, job: Job, batches: Iterable[Iterable[Any]]) -> None:
    async with NbAioPool(*limits) as pool:
        for items in batches:
            await pool.batch_run([job(item) for item in items])


async def first(limits: Limits, job: Job) -> Callable[[], Awaitable[None]]:
    pool = NbAioPool(*limits)
    future = await pool.submit(job(0))
    await future
    return pool.shutdown
