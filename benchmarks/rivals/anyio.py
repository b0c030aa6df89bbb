"""anyio: a task group, and a CapacityLimiter for which most of the tasks wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterable

import anyio

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "anyio"
REQUIREMENT = "anyio"
LIMITED = True
QUEUE = "unbounded"
SHARE = 0.2


async def submit(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    limiter = anyio.CapacityLimiter(limits.running)

    async def limited(item: Any) -> None:
        async with limiter:
            await job(item)

    async with anyio.create_task_group() as group:
        for item in items:
            group.start_soon(limited, item)


async def run(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    limiter = anyio.CapacityLimiter(limits.running)
    for item in items:
        async with limiter:
            await job(item)


async def batch(limits: Limits, job: Job, batches: Iterable[Iterable[Any]]) -> None:
    limiter = anyio.CapacityLimiter(limits.running)
    results: Dict[int, Any] = {}

    async def limited(index: int, item: Any) -> None:
        async with limiter:
            results[index] = await job(item)

    for items in batches:
        results.clear()
        async with anyio.create_task_group() as group:
            for index, item in enumerate(items):
                group.start_soon(limited, index, item)
        [results[index] for index in range(len(results))]
