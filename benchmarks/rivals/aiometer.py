"""aiometer: runs a function on each item of a sequence, so many at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Iterable

import aiometer

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "aiometer"
REQUIREMENT = "aiometer"
LIMITED = True
QUEUE = ""
SHARE = 0.2


async def submit(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    await aiometer.run_on_each(job, list(items), max_at_once=limits.running)


async def batch(limits: Limits, job: Job, batches: Iterable[Iterable[Any]]) -> None:
    for items in batches:
        await aiometer.run_all([partial(job, item) for item in items], max_at_once=limits.running)


async def map_unordered(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with aiometer.amap(job, list(items), max_at_once=limits.running) as results:
        async for _ in results:
            pass
