"""What a worker does whose broker refuses it for good while it has something to finish."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from nb_aiopool.contrib.nb_aio_task import BrokerError, aio_task
from nb_aiopool.contrib.nb_aio_task.memory_broker import MemoryBroker
from nb_aiopool.contrib.nb_aio_task.worker import Worker
from support import Gate

if TYPE_CHECKING:
    from nb_aiopool.contrib.nb_aio_task.broker import Exchange

PATIENCE = 60.0


class Refusing(MemoryBroker):
    """Refuses exchanges, or waits, from some time on."""

    def __init__(self, url: str, list_name: str) -> None:
        super().__init__(url, list_name)
        self.exchange_error: Any = None
        self.wait_error: Any = None
        self.refusals = 0

    async def exchange(self, *arguments: Any, **options: Any) -> Exchange:
        if self.exchange_error is not None:
            self.refusals += 1
            raise self.exchange_error
        return await super().exchange(*arguments, **options)

    async def wait(self, consumer: str, timeout: float) -> Any:
        if self.wait_error is not None:
            self.refusals += 1
            raise self.wait_error
        return await super().wait(consumer, timeout)


async def test_who_is_refused_says_so_once_and_finishes_what_runs(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()

    @aio_task("refused", redis_url="memory://test-worker-refused")
    async def work(number: int) -> None:
        await gate.hold(number)

    broker = Refusing(work.redis_url, work.queue_name)
    worker = Worker(work.definition, broker, block=1000.0)
    await work.submit_many(((number,), {}) for number in range(2))
    running = asyncio.ensure_future(worker.run())
    await gate.reached(2)
    broker.exchange_error = BrokerError("the password was changed")
    sleeps = 0

    async def sleep(_seconds: float) -> None:
        nonlocal sleeps
        sleeps += 1
        await asyncio.sleep(0)

    gate.release(1)
    while not worker._stopping:  # it has been refused, and winds up
        await asyncio.sleep(0)
    worker._alarm.sleep = sleep  # type: ignore[method-assign]
    while sleeps < 100:
        assert not running.done()
        await asyncio.sleep(0)
    refused_meanwhile = broker.refusals
    gate.open()
    with pytest.raises(BrokerError, match="the password was changed"):
        await running
    assert refused_meanwhile <= 2  # the turn, and the attempt to hand back
    assert [record.message for record in caplog.records if "changed" in record.message] == [
        "refused: the password was changed"
    ]
    await work.close()
    broker.exchange_error = None
    await broker.clear()


@pytest.mark.parametrize("error", [BrokerError("NOPERM"), ValueError("what nobody has thought of")])
async def test_who_may_not_wait_ends_with_the_error(error: Exception) -> None:
    @aio_task("refused", redis_url="memory://test-worker-refused")
    async def work() -> None: ...

    broker = Refusing(work.redis_url, work.queue_name)
    broker.wait_error = error
    worker = Worker(work.definition, broker, block=1000.0)
    with pytest.raises(type(error), match=str(error)):
        await asyncio.wait_for(worker.run(), PATIENCE)
    assert broker.refusals == 1
    await work.close()
