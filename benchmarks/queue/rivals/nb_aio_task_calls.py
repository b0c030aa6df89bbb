"""What a program does that uses nb_aio_task: the calls that the original and this package have in common."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nb_aiopool.contrib.nb_aio_task import aio_task

if TYPE_CHECKING:
    from benchmarks.queue.jobs import Job


class Queue:
    def __init__(self, url: str, job: Job, running: int) -> None:
        self._task = aio_task("benchmark", max_concurrency=running, redis_url=url)(job)

    async def open(self) -> None:
        """Connections are made when they are needed."""

    async def submit(self, item: int) -> None:
        await self._task.submit(item)

    async def close(self) -> None:
        await self._task.close()

    def work(self) -> None:
        asyncio.run(self._task.consume())
