"""The pure-Python nb_aiopool 1.0 from PyPI.

It has the same import name as ours, so it is in a folder of its own that only its samples have on their path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Awaitable, Callable, Iterable

from nb_aiopool import NbAioPool

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "nb_aiopool"
REQUIREMENT = "nb_aiopool==1.0"
LIMITED = True
QUEUE = "bounded"

if hasattr(NbAioPool, "submit_nowait"):
    raise ImportError("the nb_aiopool that is found here is not the original")


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
