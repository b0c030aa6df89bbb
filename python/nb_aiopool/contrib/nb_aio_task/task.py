"""The object that `@aio_task` makes of an async function."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterable,
    Awaitable,
    Callable,
    Generic,
    Iterable,
    List,
    Optional,
    Tuple,
    TypeVar,
    Union,
)
from weakref import WeakKeyDictionary

from . import dead_letters
from .broker import Counts
from .brokers import broker_for
from .calls import submit_all, submit_one
from .definition import define
from .errors import BadPayload
from .link import Links
from .options import Options, check_seconds, checked, checked_queue_name
from .records import Burial, DeadLetter
from .schedule import Schedule
from .worker import Worker

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from .handle import TaskHandle

logger = logging.getLogger("nb_aiopool.contrib.nb_aio_task")

_T = TypeVar("_T")
Calls = Union[Iterable[Tuple[Any, Any]], AsyncIterable[Tuple[Any, Any]]]


class QueueStats(Counts):
    """`queued` in the list, `running` or read ahead by workers, `delayed` (also between two attempts), `dead`."""

    __slots__ = ()


class AioTask(Generic[_T]):
    """
    An async function with a queue. Made by `aio_task`, whose options these are.

    Calling it runs the function here and now; `submit` puts the call into the queue; `consume` runs what is there.
    One object serves several event loops, one after another and at the same time.
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

    async def __call__(self, *args: Any, **kwargs: Any) -> _T:
        """Run the function here, without the queue."""
        return await self.func(*args, **kwargs)

    async def submit(self, *args: Any, **kwargs: Any) -> TaskHandle:
        """Queue a call. Returns once the broker has it, however long that takes."""
        return await submit_one(self._links, Schedule(), args, kwargs)

    async def submit_many(self, calls: Calls) -> List[TaskHandle]:
        """
        Queue many calls: `[((1, 2), {}), ((3,), {"y": 4})]`, or any other iterable of such pairs, also an
        asynchronous one.

        Draws from it a chunk at a time, one round trip for each. If the iterable raises or holds something else, what
        came before is queued.
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
        """
        return BoundTask(self._links, Schedule.checked(delay, at, id))

    async def consume(self, timeout: float = 5) -> None:
        """
        Run what is in the queue until `stop()` is called or this is cancelled.

        Both end it in the same way: nothing more is fetched, what has not started goes back to the front of the queue,
        and what runs is waited for. Cancelled for a second time, it cancels what runs and hands that back as well.
        `timeout` is how long one blocking read of the empty queue takes.
        """
        await self._consume(timeout=timeout)

    async def _consume(self, *, timeout: float = 5, burst: bool = False) -> None:
        check_seconds("timeout", timeout, 0)
        loop = asyncio.get_running_loop()
        if loop in self._workers:
            logger.warning(
                "%s is consumed by this event loop already; this call returns at once", self.queue_name
            )
            return
        broker = broker_for(self.redis_url, self.queue_name)
        # 0 is "for ever" in Redis; nothing needs to be asked again sooner than this.
        worker = Worker(self.definition, broker, block=timeout or 5.0, burst=burst)
        self._workers[loop] = worker
        logger.info("%s: consuming, %d at a time", self.queue_name, self.max_concurrency)
        try:
            await worker.run()
        finally:
            if self._workers.get(loop) is worker:
                del self._workers[loop]
            await broker.close()
            logger.info("%s: stopped consuming", self.queue_name)

    async def stop(self) -> None:
        """End every `consume()` of this task in this process. Returns at once: what runs goes on until it has ended."""
        here = asyncio.get_running_loop()
        for loop, worker in list(self._workers.items()):
            if loop is here:
                worker.stop()
            elif not loop.is_closed():
                loop.call_soon_threadsafe(worker.stop)

    async def get_queue_size(self) -> int:
        """How many calls are in the list: not those that are delayed, running or dead."""
        link = self._links.here()
        return await link.ask(link.broker.size)

    async def clear_queue(self) -> None:
        """Drop the calls in the list and the delayed ones, and free their ids. What runs goes on."""
        link = self._links.here()
        await link.ask(link.broker.clear)

    async def stats(self) -> QueueStats:
        """How many tasks are where; what a worker has read ahead counts as running."""
        link = self._links.here()
        return QueueStats(*await link.ask(link.broker.counts))

    async def dead_letters(self, limit: int = 100) -> List[DeadLetter]:
        """Up to `limit` of the dead letters, the oldest of them first."""
        link, records = self._links.here(), self.definition.records
        burials = await link.ask(lambda: dead_letters.burials(link.broker, records, limit, check=True))
        return [self._letter(burial) for burial in burials]

    async def retry_dead(self, *ids: str) -> int:
        """
        Queue these dead letters again, at the back and with their counts at zero; without ids, all. Returns how many.

        A dead letter whose id has been taken by another living task stays where it is.
        """
        link, records = self._links.here(), self.definition.records
        return await link.ask(lambda: dead_letters.retry(link.broker, records, ids, check=True))

    async def delete_dead(self, *ids: str) -> int:
        """Delete these dead letters; without ids, all. Returns how many."""
        link = self._links.here()
        return await link.ask(lambda: dead_letters.delete(link.broker, ids))

    async def close(self) -> None:
        """Stop consuming, and give up the connections of this event loop. The task may be used again."""
        await self.stop()
        await self._links.close_here()

    def _letter(self, burial: Burial) -> DeadLetter:
        args = kwargs = None
        if burial.died_at:
            try:
                call = self.definition.codec.decode(dead_letters.body_of(burial))
                args, kwargs = call.args, call.kwargs
            except BadPayload:
                pass
        return DeadLetter(
            burial.name, args, kwargs, burial.error, burial.deliveries, burial.died_at, burial.payload
        )


class BoundTask:
    """A task with the way in which it is to be submitted; see AioTask.options."""

    __slots__ = ("_links", "_schedule")

    def __init__(self, links: Links, schedule: Schedule) -> None:
        self._links = links
        self._schedule = schedule

    async def submit(self, *args: Any, **kwargs: Any) -> TaskHandle:
        """As AioTask.submit."""
        return await submit_one(self._links, self._schedule, args, kwargs)

    async def submit_many(self, calls: Calls) -> List[TaskHandle]:
        """As AioTask.submit_many; not with an `id`, which only one of them could have."""
        if self._schedule.id:
            raise ValueError(
                "options(id=...) names one task: submit() it, or leave out the id for submit_many()"
            )
        return await submit_all(self._links, self._schedule, calls)
