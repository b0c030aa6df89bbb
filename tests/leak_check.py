"""For programs that do something thousands of times and must leave nothing: jobs to do it with, and the check."""

from __future__ import annotations

import asyncio
import collections
import gc
import os
import sys
from pathlib import Path
from typing import Any, Callable, Counter, Dict, Tuple

from nb_aiopool import NbAioPool, PoolFull, _core

N = 4000  # operations in a round
ROUNDS = 8


async def value(result: Any = None) -> Any:
    return result


async def twice() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def fails() -> None:
    raise LookupError


async def cancels() -> None:
    raise asyncio.CancelledError


async def held() -> None:
    await asyncio.get_running_loop().create_future()


class Awaitable:
    def __await__(self) -> Any:
        yield from asyncio.sleep(0).__await__()


# Shared objects of which one reference too many shows nowhere else. (Some are immortal from 3.12 on.)
WATCHED: Dict[str, Any] = {
    "None": None,
    "Job": _core.Job,
    "Pool": _core.Pool,
    "NbAioPool": NbAioPool,
    "value": value,
    "PoolFull": PoolFull,
    "LookupError": LookupError,
    "CancelledError": asyncio.CancelledError,
}


def measure() -> Tuple[Dict[str, int], Counter[str]]:
    """What there is: counts of everything, and the kinds of objects for the message."""
    for _ in range(3):
        gc.collect()
    kinds = collections.Counter(type(thing).__name__ for thing in gc.get_objects())
    counts = {name: sys.getrefcount(thing) for name, thing in WATCHED.items()}
    counts["objects"] = sum(kinds.values())
    counts["total"] = getattr(sys, "gettotalrefcount", int)()  # debug builds only
    counts["blocks"] = sys.getallocatedblocks()
    return counts, kinds


def resident() -> int:
    """How many bytes of memory the process has, or 0 where that cannot be told or means nothing."""
    if not sys.platform.startswith("linux") or "asan" in os.environ.get("LD_PRELOAD", ""):
        return 0
    gc.collect()
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def check_rounds(once: Callable[[], Any], operations: int = N) -> None:
    """Fail if each round leaves more than the one before.

    A leak shows in every round; free lists, caches and the interpreter's own growth only in some of them.
    """
    once()
    before, kinds = measure()
    for _ in range(ROUNDS):
        once()
        after, more_kinds = measure()
        grown = {name: after[name] - before[name] for name in after}
        left = {name: growth for name, growth in grown.items() if growth > operations // 20}
        if not left:
            return
        shown = left, (more_kinds - kinds).most_common(8)
        before, kinds = after, more_kinds
    raise AssertionError("each round leaves more: %s" % (shown,))


def run(main: Any) -> None:
    """Run a coroutine on a loop that keeps its complaints for itself."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(main)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def check(main: Callable[[], Any]) -> None:
    check_rounds(lambda: run(main()))
