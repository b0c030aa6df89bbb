"""The object that `@aio_task` makes of an async function."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Generic, List, Optional, TypeVar, Union
from weakref import WeakKeyDictionary

from . import dead_letters
from .bound import BoundTask
from .brokers import broker_for
from .burst import Burst
from .calls import Calls, submit_all, submit_one
from .definition import define
from .link import Links
from .options import Options, check_integer, check_seconds, checked, checked_queue_name
from .schedule import Schedule
from .stats import QueueStats
from .worker import IDLE_TURN_SECONDS, Worker

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from .handle import TaskHandle
    from .records import DeadLetter

logger = logging.getLogger("nb_aiopool.contrib.nb_aio_task")

_T = TypeVar("_T")


class AioTask(Generic[_T]):
    """
    An async function with a queue. Made by `aio_task`, whose options these are.

    Calling it runs the function here and now; `submit` puts the call into the queue; `consume` runs what is there.
    One object serves several event loops, one after another and at the same time.

    Examples:
        >>> @aio_task("doubles", redis_url="memory://")
        ... async def double(x):
        ...     return x * 2
        >>> double
        <AioTask double on nb_aio_task:doubles>
        >>> asyncio.run(double(21))
        42
    """

    def __init__(  # noqa: PLR0917 -- the order is nb_aiopool 1.0's
        self,
        func: Callable[..., Awaitable[_T]],
        queue_name: str,
        max_concurrency: int = 100,
        redis_url: str = "redis://localhost:6379/0",
        max_queue_size: int = 100,
        use_pickle: bool = True,
        *,
        max_retries: int = 0,
        retry_delay: float = 1.0,
        timeout: Optional[float] = None,
        lease: float = 30.0,
        max_deliveries: int = 5,
        result_ttl: float = 0,
        sign_key: Union[str, bytes, None] = None,
    ) -> None:
        if not inspect.iscoroutinefunction(func):
            name = getattr(func, "__qualname__", None) or repr(func)
            raise TypeError(
                f"{name} is not an async function: aio_task takes one that is defined with `async def`"
            )
        name = checked_queue_name(queue_name)
        options = checked(
            Options(
                max_concurrency,
                redis_url,
                max_queue_size,
                use_pickle,
                max_retries,
                retry_delay,
                timeout,
                lease,
                max_deliveries,
                result_ttl,
                sign_key,
            )
        )
        functools.update_wrapper(self, func)
        self.func = func
        self.definition = define(func, name, options)
        self.queue_name = self.definition.list_name
        self.max_concurrency = max_concurrency
        self.redis_url = redis_url
        self.max_queue_size = max_queue_size
        self.use_pickle = use_pickle
        self._links = Links(self.definition)
        self._workers: WeakKeyDictionary[asyncio.AbstractEventLoop, Worker] = WeakKeyDictionary()

    def __reduce__(self) -> str:
        # As functions are pickled: by their names.
        return str(self.__dict__["__qualname__"])

    def __repr__(self) -> str:
        return f"<AioTask {self.definition.name} on {self.queue_name}>"

    async def __call__(self, /, *args: Any, **kwargs: Any) -> _T:
        """Run the function here, without the queue."""
        return await self.func(*args, **kwargs)

    async def submit(self, /, *args: Any, **kwargs: Any) -> TaskHandle:
        """
        Queue a call. Returns once the broker has it, however long that takes.

        Cancelled, it may or may not have queued the call; with an `id` it can be submitted again in any case.

        Examples:
            >>> @aio_task("submitted", redis_url="memory://")
            ... async def add(x, y=0): ...
            >>> handle = asyncio.run(add.submit(1, y=2))
            >>> asyncio.run(handle.status())
            'queued'
        """
        return await submit_one(self._links, Schedule(), args, kwargs)

    async def submit_many(self, calls: Calls) -> List[TaskHandle]:
        """
        Queue many calls: `[((1, 2), {}), ((3,), {"y": 4})]`, or any other iterable of such pairs, also an
        asynchronous one.

        Draws from it a chunk at a time, one round trip for each. If the iterable raises or holds something else, what
        came before is queued.

        Examples:
            >>> @aio_task("bulk", redis_url="memory://")
            ... async def add(x, y=0): ...
            >>> async def main():
            ...     handles = await add.submit_many(((n,), {"y": n}) for n in range(1000))
            ...     print(len(handles), await add.get_queue_size())
            ...     await add.clear_queue()
            >>> asyncio.run(main())
            1000 1000
        """
        return await submit_all(self._links, Schedule(), calls)

    def options(
        self,
        *,
        delay: Union[float, timedelta, None] = None,
        at: Optional[datetime] = None,
        id: Optional[str] = None,  # noqa: A002
    ) -> BoundTask:
        """
        This task with another way to be submitted: `await f.options(delay=10, id="order-42").submit(1, 2)`.

        `delay` seconds from now, or `at` a time (without a time zone: local time). While a task with this `id` is
        queued, delayed or running, another is not queued; the handle is that of the first.

        Examples:
            >>> @aio_task("reminders", redis_url="memory://")
            ... async def remind(text): ...
            >>> async def main():
            ...     for _ in range(2):
            ...         await remind.options(delay=60, id="tea").submit("the tea is ready")
            ...     return (await remind.stats()).delayed
            >>> asyncio.run(main())
            1
        """
        return BoundTask(self._links, Schedule.checked(delay, at, id))

    async def consume(self, timeout: float = 5) -> None:
        """
        Run what is in the queue until `stop()` is called or this is cancelled.

        Both end it in the same way: nothing more is fetched, what has not started goes back to the front of the queue,
        and what runs is waited for. Cancelled for a second time, it cancels what runs and hands that back as well.
        `timeout` is how long one blocking read of the empty queue takes.

        Examples:
            >>> @aio_task("consumed", redis_url="memory://")
            ... async def greet(name):
            ...     print("hello", name)
            ...     await greet.stop()  # only so that this example ends
            >>> async def main():
            ...     await greet.submit("Ann")
            ...     await greet.consume()
            >>> asyncio.run(main())
            hello Ann
        """
        await self._consume(timeout=timeout)

    async def _consume(
        self,
        *,
        timeout: float = 5,
        burst: Union[Burst, bool] = False,
        max_concurrency: Optional[int] = None,
    ) -> None:
        """`burst`: end when the queue is drained, together with others of the same Burst if one is given."""
        check_seconds("timeout", timeout, 0)
        loop = asyncio.get_running_loop()
        if loop in self._workers:
            logger.warning(
                "%s is consumed by this event loop already; this call returns at once", self.queue_name
            )
            return
        definition = self.definition
        if max_concurrency is not None:
            options = checked(definition.options._replace(max_concurrency=max_concurrency))
            definition = definition._replace(options=options)
        broker = broker_for(self.redis_url, self.queue_name)
        together = Burst() if burst is True else burst or None
        # 0 is "for ever" in Redis; nothing needs to be asked again sooner than this. A burst looks more often than
        # it reads, because nothing is known while it reads.
        block = timeout or 5.0 if together is None else IDLE_TURN_SECONDS
        worker = Worker(definition, broker, block=block, burst=together)
        self._workers[loop] = worker
        logger.info("%s: consuming, %d at a time", self.queue_name, definition.options.max_concurrency)
        try:
            await worker.run()
        finally:
            if together is not None:
                together.leave(worker)
            if self._workers.get(loop) is worker:
                del self._workers[loop]
            await broker.close()
            logger.info("%s: stopped consuming", self.queue_name)

    def _stop_here(self, *, abort: bool) -> None:
        """
        Stop the `consume()` of this event loop; with `abort`, what it runs is cancelled and handed back.

        That takes effect even where a cancellation of `consume()` is swallowed on its way, or is one with another.
        """
        worker = self._workers.get(asyncio.get_running_loop())
        if worker is not None and abort:
            worker.abort()
        elif worker is not None:
            worker.stop()

    async def stop(self) -> None:
        """
        End every `consume()` of this task in this process. Returns at once: what runs goes on until it has ended.

        Examples:
            >>> @aio_task("stopped", redis_url="memory://")
            ... async def work(): ...
            >>> async def main():
            ...     worker = asyncio.create_task(work.consume())
            ...     await asyncio.sleep(0)
            ...     await work.stop()
            ...     await worker
            ...     return "ended"
            >>> asyncio.run(main())
            'ended'
        """
        here = asyncio.get_running_loop()
        for loop, worker in list(self._workers.items()):
            if loop is here:
                worker.stop()
            else:
                with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended with that
                    loop.call_soon_threadsafe(worker.stop)

    async def get_queue_size(self) -> int:
        """
        How many calls are in the list: not those that are delayed, running or dead.

        Examples:
            >>> @aio_task("sized", redis_url="memory://")
            ... async def work(n): ...
            >>> handles = asyncio.run(work.submit_many(((n,), {}) for n in range(3)))
            >>> asyncio.run(work.get_queue_size())
            3
        """
        link = self._links.here()
        return await link.ask(link.broker.size)

    async def clear_queue(self) -> None:
        """
        Drop the calls in the list and the delayed ones, and free their ids. What runs goes on.

        Examples:
            >>> @aio_task("dropped", redis_url="memory://")
            ... async def work(): ...
            >>> handle = asyncio.run(work.submit())
            >>> asyncio.run(work.clear_queue())
            >>> asyncio.run(work.get_queue_size())
            0
        """
        link = self._links.here()
        await link.ask(link.broker.clear)

    async def stats(self) -> QueueStats:
        """
        How many tasks are where; what a worker has read ahead counts as running.

        Examples:
            >>> @aio_task("watched", redis_url="memory://")
            ... async def work(): ...
            >>> async def main():
            ...     await work.submit()
            ...     await work.options(delay=60).submit()
            ...     return await work.stats()
            >>> asyncio.run(main())
            QueueStats(queued=1, running=0, delayed=1, dead=0)
        """
        link = self._links.here()
        return QueueStats(*await link.ask(link.broker.counts))

    async def dead_letters(self, limit: int = 100) -> List[DeadLetter]:
        """
        Up to `limit` of the dead letters, in the order in which they died. Which ones, if there are more, is left open:
        Redis keeps them in no order.

        Examples:
            >>> @aio_task("divisions", redis_url="memory://")
            ... async def divide(x, y):
            ...     await divide.stop()
            ...     return x / y
            >>> async def main():
            ...     await divide.submit(1, 0)
            ...     await divide.consume()
            ...     [letter] = await divide.dead_letters()
            ...     print(letter.args, letter.error.splitlines()[-1])
            ...     await divide.delete_dead()
            >>> asyncio.run(main())
            (1, 0) ZeroDivisionError: division by zero
        """
        check_integer("limit", limit, 0)
        link, records = self._links.here(), self.definition.records
        burials = await link.ask(lambda: dead_letters.burials(link.broker, records, limit, check=True))
        return [dead_letters.letter_of(burial, self.definition.codec) for burial in burials]

    async def retry_dead(self, *ids: str) -> int:
        """
        Queue these dead letters again, at the back and with their counts at zero; without ids, all. Returns how many.

        A dead letter whose id has been taken by another living task stays where it is.

        Examples:
            >>> @aio_task("second chances", redis_url="memory://")
            ... async def divide(x, y):
            ...     await divide.stop()
            ...     return x / y
            >>> async def main():
            ...     await divide.submit(1, 0)
            ...     await divide.consume()
            ...     print(await divide.retry_dead(), await divide.get_queue_size())
            ...     await divide.clear_queue()
            >>> asyncio.run(main())
            1 1
        """
        dead_letters.check_ids(ids)
        link, records = self._links.here(), self.definition.records
        return await dead_letters.retry(link.broker, records, ids, check=True, ask=link.ask)

    async def delete_dead(self, *ids: str) -> int:
        """
        Delete these dead letters; without ids, all. Returns how many.

        Examples:
            >>> @aio_task("given up", redis_url="memory://")
            ... async def divide(x, y):
            ...     await divide.stop()
            ...     return x / y
            >>> async def main():
            ...     await divide.submit(1, 0)
            ...     await divide.consume()
            ...     print(await divide.delete_dead("no such id"), await divide.delete_dead())
            >>> asyncio.run(main())
            0 1
        """
        dead_letters.check_ids(ids)
        link = self._links.here()
        return await dead_letters.delete(link.broker, ids, ask=link.ask)

    async def close(self) -> None:
        """
        Stop consuming, and give up the connections of this event loop. The task may be used again.

        Examples:
            >>> @aio_task("closed", redis_url="memory://")
            ... async def work(): ...
            >>> async def main():
            ...     handle = await work.submit()
            ...     await work.close()
            ...     return await handle.status()
            >>> asyncio.run(main())
            'queued'
        """
        await self.stop()
        await self._links.close_here()
