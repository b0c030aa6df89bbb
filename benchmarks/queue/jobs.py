"""What the tasks do, apart from noting in the journal that they have been done."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Callable, Coroutine

if TYPE_CHECKING:
    from benchmarks.queue.journal import Journal

Job = Callable[[int], Coroutine[object, object, None]]


def noop(journal: Journal) -> Job:
    """End at the first step."""

    async def job(item: int) -> None:  # noqa: ARG001 - real work would look at it
        journal.task_done()

    return job


def sleep_10ms(journal: Journal) -> Job:
    """Wait for a timer, as I/O would."""

    async def job(item: int) -> None:  # noqa: ARG001 - see above
        await asyncio.sleep(0.01)
        journal.task_done()

    return job


def note_delay(journal: Journal) -> Job:
    """Take the time of the submission, and note how long ago that is."""

    async def job(item: int) -> None:
        journal.delayed(time.monotonic_ns() - item)
        journal.task_done()

    return job


JOBS = {function.__name__: function for function in (noop, sleep_10ms, note_delay)}


async def never(item: int) -> None:
    """Be the task of a process that only submits."""
    raise AssertionError(f"task {item} runs in the producer")
