"""arq: a sorted set, polled.

A worker marks a job as in progress with a key that expires (the job's time limit of 300 s, and 10 s), and removes the
job from the set when it has ended: a job whose worker was killed runs again after that time, five times at most. The
result is stored for an hour. The set is looked at every half a second, and whenever a round of jobs has been started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

from arq import Worker, create_pool, func
from arq.connections import RedisSettings

if TYPE_CHECKING:
    from benchmarks.queue.jobs import Job

REQUIREMENT = "arq"
SETTINGS = "at least once: acknowledges after the task; again after 310 s, 5 tries; result kept 1 h; polls every 0.5 s"
SPEED = {"drain": 1000, "submit": 3000, "gather": 3000}


class Queue:
    options: Dict[str, Any] = {}  # noqa: RUF012 - never changed

    def __init__(self, url: str, job: Job, running: int) -> None:
        self._settings = RedisSettings.from_dsn(url)
        self._job = job
        self._running = running

    async def open(self) -> None:
        self._redis = await create_pool(self._settings)

    async def submit(self, item: int) -> None:
        await self._redis.enqueue_job("task", item)

    async def close(self) -> None:
        await self._redis.close(close_connection_pool=True)

    def work(self) -> None:
        async def task(_: Dict[Any, Any], item: int) -> None:
            await self._job(item)

        functions = [func(task, name="task")]
        Worker(functions, redis_settings=self._settings, max_jobs=self._running, **self.options).run()
