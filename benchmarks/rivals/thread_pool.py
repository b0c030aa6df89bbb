"""Python's ThreadPoolExecutor: as many threads as it has by itself; they run an ordinary function."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import TYPE_CHECKING, Any

from benchmarks import jobs

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "concurrent.futures"
REQUIREMENT = ""
LIMITED = False
QUEUE = "unbounded"


class Executor:
    def __init__(self, _limits: Limits, job: Job, _loop: asyncio.AbstractEventLoop) -> None:
        self._function = jobs.ordinary.get(job, job)
        self._executor = concurrent.futures.ThreadPoolExecutor()

    def send(self, item: Any) -> None:
        self._executor.submit(self._function, item)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._executor.shutdown)
