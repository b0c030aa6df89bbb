"""No pool at all: the coroutines are awaited where they stand, one after another. What everything is measured by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable

if TYPE_CHECKING:
    from benchmarks.rivals import Job, Limits

MODULE = "asyncio"
REQUIREMENT = ""
LIMITED = False
QUEUE = ""


async def bare_await(_limits: Limits, job: Job, items: Iterable[Any]) -> None:
    for item in items:
        await job(item)
