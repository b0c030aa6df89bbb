"""Waiting for results: one look at all that anybody waits for, now and then, instead of a connection for each."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional

from .errors import BadPayload, Outage, QueueError, ResultUnavailable
from .outages import OutageLog, persist
from .records import Outcome, Records

if TYPE_CHECKING:
    from .broker import Broker

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.2
_LONGEST_OUTAGE_PAUSE = 2.0
_LOOK_AT_ONCE = 500
# Whether a result can still come is a question to the whole list: it is asked rarely, and the more so the longer it
# takes.
_FIRST_SEARCH = 0.3
_LONGEST_BETWEEN_SEARCHES = 60.0
_REST_AFTER_SEARCH = 20


class Expected(NamedTuple):
    """The result of one task: its name, and the token that tells it from others that had the same id."""

    name: str
    token: str


class ResultWatch:
    """
    The results of one queue that are waited for in one event loop.

    Guarantees: a result is noticed at most a fifth of a second after it is there, and much sooner if it comes soon.
    """

    def __init__(self, broker: Broker, records: Records, log: OutageLog) -> None:
        self._broker = broker
        self._records = records
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._waiters: Dict[Expected, List[asyncio.Future[Outcome]]] = {}
        self._pause = 0.0
        self._search_at = 0.0
        self._rested_at = 0.0
        self._between_searches = 0.0
        self._looker: Optional[asyncio.Task[None]] = None

    async def wait(self, expected: Expected, timeout: Optional[float]) -> Outcome:
        """
        The outcome of the task, as soon as there is one.

        Raises ResultUnavailable when none can come any more, asyncio.TimeoutError after `timeout` seconds; with 0 it is
        looked for once.
        """
        waiter: asyncio.Future[Outcome] = self._loop.create_future()
        self._waiters.setdefault(expected, []).append(waiter)
        self._pause = 0.0
        self._search_soon()
        if self._looker is None:
            self._looker = self._loop.create_task(self._look())
        try:
            if timeout is not None and timeout <= 0:
                await self._glance(expected)
            return await asyncio.wait_for(waiter, timeout)
        finally:
            waiters = self._waiters.get(expected)
            if waiters is not None and waiter in waiters:
                waiters.remove(waiter)
                if not waiters:
                    del self._waiters[expected]

    async def _glance(self, expected: Expected) -> None:
        """One look, for who waits for nothing that is not there yet."""
        with contextlib.suppress(Outage):
            record = (await self._broker.results([expected.name]))[0]
            if record is not None:
                self._judge(expected, record)

    async def close(self) -> None:
        """Whoever waits is told so."""
        for expected in list(self._waiters):
            self._tell(
                expected,
                error=QueueError(f"close() was called while the result of {expected.name} was waited for"),
            )
        looker = self._looker
        if looker is not None:
            looker.cancel()
            await asyncio.wait([looker])

    def _search_soon(self) -> None:
        # Not later for those who wait already, or a stream of newcomers would put it off for ever; and not before the
        # rest after the last one, or it would keep the broker busy with that.
        soon = self._loop.time() + _FIRST_SEARCH
        if self._looker is not None:
            soon = min(soon, self._search_at)
        self._between_searches = 1.0
        self._search_at = max(soon, self._rested_at)

    async def _look(self) -> None:
        try:
            while self._waiters:
                await asyncio.sleep(self._pause)
                self._pause = min(max(self._pause * 1.2, _FIRST_PAUSE), _LONGEST_PAUSE)
                await self._look_at(list(self._waiters))
                if self._waiters and self._loop.time() >= self._search_at:
                    await self._search()
        except Exception as error:  # noqa: BLE001 -- told to those who wait
            for expected in list(self._waiters):
                self._tell(expected, error=error)
        finally:
            self._looker = None
            for waiters in self._waiters.values():
                for waiter in waiters:
                    waiter.cancel()

    async def _look_at(self, wanted: List[Expected]) -> None:
        for begin in range(0, len(wanted), _LOOK_AT_ONCE):
            some = wanted[begin : begin + _LOOK_AT_ONCE]
            for expected, record in zip(some, await self._results([e.name for e in some])):
                if record is not None:
                    self._judge(expected, record)

    async def _search(self) -> None:
        """Give up what is neither waiting, nor running, nor finished."""
        begun = time.monotonic()
        wanted = list(self._waiters)
        places = await self._persist_places([e.token for e in wanted])
        missing = [e for e in wanted if e.token not in places]
        if missing:
            await self._look_at(missing)  # they may have ended since the last look
            for expected, record in zip(missing, await self._dead([e.name for e in missing])):
                self._give_up(expected, record)
        took = time.monotonic() - begun
        now = self._loop.time()
        self._rested_at = now + took * _REST_AFTER_SEARCH
        self._search_at = max(now + self._between_searches, self._rested_at)
        self._between_searches = min(self._between_searches * 2, _LONGEST_BETWEEN_SEARCHES)

    def _judge(self, expected: Expected, record: bytes) -> None:
        try:
            outcome = self._records.decode_outcome(expected.name, record)
        except BadPayload as error:
            self._tell(expected, error=error)
            return
        if outcome.token == expected.token:
            self._tell(expected, outcome)
        else:
            self._tell(
                expected,
                error=ResultUnavailable(
                    f"the result stored for id {expected.name!r} is that of another task with the same id"
                ),
            )

    def _give_up(self, expected: Expected, record: Optional[bytes]) -> None:
        if record is not None:
            try:
                burial = self._records.decode_burial(expected.name, record)
            except BadPayload as error:
                self._tell(expected, error=error)
                return
            if burial.token == expected.token:
                self._tell(expected, Outcome(expected.token, error=burial.error.rstrip().rpartition("\n")[2]))
                return
        self._tell(
            expected,
            error=ResultUnavailable(
                f"there is no result of task {expected.name} and none can come: it has ended and its result has expired"
                " (result_ttl), or it was cleared from the queue, or a consumer that stores no results has run it"
            ),
        )

    def _tell(
        self, expected: Expected, outcome: Optional[Outcome] = None, error: Optional[Exception] = None
    ) -> None:
        for waiter in self._waiters.pop(expected, ()):
            if waiter.done():
                continue
            if error is not None:
                waiter.set_exception(error)
            else:
                assert outcome is not None
                waiter.set_result(outcome)

    async def _results(self, names: List[str]) -> List[Optional[bytes]]:
        return await persist(lambda: self._broker.results(names), self._log, _LONGEST_OUTAGE_PAUSE)

    async def _dead(self, names: List[str]) -> List[Optional[bytes]]:
        return await persist(lambda: self._broker.dead(names), self._log, _LONGEST_OUTAGE_PAUSE)

    async def _persist_places(self, tokens: List[str]) -> Dict[str, str]:
        return await persist(lambda: self._broker.places(tokens), self._log, _LONGEST_OUTAGE_PAUSE)
