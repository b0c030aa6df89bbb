"""A worker's wait for something to come, beside its other calls."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any, List, Tuple

import pytest

from nb_aiopool.contrib.nb_aio_task import AioTask, aio_task
from nb_aiopool.contrib.nb_aio_task.broker import Submission
from nb_aiopool.contrib.nb_aio_task.errors import Outage
from nb_aiopool.contrib.nb_aio_task.memory_broker import MemoryBroker
from nb_aiopool.contrib.nb_aio_task.worker import Worker
from support import turns

if TYPE_CHECKING:
    from broker_support import MemoryQueue

    from nb_aiopool.contrib.nb_aio_task.broker import Exchange, Request

PATIENCE = 60.0
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


class LosesAnswer(HeldBack):
    """Loses the first answer that numbers an early start."""

    lost = False

    async def exchange(self, consumer: str, request: Request) -> Exchange:
        answer = await super().exchange(consumer, request)
        if request.early and not self.lost:
            self.lost = True
            raise Outage("the answer was lost")
        return answer


class ComesLast(MemoryBroker):
    """Something comes in at the very moment when a wait is to be ended."""

    def __init__(self, url: str, list_name: str, last: Submission) -> None:
        super().__init__(url, list_name)
        self.last: List[Submission] = [last]
        self.waits = 0

    async def wait(self, consumer: str, timeout: float) -> Any:
        self.waits += 1
        return await super().wait(consumer, timeout)

    async def end_wait(self) -> None:
        while self.last:
            await self.push(uuid.uuid4().hex, 1, [self.last.pop()])
        await super().end_wait()


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


@pytest.mark.parametrize("more", [0, 3])
async def test_what_was_started_early_runs_once_although_the_answer_that_numbers_it_is_lost(
    memory: MemoryQueue, more: int, caplog: pytest.LogCaptureFixture
) -> None:
    gate, ran = asyncio.Event(), []

    @aio_task("wait", redis_url="memory://test-worker-early")
    async def gated(number: int) -> None:
        ran.append(number)
        await gate.wait()

    broker = LosesAnswer(gated.redis_url, gated.queue_name)
    worker = Worker(gated.definition, broker, block=LONG)
    running = asyncio.ensure_future(worker.run())
    try:
        await asyncio.wait_for(broker.waiting.wait(), PATIENCE)
        await gated.submit_many(((number,), {}) for number in range(1 + more))
        holding = worker._holding
        while not broker.lost or holding._doubt or len(ran) < 1 + more:
            await asyncio.sleep(0.001)
        assert await broker.counts() == (0, 1 + more, 0, 0)
    finally:
        gate.set()
        worker.stop()
        await running
        await gated.close()
    assert sorted(ran) == list(range(1 + more))
    assert await broker.counts() == (0, 0, 0, 0)


async def test_what_comes_while_the_worker_stops_does_not_wait_for_what_runs(memory: MemoryQueue) -> None:
    gate, began = asyncio.Event(), asyncio.Event()

    @aio_task("wait", redis_url="memory://test-worker-stop")
    async def gated() -> None:
        began.set()
        await gate.wait()

    broker = ComesLast(gated.redis_url, gated.queue_name, Submission(b"last", "1" * 32))
    worker = Worker(gated.definition, broker, block=LONG)
    running = asyncio.ensure_future(worker.run())
    try:
        while broker.waits < 1:
            await asyncio.sleep(0.001)
        await gated.submit()
        await asyncio.wait_for(began.wait(), PATIENCE)
        while broker.waits < 2:  # the first has brought what runs
            await asyncio.sleep(0.001)
        worker.stop()
        while broker.last or (await broker.counts()).queued != 1:
            assert not running.done()
            await asyncio.sleep(0.001)
        assert await broker.counts() == (1, 1, 0, 0)
    finally:
        gate.set()
        await running
        await gated.close()
    assert await broker.counts() == (1, 0, 0, 0)
    await broker.clear()
