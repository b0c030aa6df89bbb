"""streamable: lazy operations on a stream, of which `map` and `do` take a concurrency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable

from streamable import stream

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "streamable"
REQUIREMENT = "streamable"
LIMITED = True
QUEUE = ""


async def submit(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    await stream(items).do(job, concurrency=limits.running, as_completed=True)


async def batch(limits: Limits, job: Job, batches: Iterable[Iterable[Any]]) -> None:
    for items in batches:
        [result async for result in stream(items).map(job, concurrency=limits.running)]


async def map_unordered(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async for _ in stream(items).map(job, concurrency=limits.running, as_completed=True):
        pass


async def map_ordered(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async for _ in stream(items).map(job, concurrency=limits.running):
        pass
