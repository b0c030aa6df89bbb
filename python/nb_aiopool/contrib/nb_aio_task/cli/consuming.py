"""Consuming several queues in one event loop, until all are stopped or drained."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Callable, Coroutine, Iterable, Optional, Sequence, Set

from nb_aiopool.contrib.nb_aio_task.brokers import broker_for
from nb_aiopool.contrib.nb_aio_task.burst import Burst
from nb_aiopool.contrib.nb_aio_task.errors import Outage

from .signals import ABORT

if TYPE_CHECKING:
    from nb_aiopool.contrib.nb_aio_task.task import AioTask

logger = logging.getLogger("nb_aiopool.contrib.nb_aio_task")

_PATIENCE = 2.0


class Consuming:
    """
    As long as `held()` is true a burst goes on, although the queues are drained.

    Requires: made, and used, inside a running event loop.
    """

    def __init__(
        self,
        tasks: Sequence[AioTask[Any]],
        *,
        burst: bool,
        concurrency: Optional[int],
        held: Callable[[], bool],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks = list(tasks)
        self._burst = Burst(len(self._tasks), held) if burst else None
        self._concurrency = concurrency
        self._pending: Set[asyncio.Task[None]] = set()
        self._level = 0

    async def run(self) -> None:
        """
        Guarantees: returns when everything is stopped or drained, and nothing is left undone that the queues promise.
        If one of them fails, e.g. because a password is wrong, the others are stopped, and then its error is raised.
        """
        # What a server refuses for good is said once, and before anything of the workers says it as well.
        servers = {task.redis_url: task.queue_name for task in self._tasks}
        await self._all(_try_server(url, queue) for url, queue in servers.items())
        if not self._level:
            await self._all(
                task._consume(  # pyright: ignore[reportPrivateUsage]
                    burst=self._burst or False, max_concurrency=self._concurrency
                )
                for task in self._tasks
            )

    async def _all(self, coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Run them side by side, to their ends. If one fails the others are stopped, and then its error is raised."""
        failure: Optional[BaseException] = None
        self._pending = {self._loop.create_task(one) for one in coroutines}
        while self._pending:
            done, self._pending = await asyncio.wait(self._pending, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                error = None if one.cancelled() else one.exception()
                if error is not None:
                    failure = failure or error
                    self._stop()
        if failure is not None:
            raise failure

    async def remaining(self) -> int:
        """How many calls are queued, delayed or running."""
        counts = [await task.stats() for task in self._tasks]
        return sum(one.queued + one.delayed + one.running for one in counts)

    def obey(self, level: int) -> None:
        """Stop, or abort: see signals."""
        if level == ABORT:
            logger.info("stopping at once: what is running is cancelled and handed back")
            self._stop(abort=True)
        elif not self._level:
            logger.info("stopping: what is running may finish; a second signal cancels it")
            self._stop()

    def _stop(self, *, abort: bool = False) -> None:
        # Cancelled once, which is what interrupts a wait for a server: a second time would cancel what it runs.
        first, self._level = not self._level, 1
        if first:
            for one in self._pending:
                one.cancel()
        for task in self._tasks:
            task._stop_here(abort=abort)  # pyright: ignore[reportPrivateUsage]


async def _try_server(url: str, queue: str) -> None:
    broker = broker_for(url, queue)
    try:
        with contextlib.suppress(Outage, asyncio.TimeoutError):  # the workers wait for it
            await asyncio.wait_for(broker.size(), _PATIENCE)
    finally:
        await broker.close()
