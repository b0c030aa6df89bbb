"""SAQ: as many fetchers as tasks may run, each moving one job from the queued list to the active list.

A job leaves the active list when it has ended, in a transaction that stores its result for ten minutes. A sweep, once
in a minute, looks for jobs that are beyond their time limit (10 s) and retries them if they have attempts left; the
default is one attempt.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import saq

if TYPE_CHECKING:
    from benchmarks.queue.jobs import Job

REQUIREMENT = "saq"
SETTINGS = (
    "acknowledges after the task; 1 try: what a killed worker had is aborted by a sweep; result kept 10 min"
)
SPEED = {"drain": 1200, "submit": 4000, "gather": 4000}


class Queue:
    def __init__(self, url: str, job: Job, running: int) -> None:
        self._queue = saq.Queue.from_url(url)
        self._job = job
        self._running = running

    async def open(self) -> None:
        await self._queue.connect()

    async def submit(self, item: int) -> None:
        await self._queue.enqueue("task", item=item)

    async def close(self) -> None:
        await self._queue.disconnect()

    def work(self) -> None:
        async def task(_: Any, *, item: int) -> None:
            await self._job(item)

        async def main() -> None:
            await self._queue.connect()
            await saq.Worker(self._queue, [("task", task)], concurrency=self._running).start()

        asyncio.run(main())
