"""This package."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Iterable

import nb_aiopool
from nb_aiopool import NbAioPool

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "nb_aiopool"
REQUIREMENT = "nb_aiopool"
LIMITED = True
QUEUE = "bounded"

# A comparison of a package with itself must not go unnoticed: the original has the same import name.
if not hasattr(NbAioPool, "submit_nowait"):
    raise ImportError("the nb_aiopool that is found here is the original")


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


async def map_unordered(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with NbAioPool(*limits) as pool:
        async for _ in pool.map(job, items, ordered=False):
            pass


async def map_ordered(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with NbAioPool(*limits) as pool:
        async for _ in pool.map(job, items):
            pass


async def first(limits: Limits, job: Job) -> Callable[[], Awaitable[None]]:
    pool = NbAioPool(*limits)
    future = await pool.submit(job(0))
    await future
    return pool.shutdown


class FromThreads:
    def __init__(self, limits: Limits, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = NbAioPool(*limits)
        self._job = job
        self._loop = loop

    def send(self, item: Any) -> None:
        self._pool.sync_submit(self._job(item), loop=self._loop)

    def ask(self, item: Any) -> Any:
        return self._pool.sync_submit(self._job(item), loop=self._loop).result()

    async def close(self) -> None:
        await self._pool.shutdown()


class Executor:
    def __init__(self, limits: Limits, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        self._executor = nb_aiopool.AsyncPoolExecutor(limits.running, loop, max_queue_size=limits.waiting)
        self._job = job

    def send(self, item: Any) -> None:
        self._executor.submit(self._job, item)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._executor.shutdown)
