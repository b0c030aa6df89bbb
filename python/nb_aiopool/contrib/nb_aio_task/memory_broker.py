"""Queues inside the process: `redis_url="memory://"`, for tests and for programs that need no server."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections import deque
from typing import Callable, Deque, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from .broker import Broker, Counts, Exchange, Lease, Leases, Request, Submission
from .memory_state import MemoryState
from .memory_wait import Wait
from .per_process import PerProcess

SCHEME = "memory://"

Clock = Callable[[], float]


class MemoryBroker(Broker):
    """
    The queue `list_name` of the memory that `url` names: "memory://", or "memory://NAME" for others beside it.

    Requires: all brokers of a queue get the same `clock`, which tells seconds and never goes back.
    Guarantees: all brokers of the process with this URL and name share the queue, in any thread and event loop. It
    lasts as long as the process; a process that is forked off begins with an empty one, so that no task is run by both.
    """

    def __init__(self, url: str, list_name: str, *, clock: Clock = time.monotonic) -> None:
        if not url.startswith(SCHEME):
            raise ValueError(f"{url!r} names no memory: use {SCHEME!r} or {SCHEME + 'NAME'!r}")
        self._queue = _shared_queue((url, list_name))
        self._clock = clock

    async def push(self, producer: str, sequence: int, submissions: Sequence[Submission]) -> List[str]:
        await _give_way()
        with self._queue.state() as state:
            return state.push(self._now(), producer, sequence, submissions)

    async def exchange(self, consumer: str, request: Request) -> Exchange:
        await _give_way()
        with self._queue.state() as state:
            return state.exchange(self._now(), consumer, request)

    async def wait(self, consumer: str, timeout: float) -> Optional[bytes]:
        wait = Wait(self, consumer)
        self._queue.start_wait(wait)
        timer = asyncio.get_running_loop().call_later(timeout, wait.end_here)
        try:
            await wait.over
        finally:
            timer.cancel()
            self._queue.forget_wait(wait)
        return wait.payload

    async def end_wait(self) -> None:
        self._queue.end_waits_of(self)

    async def reconcile(
        self, consumer: str, known: Iterable[int], *, put_by: bool = False, early: int = 0
    ) -> int:
        with self._queue.state() as state:
            return state.reconcile(consumer, known, put_by=put_by, early=early)

    async def leave(self, consumer: str) -> None:
        with self._queue.state() as state:
            state.leave(consumer)

    async def counts(self) -> Counts:
        with self._queue.state() as state:
            return state.counts()

    async def size(self) -> int:
        with self._queue.state() as state:
            return state.size()

    async def clear(self) -> None:
        with self._queue.state() as state:
            state.clear()

    async def places(self, tokens: Sequence[str]) -> Dict[str, str]:
        with self._queue.state() as state:
            return state.places(tokens)

    async def results(self, names: Sequence[str]) -> List[Optional[bytes]]:
        with self._queue.state() as state:
            return state.results(self._now(), names)

    async def dead_names(self, limit: Optional[int] = None) -> List[str]:
        with self._queue.state() as state:
            return state.dead_names(limit)

    async def dead(self, names: Sequence[str]) -> List[Optional[bytes]]:
        with self._queue.state() as state:
            return state.dead(names)

    async def revive(self, name: str, record: bytes, submission: Submission) -> bool:
        with self._queue.state() as state:
            return state.revive(self._now(), name, record, submission)

    async def bury(self, names: Sequence[str]) -> int:
        with self._queue.state() as state:
            return state.bury(names)

    def leases(self, patience: float = math.inf) -> MemoryLeases:  # noqa: ARG002 -- nothing takes long here
        return MemoryLeases(self._queue, self._clock)

    async def close(self) -> None:
        await self.end_wait()

    def _now(self) -> int:
        return _in_ms(self._clock)


class MemoryLeases(Leases):
    """The leases of a queue inside the process."""

    def __init__(self, queue: _Queue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock
        self._seen_at = 0

    def renew(self, consumer: str, lease: float) -> bool:
        with self._queue.state() as state:
            return state.renew(_in_ms(self._clock), consumer, lease)

    def seen(self) -> Sequence[Lease]:
        with self._queue.state() as state:
            self._seen_at = _in_ms(self._clock)
            return state.seen()

    def now(self) -> int:
        return self._seen_at

    def recover(self, lease: Lease, *, max_deliveries: int, limit: int) -> Optional[int]:
        with self._queue.state() as state:
            return state.recover(_in_ms(self._clock), lease, max_deliveries, limit)

    def close(self) -> None:
        pass


class _Queue:
    """A queue's state and its waits, under one lock. Nothing is awaited, and no loop is woken, while it is held."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything."""
        self._lock = threading.Lock()
        self._state = MemoryState()
        self._waits: Deque[Wait] = deque()

    @contextlib.contextmanager
    def state(self) -> Iterator[MemoryState]:
        """Lend the state for one step; whoever has waited longest gets what is in the list after that."""
        with self._lock:
            yield self._state
            served = self._serve()
        _end(served)

    def start_wait(self, wait: Wait) -> None:
        with self._lock:
            self._waits.append(wait)
            served = self._serve()
        _end(served)

    def forget_wait(self, wait: Wait) -> None:
        with self._lock, contextlib.suppress(ValueError):
            self._waits.remove(wait)

    def end_waits_of(self, owner: object) -> None:
        with self._lock:
            ended = [wait for wait in self._waits if wait.owner is owner]
            self._waits = deque(wait for wait in self._waits if wait.owner is not owner)
        _end(ended)

    def _serve(self) -> List[Wait]:
        served: List[Wait] = []
        while self._waits and self._state.size():
            wait = self._waits.popleft()
            # A loop that was closed without having cancelled its tasks: nobody would hear of it.
            if not wait.is_lost:
                wait.payload = self._state.put_by(wait.consumer)
                served.append(wait)
        return served


def _end(waits: Iterable[Wait]) -> None:
    for wait in waits:
        wait.end()


async def _give_way() -> None:
    # A broker elsewhere lets the loop go on while it answers; users push and fetch in loops that rely on it.
    await asyncio.sleep(0)


def _in_ms(clock: Clock) -> int:
    return int(clock() * 1000)


# Those of a list name, of all brokers of a URL.
_shared_queue = PerProcess[Tuple[str, str], _Queue](lambda _: _Queue(), _Queue.begin_anew)
