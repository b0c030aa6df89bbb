"""What a program does that uses taskiq, whatever the broker: `kiq` in the producer, and in the worker process what the
command `taskiq worker` does in each of its processes, with that command's defaults."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from taskiq.acks import AcknowledgeType
from taskiq.receiver import Receiver

if TYPE_CHECKING:
    from benchmarks.queue.jobs import Job


class TaskiqQueue:
    broker_type: Any

    def __init__(self, url: str, job: Job, running: int) -> None:
        async def task(item: int) -> None:
            await job(item)

        self._broker = self.broker_type(url)
        self._task = self._broker.register_task(task, task_name="task")
        self._running = running

    async def open(self) -> None:
        await self._broker.startup()

    async def submit(self, item: int) -> None:
        await self._task.kiq(item)

    async def close(self) -> None:
        await self._broker.shutdown()

    def work(self) -> None:
        self._broker.is_worker_process = True

        async def main() -> None:
            with ThreadPoolExecutor() as threads:
                receiver = Receiver(
                    broker=self._broker,
                    executor=threads,
                    max_async_tasks=self._running,
                    max_prefetch=0,
                    ack_type=AcknowledgeType.WHEN_SAVED,
                )
                await receiver.listen(asyncio.Event())

        asyncio.run(main())
