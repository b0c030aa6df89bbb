"""A worker's wait for something to come, beside its other calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, List, Tuple

from nb_aiopool.contrib.nb_aio_task import AioTask, aio_task
from nb_aiopool.contrib.nb_aio_task.memory_broker import MemoryBroker
from nb_aiopool.contrib.nb_aio_task.worker import Worker
from support import turns

if TYPE_CHECKING:
    from broker_support import MemoryQueue

    from nb_aiopool.contrib.nb_aio_task.broker import Exchange

PATIENCE = 20.0
LONG = 1000.0


class HeldBack(MemoryBroker):
    """Holds back one answer to an exchange when it is told to."""

    def __init__(self, url: str, list_name: str) -> None:
        super().__init__(url, list_name)
        self.hold_next = False
        self.held = asyncio.Event()
        self.release = asyncio.Event()
        self.waiting = asyncio.Event()
        self.brought = asyncio.Event()

    async def exchange(self, *arguments: Any, **options: Any) -> Exchange:
        answer = await super().exchange(*arguments, **options)
        if self.hold_next:
            self.hold_next = False
            self.held.set()
            await self.release.wait()
        return answer

    async def wait(self, consumer: str, timeout: float) -> Any:
        self.waiting.set()
        payload = await super().wait(consumer, timeout)
        self.brought.set()
        return payload


def recorder(memory: MemoryQueue) -> Tuple[AioTask[Any], List[int], asyncio.Event]:
    """A task that writes down its calls, and an event that is set by each."""
    ran: List[int] = []
    came = asyncio.Event()

    @aio_task("wait", redis_url="memory://test-worker-wait")
    async def record(number: int) -> None:
        ran.append(number)
        came.set()

    return record, ran, came


async def test_what_comes_while_an_answer_is_on_its_way_is_fetched_at_once(memory: MemoryQueue) -> None:
    record, ran, came = recorder(memory)
    broker = HeldBack(record.redis_url, record.queue_name)
    worker = Worker(record.definition, broker, block=LONG)
    running = asyncio.ensure_future(worker.run())
    try:
        await asyncio.wait_for(broker.waiting.wait(), PATIENCE)
        broker.hold_next = True
        await asyncio.wait_for(broker.held.wait(), PATIENCE)  # an idle worker's turn
        await record.submit(1)
        await asyncio.wait_for(broker.brought.wait(), PATIENCE)
        await turns(10)
        assert not ran
        broker.release.set()
        await asyncio.wait_for(came.wait(), PATIENCE)
        assert ran == [1]
    finally:
        worker.stop()
        await running
        await record.close()
    assert await broker.counts() == (0, 0, 0, 0)
