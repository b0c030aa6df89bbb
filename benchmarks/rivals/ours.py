"""This package."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Iterable

import nb_aiopool
from benchmarks.rivals.nb_aiopool_calls import batch, first, run, submit, submit_await
from nb_aiopool import NbAioPool

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

__all__ = [
    "batch",
    "first",
    "map_ordered",
    "map_unordered",
    "run",
    "submit",
    "submit_await",
    "Executor",
    "FromThreads",
]

MODULE = "nb_aiopool"
REQUIREMENT = "nb_aiopool"
LIMITED = True
QUEUE = "bounded"

# A comparison of a package with itself must not go unnoticed: the original has the same import name.
if not hasattr(NbAioPool, "submit_nowait"):
    raise ImportError("the nb_aiopool that is found here is the original")


async def map_unordered(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with NbAioPool(*limits) as pool:
        async for _ in pool.map(job, items, ordered=False):
            pass


async def map_ordered(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with NbAioPool(*limits) as pool:
        async for _ in pool.map(job, items):
            pass


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
