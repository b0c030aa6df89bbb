"""
What happens to tasks, told to whoever wants to count it.

    from nb_aiopool.contrib.nb_aio_task import on_event

    def count(event):
        METRICS[event.kind, event.queue].inc()

    stop_counting = on_event(count)
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Callable, List, Optional

logger = logging.getLogger("nb_aiopool.contrib.nb_aio_task")


@dataclass
class TaskEvent:
    """
    One event.

    `kind` is one of "submitted" (`count` tasks at once), "started" (`age`: seconds since it was submitted, if that
    is known), "succeeded" and "failed" (`seconds` that it ran; "failed" comes for each attempt, with `error`),
    "retried" (`delay` until the next attempt), "dead" (with `error`), "redelivered" (`count`: how often it was
    given to a worker that died), "recovered" (the tasks of a worker whose lease had run out were handed back; `id`
    is the worker's name) and "lease lost" (this worker's own: `count` tasks were taken from it).

    Examples:
        >>> event = TaskEvent("succeeded", "mails", "order-42", seconds=0.5)
        >>> event.kind, event.queue, event.id, event.seconds, event.error
        ('succeeded', 'mails', 'order-42', 0.5, None)
    """

    kind: str
    queue: str
    id: str = ""
    count: int = 1
    age: Optional[float] = None
    seconds: Optional[float] = None
    delay: Optional[float] = None
    error: Optional[str] = None


Hook = Callable[[TaskEvent], object]

hooks: List[Hook] = []
"""Read this before making an event: without hooks, events cost nothing."""


def on_event(hook: Hook) -> Callable[[], None]:
    """
    Call `hook(event)` for every TaskEvent in this process from now on; returns a function that ends it.

    Requires: it is quick and does not block: it is called by workers' event loops, and by the thread that keeps leases.
    Guarantees: what it raises is logged, and harms no task.

    Examples:
        >>> @aio_task("counted", redis_url="memory://")
        ... async def add(x, y):
        ...     await add.stop()
        >>> async def main():
        ...     seen = []
        ...     stop_counting = on_event(lambda event: seen.append(event.kind))
        ...     await add.submit(1, 2)
        ...     await add.consume()
        ...     stop_counting()
        ...     return seen
        >>> asyncio.run(main())
        ['submitted', 'started', 'succeeded']
    """
    given: Any = hook
    if not callable(given):
        raise TypeError(f"on_event() takes a function of one argument, not {given!r}")
    hooks.append(hook)

    def stop() -> None:
        if hook in hooks:
            hooks.remove(hook)

    return stop


def emit(event: TaskEvent) -> None:
    for hook in tuple(hooks):
        try:
            hook(event)
        except Exception:
            logger.exception("%r, which was given to on_event(), has failed with %r", hook, event)
