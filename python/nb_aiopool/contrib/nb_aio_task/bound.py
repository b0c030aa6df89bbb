"""A task with another way to be submitted: later, or under an id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List

from .calls import Calls, submit_all, submit_one

if TYPE_CHECKING:
    from .handle import TaskHandle
    from .link import Links
    from .schedule import Schedule


class BoundTask:
    """
    A task with the way in which it is to be submitted; see AioTask.options.

    Examples:
        >>> @aio_task("bound", redis_url="memory://")
        ... async def work(n): ...
        >>> async def main():
        ...     tomorrow = work.options(delay=86400)
        ...     await tomorrow.submit(1)
        ...     await tomorrow.submit(2)
        ...     print((await work.stats()).delayed)
        ...     await work.clear_queue()
        >>> asyncio.run(main())
        2
    """

    __slots__ = ("_links", "_schedule")

    def __init__(self, links: Links, schedule: Schedule) -> None:
        self._links = links
        self._schedule = schedule

    async def submit(self, /, *args: Any, **kwargs: Any) -> TaskHandle:
        """
        As AioTask.submit.

        Examples:
            >>> @aio_task("bound one", redis_url="memory://")
            ... async def work(n): ...
            >>> async def main():
            ...     handle = await work.options(id="first").submit(1)
            ...     await work.clear_queue()
            ...     return handle.id
            >>> asyncio.run(main())
            'first'
        """
        return await submit_one(self._links, self._schedule, args, kwargs)

    async def submit_many(self, calls: Calls) -> List[TaskHandle]:
        """
        As AioTask.submit_many; not with an `id`, which only one of them could have.

        Examples:
            >>> @aio_task("bound many", redis_url="memory://")
            ... async def work(n): ...
            >>> async def main():
            ...     await work.options(delay=60).submit_many([((1,), {}), ((2,), {})])
            ...     print((await work.stats()).delayed)
            ...     await work.clear_queue()
            >>> asyncio.run(main())
            2
        """
        if self._schedule.id:
            raise ValueError(
                "options(id=...) names one task: submit() it, or leave out the id for submit_many()"
            )
        return await submit_all(self._links, self._schedule, calls)
