"""Worker tasks that share an iterator: a pool written by hand, without a queue, results or any cancelling.

It is also the least that so many concurrent waits cost the loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Iterable

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "asyncio"
REQUIREMENT = ""
LIMITED = True
QUEUE = ""


async def submit(limits: Limits, job: Job, items: Iterable[Any]) -> None:
    shared = iter(items)

    async def worker() -> None:
        for item in shared:
            await job(item)

    await asyncio.gather(*(worker() for _ in range(limits.running)))
