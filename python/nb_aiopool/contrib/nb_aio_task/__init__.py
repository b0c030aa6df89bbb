"""
A distributed task queue for asyncio on Redis: as many workers as the work needs, each with an NbAioPool.

    @aio_task("mails")
    async def send(address, text): ...

    await send.submit("a@example.org", "hello")
    await send.consume()

Delivery is at least once: what fails on the way may run a task again, and nothing loses one. docs/queue/index.md is
where to begin.
"""

from __future__ import annotations

from .bound import BoundTask
from .decorator import aio_task, batch_consume
from .errors import BadPayload, BrokerError, Outage, QueueError, ResultUnavailable, TaskFailed
from .events import TaskEvent, on_event
from .handle import TaskHandle
from .records import DeadLetter
from .stats import QueueStats
from .task import AioTask

__all__ = [
    "aio_task",
    "batch_consume",
    "AioTask",
    "BoundTask",
    "TaskHandle",
    "QueueStats",
    "DeadLetter",
    "TaskEvent",
    "on_event",
    "QueueError",
    "TaskFailed",
    "ResultUnavailable",
    "Outage",
    "BrokerError",
    "BadPayload",
]
