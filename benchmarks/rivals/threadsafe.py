"""asyncio's `run_coroutine_threadsafe`: a task for each coroutine. Nothing is limited."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "asyncio"
REQUIREMENT = ""
LIMITED = False
QUEUE = "unbounded"
SHARE = 0.3


class FromThreads:
    def __init__(self, _limits: Limits, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        self._job = job
        self._loop = loop

    def send(self, item: Any) -> None:
        asyncio.run_coroutine_threadsafe(self._job(item), self._loop)

    def ask(self, item: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(self._job(item), self._loop).result()

    async def close(self) -> None:
        await asyncio.sleep(0)  # what was sent before now is a task
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks)
