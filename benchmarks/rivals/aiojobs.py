"""aiojobs: a scheduler with a limit and a bounded line of pending jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable

from aiojobs import Scheduler

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "aiojobs"
REQUIREMENT = "aiojobs"
LIMITED = True
QUEUE = "bounded"
SHARE = 0.2


def scheduler(limits: Limits) -> Scheduler:
    # Its default is to give up on jobs after a minute.
    return Scheduler(limit=limits.running, pending_limit=limits.waiting, wait_timeout=None)


async def submit(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with scheduler(limits) as jobs:
        for item in items:
            await jobs.spawn(job(item))


async def submit_await(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    async with scheduler(limits) as jobs:
        for item in items:
            spawned = await jobs.spawn(job(item))
            await spawned.wait()


async def batch(limits: Limits, job: Job, batches: Iterable[Iterable[Any]]) -> None:
    async with scheduler(limits) as jobs:
        for items in batches:
            spawned = [await jobs.spawn(job(item)) for item in items]
            [await one.wait() for one in spawned]
