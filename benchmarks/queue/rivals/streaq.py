"""streaq: streams with a consumer group, and scripts.

A worker reads ahead as many tasks as it runs, and acknowledges each when it has ended, storing its result for five
minutes. It renews its claims; tasks that nobody has claimed for a minute go to another worker, three tries at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, List

import streaq

if TYPE_CHECKING:
    from benchmarks.queue.jobs import Job

REQUIREMENT = "streaq"
SETTINGS = "at least once: acknowledges after the task; claimed after 60 s idle; 3 tries; result kept 5 min"
SPEED = {"drain": 900, "submit": 2500, "gather": 4000, "bulk": 8000}


class Queue:
    def __init__(self, url: str, job: Job, running: int) -> None:
        async def task(item: int) -> None:
            await job(item)

        self._worker = streaq.Worker(redis_url=url, concurrency=running)
        self._task = self._worker.task(name="task")(task)

    async def open(self) -> None:
        await self._worker.__aenter__()

    async def submit(self, item: int) -> None:
        await self._task.enqueue(item)

    async def submit_many(self, items: List[int]) -> None:
        await self._worker.enqueue_many([self._task.enqueue(item) for item in items])

    async def close(self) -> None:
        await self._worker.__aexit__(None, None, None)

    def work(self) -> None:
        self._worker.run_sync()
