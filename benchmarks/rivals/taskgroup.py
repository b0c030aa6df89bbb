"""asyncio's TaskGroup: a task for each coroutine, all at once, and a block that waits for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Iterable

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "asyncio"
REQUIREMENT = ""
LIMITED = False
QUEUE = "unbounded"

try:
    TaskGroup = asyncio.TaskGroup
except AttributeError:
    raise ImportError("TaskGroup came with Python 3.11") from None


async def submit(_limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with TaskGroup() as group:
        for item in items:
            group.create_task(job(item))


async def submit_await(_limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with TaskGroup() as group:
        for item in items:
            task = group.create_task(job(item))
            await task


async def batch(_limits: Limits, job: Job, batches: Iterable[Iterable[Any]]) -> None:
    for items in batches:
        async with TaskGroup() as group:
            tasks = [group.create_task(job(item)) for item in items]
        [task.result() for task in tasks]
