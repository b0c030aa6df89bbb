"""Small things that many tests need to hold jobs still and to look at them."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from typing import Any, Deque, Dict, List, Tuple


async def turns(n: int = 1) -> None:
    """Give way to the loop ``n`` times."""
    for _ in range(n):
        await asyncio.sleep(0)


async def value(result: Any = None) -> Any:
    """A job that ends at its first step."""
    return result


async def raises(exception: BaseException) -> Any:
    """A job that fails at its first step."""
    raise exception


async def append(log: List[Any], entry: Any) -> Any:
    """A job that writes down that it ran."""
    log.append(entry)
    return entry


def is_closed(coro: Any) -> bool:
    """Whether a coroutine has ended or been closed."""
    return inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


def is_untouched(coro: Any) -> bool:
    """Whether a coroutine has neither been started nor closed."""
    return inspect.getcoroutinestate(coro) == inspect.CORO_CREATED


def accounting(pool: Any) -> Any:
    """Check that the books balance, at this very moment, and return the pool's stats."""
    stats = pool.stats()
    ended = stats.succeeded + stats.failed + stats.cancelled
    assert stats.submitted == ended + stats.queued + stats.running, stats
    assert (stats.queued, stats.running) == (pool.queued, pool.running), stats
    return stats


def fill(pool: Any, gate: Gate) -> List[Any]:
    """Take every slot and the whole queue with jobs that wait at the gate; the job of number i returns i."""
    room = pool.max_concurrency + pool.max_queue_size - pool.running - pool.queued
    jobs = [pool.submit_nowait(gate.hold(i)) for i in range(room)]
    assert (pool.running, pool.queued) == (pool.max_concurrency, pool.max_queue_size)
    return jobs


async def park(pool: Any, *coros: Any) -> List[Any]:
    """Put one producer for each coroutine in line, in this order; they are tasks around ``pool.submit``."""
    before = pool.waiting
    producers = []
    for coro in coros:
        producers.append(asyncio.ensure_future(pool.submit(coro)))
        await turns()
    assert pool.waiting == before + len(coros)
    return producers


async def take(results: Any) -> List[Any]:
    """What comes before the end or an exception; the exception is the last entry."""
    seen: List[Any] = []
    try:
        async for result in results:
            seen.append(result)
    except BaseException as error:
        seen.append(error)
    return seen


class Gate:
    """Holds whoever waits at it until the test lets them through, and counts them.

    >>> job = await pool.submit(gate.hold("result"))     # doctest: +SKIP
    >>> await gate.reached(1)                            # doctest: +SKIP
    >>> gate.open()                                      # doctest: +SKIP
    """

    def __init__(self) -> None:
        self.arrived = 0  # how many have come to the gate so far
        self.passed = 0  # how many have gone through
        self.is_open = False
        self._held: Deque[asyncio.Future[None]] = deque()
        self._watchers: List[Tuple[int, asyncio.Future[None]]] = []

    async def wait(self) -> None:
        """Arrive, and stay until let through."""
        self.arrived += 1
        for wanted, watcher in self._watchers:
            if self.arrived >= wanted and not watcher.done():
                watcher.set_result(None)
        if not self.is_open:
            held = asyncio.get_running_loop().create_future()
            self._held.append(held)
            try:
                await held
            finally:
                if held in self._held:
                    self._held.remove(held)
        self.passed += 1

    async def hold(self, result: Any = None) -> Any:
        """A job: wait at the gate, then return ``result``."""
        await self.wait()
        return result

    def open(self) -> None:
        """Let through everyone who waits and everyone who comes from now on."""
        self.is_open = True
        self.release(len(self._held))

    def release(self, n: int = 1) -> None:
        """Let through the ``n`` who have waited longest."""
        for _ in range(min(n, len(self._held))):
            held = self._held.popleft()
            if not held.done():
                held.set_result(None)

    async def reached(self, n: int) -> None:
        """Wait until ``n`` have arrived in all."""
        if self.arrived < n:
            watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watchers.append((n, watcher))
            await watcher


class Load:
    """Counts how many jobs are inside at once: ``await load.job()`` as a job, ``load.peak`` afterwards."""

    def __init__(self) -> None:
        self.inside = 0
        self.peak = 0
        self.ended = 0

    async def job(self, n: int = 3, result: Any = None) -> Any:
        """Stay inside for ``n`` loop turns."""
        self.inside += 1
        self.peak = max(self.peak, self.inside)
        try:
            await turns(n)
        finally:
            self.inside -= 1
            self.ended += 1
        return result


class Awaitable:
    """An awaitable that is no coroutine; it counts how often its ``__await__`` was called."""

    def __init__(self, result: Any = None) -> None:
        self.result = result
        self.calls = 0

    def __await__(self) -> Any:
        self.calls += 1
        yield from turns().__await__()
        return self.result


def outcome(future: Any) -> Tuple[str, Any]:
    """("cancelled", None), ("exception", it), ("result", it) or ("pending", None) of a future."""
    if not future.done():
        return ("pending", None)
    if future.cancelled():
        return ("cancelled", None)
    if future.exception() is not None:
        return ("exception", future.exception())
    return ("result", future.result())


def counts(pool: Any) -> Dict[str, int]:
    """What the pool holds now; the books are checked on the way."""
    accounting(pool)
    return {"running": pool.running, "queued": pool.queued, "waiting": pool.waiting}
