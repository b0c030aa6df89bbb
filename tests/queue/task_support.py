"""What the tests of tasks drive them with: a place for their queues, and the look of an outsider at what lies there."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import uuid
from typing import Any, AsyncIterator, Awaitable, Callable, Coroutine, Dict, List, Optional

from broker_support import Consumer, Producer

from loops import cancel_and_wait
from nb_aiopool.contrib.nb_aio_task import AioTask
from nb_aiopool.contrib.nb_aio_task.broker import Broker, Submission
from nb_aiopool.contrib.nb_aio_task.brokers import broker_for
from nb_aiopool.contrib.nb_aio_task.tokens import token


class Workshop:
    """Makes tasks on queues of its own, all of them on one broker; what it has made is closed when the test is over."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._tasks: List[AioTask[Any]] = []
        self._brokers: List[Broker] = []

    @property
    def is_redis(self) -> bool:
        return not self.url.startswith("memory:")

    def task(self, function: Callable[..., Awaitable[Any]], queue: str = "", **options: Any) -> AioTask[Any]:
        """A task with a queue of its own, or with the one that is named."""
        made: AioTask[Any] = AioTask(
            function, queue or uuid.uuid4().hex, redis_url=options.pop("redis_url", self.url), **options
        )
        self._tasks.append(made)
        return made

    def again(
        self, task: AioTask[Any], function: Callable[..., Awaitable[Any]], **options: Any
    ) -> AioTask[Any]:
        """The same queue, as another program has defined it."""
        return self.task(function, task.definition.queue, **options)

    def broker(self, task: AioTask[Any]) -> Broker:
        self._brokers.append(broker_for(self.url, task.queue_name))
        return self._brokers[-1]

    async def put(self, task: AioTask[Any], *payloads: bytes) -> None:
        """Append to the list as anybody can who reaches it."""
        await Producer(self.broker(task)).push(*(Submission(payload, token()) for payload in payloads))

    async def peek(self, task: AioTask[Any]) -> List[bytes]:
        """The payloads in the list, which stays as it is. Requires: nobody consumes it."""
        reader = Consumer(self.broker(task))
        payloads = await reader.take(100_000)
        await reader.leave()
        return payloads

    async def work_off(self, *tasks: AioTask[Any]) -> None:
        """Consume until the lists and the delayed tasks are empty."""
        # Not a burst, which ends only when its last wait has timed out.
        async with self.consuming(*tasks):
            await asyncio.gather(*(eventually(functools.partial(_is_empty, task)) for task in tasks))

    async def work_off_list(self, task: AioTask[Any]) -> None:
        """Consume until the list is empty and nothing runs, whatever is delayed."""
        async with self.consuming(task):
            await eventually(lambda: _is_idle(task))

    @contextlib.asynccontextmanager
    async def consuming(self, *tasks: AioTask[Any]) -> AsyncIterator[List[asyncio.Task[None]]]:
        """Consume beside the block, and stop and wait for that at its end."""
        consumers = [asyncio.ensure_future(task.consume()) for task in tasks]
        try:
            yield consumers
        finally:
            await asyncio.sleep(0)  # one that has not begun to consume cannot be stopped
            for task in tasks:
                await task.stop()
            await asyncio.gather(*consumers)

    async def close(self) -> None:
        for task in self._tasks:
            await task.close()
        for broker in self._brokers:
            await broker.close()


async def _is_empty(task: AioTask[Any]) -> bool:
    return (await task.stats())[:3] == (0, 0, 0)


async def _is_idle(task: AioTask[Any]) -> bool:
    return (await task.stats())[:2] == (0, 0)


class Notes:
    """Writes down the calls of a task; ``await notes.reached(n)`` waits for the n-th."""

    def __init__(self) -> None:
        self.calls: List[Any] = []
        self._changed: Optional[asyncio.Event] = None

    async def __call__(self, entry: Any = None, **others: Any) -> Any:
        self.calls.append((entry, others) if others else entry)
        if self._changed is not None:
            self._changed.set()
        return entry

    async def reached(self, count: int) -> None:
        while len(self.calls) < count:
            self._changed = asyncio.Event()
            await self._changed.wait()

    def function(self) -> Callable[..., Awaitable[Any]]:
        async def note(entry: Any = None, **others: Any) -> Any:
            return await self(entry, **others)

        return note


async def eventually(condition: Callable[[], Awaitable[Any]]) -> Any:
    """Wait until the broker's side is as it should be: it tells nobody. The test's time limit ends this."""
    while True:
        found = await condition()
        if found:
            return found
        await asyncio.sleep(0.002)


async def raised(awaitable: Awaitable[Any]) -> BaseException:
    """What it raises."""
    try:
        value = await awaitable
    except BaseException as error:
        return error
    raise AssertionError("returned %r in place of raising" % (value,))


def run_as_program(loop: Any, main: Coroutine[Any, Any, Any]) -> Any:
    """Run ``main`` as asyncio.run does, also when Ctrl-C ends the loop: then it is cancelled with all the others."""
    running = loop.create_task(main)
    try:
        return loop.run_until_complete(running)
    finally:
        if running.done() and not running.cancelled():
            running.exception()
        cancel_and_wait(loop)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def command_counts(client: Any) -> Dict[str, int]:
    """How often the server has executed which command since ``CONFIG RESETSTAT``."""
    return {
        name.replace("cmdstat_", "", 1): stats["calls"] for name, stats in client.info("commandstats").items()
    }
