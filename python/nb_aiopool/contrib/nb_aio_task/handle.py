"""What `submit` returns: a task's name, and the way to its result."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Optional

from .errors import BadPayload, QueueError, TaskFailed
from .results import Expected

if TYPE_CHECKING:
    from .link import Link, Links


class TaskHandle:
    """
    A submitted task. `id` is its name: the one given by `options(id=...)`, or one made for it.

    Examples:
        >>> @aio_task("orders", redis_url="memory://")
        ... async def ship(order): ...
        >>> async def main():
        ...     handle = await ship.options(id="order-42").submit(42)
        ...     print(handle.id, await handle.status())
        ...     await ship.clear_queue()
        >>> asyncio.run(main())
        order-42 queued
    """

    __slots__ = ("_links", "_token", "id")

    def __init__(self, links: Links, id: str, token: str) -> None:  # noqa: A002
        self._links = links
        self._token = token
        self.id = id

    def __repr__(self) -> str:
        return f"<TaskHandle {self.id} of {self._links.definition.list_name}>"

    async def result(self, timeout: Optional[float] = None) -> Any:
        """
        Wait until the task has ended, on whichever worker, and return what it returned.

        Requires: the task was defined with `result_ttl`, and its result has not expired.
        Raises TaskFailed with the worker's traceback if the task is a dead letter, asyncio.TimeoutError after `timeout`
        seconds (the task goes on; with 0 the result is looked for once), ResultUnavailable if none can come any more.

        Examples:
            >>> @aio_task("sums", redis_url="memory://", result_ttl=60)
            ... async def add(x, y):
            ...     return x + y
            >>> async def main():
            ...     worker = asyncio.create_task(add.consume())
            ...     handle = await add.submit(1, 2)
            ...     print(await handle.result(timeout=10))
            ...     await add.stop()
            ...     await worker
            >>> asyncio.run(main())
            3
        """
        _check_limit(timeout)
        if not self._links.definition.options.result_ttl:
            raise QueueError(
                f"{self._links.definition.list_name} stores no results: define the task with"
                " @aio_task(..., result_ttl=seconds) to wait for them"
            )
        outcome = await self._links.here().results.wait(Expected(self.id, self._token), timeout)
        if outcome.error is not None:
            raise TaskFailed(self.id, outcome.error, outcome.traceback)
        return outcome.value

    async def status(self) -> str:
        """
        Where the task is: "queued", "delayed" (also between two attempts), "running" (fetched by a worker), "done",
        "dead", or "unknown": done without result_ttl, or its result has expired, or it was cleared, or deleted when
        it was dead.

        Examples:
            >>> @aio_task("placed", redis_url="memory://")
            ... async def add(x, y): ...
            >>> async def main():
            ...     soon, later = await add.submit(1, 2), await add.options(delay=60).submit(3, 4)
            ...     print(await soon.status(), await later.status())
            ...     await add.clear_queue()
            ...     print(await soon.status())
            >>> asyncio.run(main())
            queued delayed
            unknown
        """
        link = self._links.here()
        for _ in range(2):  # it may move on from where it is looked for last to where it was looked for first
            place = (await link.places([self._token])).get(self._token)
            if place is not None:
                return place
            ended = await self._how_it_ended(link)
            if ended is not None:
                return ended
        return "unknown"

    async def _how_it_ended(self, link: Link) -> Optional[str]:
        records = self._links.definition.records
        result = (await link.persist(lambda: link.broker.results([self.id])))[0]
        if result is not None:
            try:
                outcome = records.decode_outcome(self.id, result)
            except BadPayload:  # of a class that is not known here, or not ours: there is one
                return "done"
            # The record of a failure outlasts the dead letter if that is deleted.
            if outcome.token == self._token and (outcome.error is None or outcome.unstorable):
                return "done"
        dead = (await link.persist(lambda: link.broker.dead([self.id])))[0]
        if dead is not None:
            try:
                if records.decode_burial(self.id, dead).token == self._token:
                    return "dead"
            except BadPayload:
                return "dead"
        return None


def _check_limit(timeout: Any) -> None:
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, Real)):
        raise TypeError(f"timeout must be a number of seconds, or None for no limit, not {timeout!r}")
