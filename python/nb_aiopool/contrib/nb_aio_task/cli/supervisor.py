"""
Several worker processes, kept alive.

The supervisor loads none of the user's modules, which may be large, and does no work that could fail: it starts
processes, waits for them, and tells them when to stop. If it dies, they notice (`leash`) and end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Awaitable, Dict, List, Optional, Set

from nb_aiopool.contrib.nb_aio_task.brokers import broker_for
from nb_aiopool.contrib.nb_aio_task.errors import QueueError

from . import leash as words
from . import logs
from .child import Child, described
from .failure import FAILED, UNUSABLE
from .orphans import Orphans
from .progress import Counts, Progress
from .restarts import Restarts
from .signals import ABORT, STOP, StopRequests

if TYPE_CHECKING:
    from nb_aiopool.contrib.nb_aio_task.broker import Broker

    from .plan import Plan

logger = logging.getLogger("nb_aiopool.contrib.nb_aio_task")

_PATIENCE = 2.0
_KEPT_WORDS = (words.UNLOADABLE, words.REFUSED, words.DRAINED)


def supervise(plan: Plan, processes: int) -> int:
    """Run so many processes until they are stopped or have drained the queues; returns the exit status."""
    requests = StopRequests()
    with requests.installed():
        logs.configure(over_a_bar=plan.burst and sys.stderr.isatty())
        return asyncio.run(_supervise(plan, processes, requests))


async def _supervise(plan: Plan, processes: int, requests: StopRequests) -> int:
    supervisor = Supervisor(plan, processes)
    requests.listen(supervisor.obey)
    status = await supervisor.run()
    requests.finish()
    return status


class Supervisor:
    """Requires: made, and used, inside a running event loop."""

    def __init__(self, plan: Plan, processes: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._plan = plan
        self._processes = processes
        self._children: Set[Child] = set()
        self._last_words: Dict[Child, str] = {}
        self._level = 0
        self._status = 0
        self._orphans = Orphans()
        self._has_lost_one = False
        self._stopping = asyncio.Event()
        self._loaded = asyncio.Event()
        self._brokers: Optional[List[Broker]] = None
        self._counts: Dict[Child, Counts] = {}

    async def run(self) -> int:
        """
        Guarantees: when it returns, no process is left. The first has loaded its modules before the others are started:
        what is wrong with them is said once.
        """
        running = self._run()
        if self._plan.burst:
            progress = Progress(sys.stderr, self._all_counts, self._remaining, lambda: bool(self._level))
            watching = asyncio.ensure_future(self._watch_orphans())
            try:
                await progress.during(running)
                await self._tell_of_orphans()
            finally:
                watching.cancel()
                await asyncio.wait([watching])
                await self._orphans.close()
                for broker in self._brokers or ():
                    await broker.close()
        else:
            await running
        logger.info("all %d processes have ended", self._processes)
        return self._status

    async def _run(self) -> None:
        await self._run_all()
        # What the dead held comes back only while a process runs, and perhaps after others have ended: another look.
        while self._plan.burst and self._has_lost_one and not self._status and not self._stopping.is_set():
            self._has_lost_one = self._orphans.pending
            await self._run_all()

    async def _run_all(self) -> None:
        slots = [asyncio.ensure_future(self._keep_alive(1))]
        await self._first(slots[0], self._loaded.wait())
        if not slots[0].done():
            slots += [asyncio.ensure_future(self._keep_alive(n)) for n in range(2, self._processes + 1)]
        await asyncio.gather(*slots)

    async def _keep_alive(self, number: int) -> None:
        restarts = Restarts()
        while not self._stopping.is_set():
            begun = time.monotonic()
            try:
                child = Child(self._plan.command(), self._hear)
            except OSError as error:
                said = f"worker {number} cannot be started: {error}"
            else:
                status = await self._live(number, child)
                if self._is_final(number, child, status):
                    return
                said = f"worker {number} (pid {child.pid}) has ended unexpectedly: {described(status)}"
                self._lose(child)
            pause = restarts.pause(time.monotonic() - begun)
            logger.warning("%s; it is started again in %.1f s", said, pause)
            await self._first(asyncio.sleep(pause), self._stopping.wait())

    async def _live(self, number: int, child: Child) -> int:
        logger.info("worker %d is process %d", number, child.pid)
        self._children.add(child)
        if self._orphans.pending:
            child.hold(True)
        if self._level:
            child.ask(self._level)
        try:
            return await child.ended()
        finally:
            self._children.discard(child)

    def _is_final(self, number: int, child: Child, status: int) -> bool:
        """Whether the process is not to be started again; says why, and sees to what follows from it."""
        word = self._last_words.pop(child, "")
        if word == words.UNLOADABLE:
            logger.error("worker %d cannot load its modules; it is not started again", number)
            self._status = UNUSABLE
        elif word == words.REFUSED:
            self._status = FAILED
            self._stop()
        elif word != words.DRAINED or status:
            if not self._stopping.is_set():
                return False
            if status:
                logger.warning(
                    "worker %d (pid %d) did not stop in peace: %s", number, child.pid, described(status)
                )
                self._status = FAILED
        return True

    def _hear(self, child: Child, word: str, value: Any) -> None:
        if word == words.COUNTED:
            self._counts[child] = Counts(*value)
        elif word == words.LOADED:
            self._orphans.queues = [(url, name) for url, name in value if not url.startswith("memory:")]
            self._loaded.set()
        elif word in _KEPT_WORDS:
            self._last_words[child] = word

    def obey(self, level: int) -> None:
        """Stop, or abort: see signals."""
        if level == ABORT:
            logger.info("stopping at once: what is running is cancelled and handed back")
        elif not self._level:
            logger.info("stopping %d processes; a second signal cancels what they run", len(self._children))
        self._stop(level)

    def _stop(self, level: int = STOP) -> None:
        self._level = max(self._level, level)
        self._stopping.set()
        for child in self._children:
            child.ask(level)

    async def _first(self, *awaitables: Awaitable[Any]) -> None:
        """Wait until one of them has ended; a wait that has not is given up, a process is not."""
        futures = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
        try:
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future, awaitable in zip(futures, awaitables):
                if future is not awaitable:
                    future.cancel()

    def _lose(self, child: Child) -> None:
        self._has_lost_one = True
        if self._plan.burst:
            if not self._orphans.pending:
                logger.info("the burst goes on until what it held has come back, when its lease has run out")
            self._orphans.add(child.pid)
            self._hold(True)

    def _hold(self, held: bool) -> None:
        for child in self._children:
            child.hold(held)

    async def _watch_orphans(self) -> None:
        try:
            await self._orphans.watch(lambda: self._hold(False))
        except Exception:  # whatever it is: without looking, the burst would wait for ever
            logger.exception("what a dead process held cannot be looked at")
            self._status = FAILED
            self._stop()

    async def _tell_of_orphans(self) -> None:
        if not self._orphans.pending or self._level:
            return
        with contextlib.suppress(QueueError, asyncio.TimeoutError):
            left = await asyncio.wait_for(self._remaining(), _PATIENCE)
            if left:
                logger.warning(
                    "%d tasks are not done yet: those of a process that has died start again on the next worker"
                    " when its lease has run out",
                    left,
                )

    def _all_counts(self) -> Counts:
        counts = self._counts.values()
        return Counts(sum(one.done for one in counts), sum(one.failed for one in counts))

    async def _remaining(self) -> Optional[int]:
        if self._brokers is None:
            if not self._loaded.is_set():
                return None
            self._brokers = [broker_for(url, name) for url, name in self._orphans.queues]
        counts = [await broker.counts() for broker in self._brokers]
        return sum(one.queued + one.delayed + one.running for one in counts)
