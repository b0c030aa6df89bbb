"""aiostream: streams with operators, of which `map` takes a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable

from aiostream import stream

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "aiostream"
REQUIREMENT = "aiostream"
LIMITED = True
QUEUE = ""
SHARE = 0.02  # it looks at all running jobs when one ends


async def submit(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    await stream.map(stream.iterate(items), job, ordered=False, task_limit=limits.running)


async def batch(limits: Limits, job: Job, batches: Iterable[Iterable[Any]]) -> None:
    for items in batches:
        await stream.list(stream.map(stream.iterate(items), job, task_limit=limits.running))


async def map_unordered(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    mapped = stream.map(stream.iterate(items), job, ordered=False, task_limit=limits.running)
    async with mapped.stream() as results:
        async for _ in results:
            pass


async def map_ordered(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    mapped = stream.map(stream.iterate(items), job, task_limit=limits.running)
    async with mapped.stream() as results:
        async for _ in results:
            pass
