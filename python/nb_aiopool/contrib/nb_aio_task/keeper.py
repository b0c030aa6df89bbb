"""
The thread that renews the leases of this process' consumers, and recovers the consumers of others that died.

It is a thread because an event loop that a task blocks could do neither. It judges others by what it has seen with its
own eyes and clock, while the broker answered all the time: after an outage every lease looks as if it had run out, and
the server's clock may jump.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import TYPE_CHECKING, Callable, Dict, List, NamedTuple, Optional

from .errors import Outage, QueueError, last_line
from .per_process import PerProcess

if TYPE_CHECKING:
    import asyncio

    from .broker import Lease, Leases

logger = logging.getLogger("nb_aiopool.contrib.nb_aio_task")

RECOVER_AT_ONCE = 1000
_SHORTEST_LOOK = 0.1
_LONGEST_LOOK = 5.0
_CONDEMNED_AT_ONCE = 10


class Sighting(NamedTuple):
    """Since when a lease has looked like this, and since when it has looked expired, by this thread's clock."""

    deadline: int
    first: float
    first_expired: Optional[float]


class Watch:
    """
    One consumer's lease, and its view of the other consumers of the queue.

    `on_lost(consumer)` and `on_recovered(consumer)` are called by the thread. The lease is renewed only while `loop`
    runs: if that was left in the middle of everything, nobody can run what the consumer holds.
    """

    def __init__(
        self,
        leases: Leases,
        *,
        loop: asyncio.AbstractEventLoop,
        lease: float,
        max_deliveries: int,
        on_lost: Callable[[str], None],
        on_recovered: Callable[[str], None],
    ) -> None:
        self._leases = leases
        self._loop = loop
        self._lease = lease
        self._max_deliveries = max_deliveries
        self._on_lost = on_lost
        self._on_recovered = on_recovered
        self.period = min(max(lease / 8, _SHORTEST_LOOK), _LONGEST_LOOK)
        self.next_look = 0.0
        self.ended = False
        self._consumer: Optional[str] = None
        self._renewed_at = 0.0
        self._looked_at = 0.0
        self._sightings: Dict[str, Sighting] = {}
        self._said = ""

    def hold(self, consumer: Optional[str]) -> None:
        """From now on the lease of this consumer is to be renewed; None: no lease."""
        self._consumer = consumer
        self._renewed_at = time.monotonic()

    def look(self, now: float) -> None:
        """Renew, look at the others, recover. Raises nothing."""
        if self._loop.is_closed():
            self.ended = True
            return
        try:
            self._renew(now)
            self._watch()
        except Outage as error:
            # What was seen before stands, if it is not long until this can be looked at again: see _watch. Connections
            # may break now and then for ever, and the dead have to be recovered all the same.
            logger.debug("the leases cannot be looked at: %s", error)
        except Exception as error:  # noqa: BLE001 -- it may pass, and others' leases are looked after as well
            self._say(error)
        else:
            self._said = ""

    def close(self) -> None:
        self._leases.close()

    def _say(self, error: Exception) -> None:
        """Log it, unless it is what was said last: it comes again with each look."""
        said = last_line(error)
        if said != self._said:
            self._said = said
            unexpected = None if isinstance(error, QueueError) else error
            logger.error("the leases cannot be looked at; trying again: %s", said, exc_info=unexpected)

    def _renew(self, now: float) -> None:
        consumer = self._consumer
        if consumer is None or not self._loop.is_running():
            return
        if now - self._renewed_at < self._lease / 3 - self.period / 2:
            return
        if self._leases.renew(consumer, self._lease):
            self._renewed_at = now
        elif self._consumer == consumer:
            self._consumer = None
            self._on_lost(consumer)

    def _watch(self) -> None:
        seen = self._leases.seen()
        # A gap in what was seen is as long an outage as it may be, or the server or this process stood still: then
        # nobody may have been able to renew anything, and what was seen before says nothing any more. A shorter one
        # than this leaves who is alive more than half of each lease to renew it, and who has died must look so for half
        # a lease in any case.
        answered = time.monotonic()
        if answered - self._looked_at > 2 * self.period + 0.25:
            self._sightings.clear()
        self._looked_at = answered
        # Condemned: whoever did it may have died over it, or have missed what came later. In time all are looked at.
        condemned = [lease for lease in seen if lease.deadline < 0]
        for lease in random.sample(condemned, min(len(condemned), _CONDEMNED_AT_ONCE)):
            self._recover(lease)
        before, self._sightings = self._sightings, {}
        dead: List[Lease] = []
        for lease in seen:
            if lease.consumer == self._consumer or lease.deadline < 0:
                continue
            sighting = self._sighting_of(lease, before.get(lease.consumer), answered)
            self._sightings[lease.consumer] = sighting
            if self._has_died(lease, sighting, answered):
                dead.append(lease)
        for lease in dead:
            self._recover(lease)
            del self._sightings[lease.consumer]

    def _sighting_of(self, lease: Lease, before: Optional[Sighting], now: float) -> Sighting:
        expired = lease.deadline <= self._leases.now()
        if before is None or before.deadline != lease.deadline:
            return Sighting(lease.deadline, now, now if expired else None)
        if expired and before.first_expired is None:
            return before._replace(first_expired=now)
        return before

    def _has_died(self, lease: Lease, sighting: Sighting, now: float) -> bool:
        half = self._lease / 2
        if sighting.first_expired is not None and now - sighting.first_expired >= half:
            return True
        # The server's clock may have been set back: then a deadline is far away that nobody moves any more.
        return now - sighting.first >= lease_of(lease.consumer, self._lease) * 1.5 + half

    def _recover(self, lease: Lease) -> None:
        condemned_before = lease.deadline < 0
        left: Optional[int] = 1
        while left:
            left = self._leases.recover(lease, max_deliveries=self._max_deliveries, limit=RECOVER_AT_ONCE)
            lease = lease._replace(deadline=-1)
        if left == 0 and not condemned_before:  # None: somebody else has done it, or the consumer is alive
            self._on_recovered(lease.consumer)


