"""How the original's executor works: a put into an asyncio queue, awaited from the thread, and workers that get."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Tuple

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "asyncio"
REQUIREMENT = ""
LIMITED = True
QUEUE = "bounded"
SHARE = 0.1


class Executor:
    def __init__(self, limits: Limits, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        self._job = job
        self._loop = loop
        self._queue: asyncio.Queue[Tuple[Any, ...]] = asyncio.Queue(limits.waiting)
        self._workers = [loop.create_task(self._work()) for _ in range(limits.running)]

    async def _work(self) -> None:
        while True:
            call = await self._queue.get()
            if not call:
                return
            await call[0](*call[1:])

    def send(self, item: Any) -> None:
        asyncio.run_coroutine_threadsafe(self._queue.put((self._job, item)), self._loop).result()

    async def close(self) -> None:
        for _ in self._workers:
            await self._queue.put(())
        await asyncio.wait(self._workers)