def consumer_name(host: str, pid: int, token: str, lease: float) -> str:
    """The name of a consumer: says where it lives, and ends with its lease in ms for `lease_of`."""
    return f"{host}:{pid}:{token}:{round(lease * 1000)}"


def lease_of(consumer: str, default: float) -> float:
    """The lease, in seconds, that a consumer's name tells of."""
    end = consumer.rpartition(":")[2]
    return int(end) / 1000 if end.isdigit() else default


class Keeper:
    """
    The thread, for all consumers of one server in this process. It runs while there is something to watch.

    Guarantees: `watch` and `forget` may be called from any thread.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._watches: List[Watch] = []
        self._thread: Optional[threading.Thread] = None

    def watch(self, watch: Watch) -> None:
        with self._condition:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="nb_aio_task leases", daemon=True)
                thread.start()  # it may fail: then nothing has changed
                self._thread = thread
            self._watches.append(watch)
            self._condition.notify()

    def forget(self, watch: Watch) -> None:
        """Guarantees: returns at once; a look that goes on at the moment ends by itself."""
        with self._condition:
            watch.hold(None)
            watch.ended = True
            self._condition.notify()

    def _run(self) -> None:
        while True:
            with self._condition:
                for watch in [w for w in self._watches if w.ended]:
                    watch.close()
                    self._watches.remove(watch)
                if not self._watches:
                    self._thread = None
                    return
                now = time.monotonic()
                due = [w for w in self._watches if w.next_look <= now]
                if not due:
                    self._condition.wait(min(w.next_look for w in self._watches) - now)
                    continue
            for watch in due:
                if not watch.ended:
                    watch.look(time.monotonic())
                watch.next_look = time.monotonic() + watch.period


# One for each server.
keeper_for = PerProcess[str, Keeper](lambda _: Keeper())
