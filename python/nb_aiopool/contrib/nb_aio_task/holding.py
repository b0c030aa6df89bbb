"""What one worker holds of its queue, under which name, and the calls by which it gets and settles it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Deque, Dict, List, Optional

from .attempt import Attempt
from .broker import Broker, Delivery, Exchange, Request, Settlement
from .errors import TooLarge
from .events import TaskEvent, emit, hooks
from .keeper import Watch, consumer_name, keeper_for
from .limits import suspicious_at
from .outages import log_of, persist
from .tokens import token

if TYPE_CHECKING:
    from .alarm import Alarm
    from .definition import Definition

logger = logging.getLogger("nb_aiopool.contrib.nb_aio_task")

_LONGEST_PAUSE = 5.0
_SHORTEST_PATIENCE = 0.5


class Holding:
    """
    Guarantees: what was acknowledged or settled here reaches the broker by one of the next exchanges, whatever fails
    on the way, unless the lease is lost: then all of it is dropped, because it belongs to others.
    """

    def __init__(self, definition: Definition, broker: Broker, alarm: Alarm) -> None:
        options = definition.options
        self._queue = definition.queue
        self._options = options
        self._broker = broker
        self._alarm = alarm
        self._log = log_of(options.redis_url)
        self._longest_pause = min(_LONGEST_PAUSE, options.lease / 8)
        self._loop = asyncio.get_running_loop()
        self.in_pool: Dict[int, Attempt] = {}
        """By their numbers: what was given to the pool and has not ended."""
        self.suspects: Deque[Attempt] = deque()
        """
        Fetched, and not to be started before the pool is empty: what may have brought down a worker is run with
        nothing beside it, so that it is known for sure; and what was fetched behind that.
        """
        self.solo = 0
        """The number of the delivery that runs with nothing beside it, else 0."""
        self.more = True
        """Whether the list may hold more than was fetched."""
        # Started when a wait brought it, before it had a number; the next exchange gives it one. Serials tell them
        # apart.
        self._early: Optional[Attempt] = None
        self._early_serial = 0
        self._lost_running = 0
        self._ready: List[Attempt] = []
        self._acks: List[int] = []
        # What has ended with a settlement that the broker has not confirmed.
        self._settling: List[Attempt] = []
        self._cancelled: List[Attempt] = []
        self._last = 0
        self._registered = False
        # Whether the end of the lease was asked for: an answer that it is gone says nothing then.
        self._leaving = False
        # Whether the broker may have given out what this does not know of: an answer was lost.
        self._doubt = False
        self._watch = Watch(
            broker.leases(patience=max(_SHORTEST_PATIENCE, options.lease / 4)),
            loop=self._loop,
            lease=options.lease,
            max_deliveries=options.max_deliveries,
            on_lost=self._on_lost,
            on_recovered=self._on_recovered,
        )
        self.consumer = ""
        self._rename()
        keeper_for(options.redis_url).watch(self._watch)

    @property
    def occupied(self) -> int:
        """How much of the pool is taken: by what is held, and by what runs on although it was lost."""
        return len(self.in_pool) + self._lost_running

    @property
    def unsettled(self) -> bool:
        """Whether there is something to tell the broker."""
        return bool(self._acks or self._settling or self._cancelled or self._early)

    def end(self, attempt: Attempt) -> None:
        """The attempt has ended."""
        if attempt.lost:
            self._lost_running -= 1
            return
        attempt.over = True
        del self.in_pool[attempt.number]
        if attempt.number == self.solo:
            self.solo = 0
        if attempt.number:
            self._conclude(attempt)

    def begin_early(self, payload: bytes) -> Optional[Attempt]:
        """An attempt at what a wait has brought, to be started at once; None if it has to be fetched like all else."""
        if self._early is not None or self.suspects or self.solo or self._doubt or not self._registered:
            return None
        if self.occupied >= self._options.max_concurrency:
            return None
        attempt = Attempt(Delivery(0, payload))
        if self._is_suspicious(attempt):
            return None
        self._early = self.in_pool[0] = attempt
        self._early_serial += 1
        return attempt

    def drop(self, attempt: Attempt) -> None:
        """The attempt will not be started here: it is handed back with what is not known."""
        attempt.given_up = attempt.over = True
        self.in_pool.pop(attempt.number, None)

    def judge_cancelled(self) -> None:
        """The worker goes on: tasks that somebody else has cancelled have failed."""
        for attempt in self._cancelled:
            assert attempt.verdict is not None
            attempt.verdict()
            attempt.verdict = None
            self._conclude(attempt)
        self._cancelled.clear()

    def release_suspects(self) -> None:
        """Let those of the suspects come next whose turn it is: one alone, or all up to the next one."""
        if self.suspects and not self.in_pool and self._is_suspicious(self.suspects[0]):
            attempt = self.suspects.popleft()
            self.solo = attempt.number
            self._start(attempt)
        while self.suspects and not self.solo and not self._is_suspicious(self.suspects[0]):
            self._start(self.suspects.popleft())

    def startable(self) -> List[Attempt]:
        """What is to be started now, in order. Requires: an exchange has told the broker of `solo`."""
        ready, self._ready = self._ready, []
        return ready

    async def exchange(self, room: int, *, sweep: bool = True) -> Optional[Exchange]:
        """
        Settle what is to be settled, and fetch what there is room for; None if the lease was lost meanwhile.

        Keeps trying through an outage; `room` counts what the pool holds as well, because that ends meanwhile.
        `sweep`: whether no wait goes on.
        """
        while True:
            try:
                reply = await persist(
                    lambda: self._exchange_once(room, sweep), self._log, self._longest_pause
                )
            except TooLarge as error:
                if not self._shrink(error):
                    raise
                continue
            if not reply.stray:
                return None if reply.lost else reply

    async def _exchange_once(self, room: int, sweep: bool) -> Exchange:
        acks, settling, early = list(self._acks), list(self._settling), self._early
        want = max(0, room - self.occupied) if room else 0
        if self._doubt:
            await self._reconcile()
        self._doubt = True
        # Until the answer says so, or a wait brings something meanwhile.
        self.more = self.more and not want
        request = Request(
            self._options.lease,
            not self._registered,
            self._last,
            want,
            self.solo,
            acks,
            [settlement for settlement in map(_settlement_of, settling) if settlement is not None],
            sweep=sweep,
        )
        if early is not None:
            request = request._replace(
                early=self._early_serial, early_payload=early.payload, early_ended=early.is_acknowledged
            )
        reply = await self._broker.exchange(self.consumer, request)
        if reply.lost:
            self._lose()
            return reply
        if not self._registered:
            self._registered = True
            self._watch.hold(self.consumer)
        del self._acks[: len(acks)]
        del self._settling[: len(settling)]
        if early is not None:
            self._number(early, reply.early)
        if reply.stray:
            return reply
        self._doubt = False
        if want:
            self.more = self.more or len(reply.deliveries) >= want
        for delivery in reply.deliveries:
            self._last = delivery.number
            attempt = Attempt(delivery)
            if self.suspects or self._is_suspicious(attempt):
                self.suspects.append(attempt)
            else:
                self._start(attempt)
        return reply

    async def hand_back(self) -> None:
        """Hand back what was not started; what has ended is told first. Requires: no wait goes on, and none begins."""
        self.suspects.clear()
        self._ready.clear()
        self._cancelled.clear()
        if (self._registered or self._doubt) and await self.exchange(0) is not None:
            await persist(lambda: self._reconcile(put_by=True), self._log, self._longest_pause)

    async def leave(self) -> None:
        """Tell what has ended, hand back all the rest, and end the lease."""
        self._cancelled.clear()
        if not self._registered and not self._doubt:
            return
        if (self._acks or self._settling or self._early) and await self.exchange(0) is None:
            return
        self._leaving = True
        await persist(lambda: self._broker.leave(self.consumer), self._log, self._longest_pause)

    def forget(self) -> None:
        """The lease is looked after no more."""
        keeper_for(self._options.redis_url).forget(self._watch)

    def _number(self, early: Attempt, number: int) -> None:
        """The early start has its number now. It has none if it was acknowledged at once."""
        self._early = None
        if number:
            self._last = max(self._last, number)
            early.number = number
            if early.over:
                self._conclude(early)
            else:
                self.in_pool[number] = self.in_pool.pop(0)
        elif self.in_pool.pop(0, None) is not None:
            # What the wait had brought is there no more: it runs on, and does not count.
            self._lose_attempt(early)

    def _conclude(self, attempt: Attempt) -> None:
        if attempt.settlement is not None:
            self._settling.append(attempt)
        elif attempt.verdict is not None:
            self._cancelled.append(attempt)
        elif not attempt.given_up:
            self._acks.append(attempt.number)

    def _shrink(self, error: TooLarge) -> bool:
        """Let those attempts end otherwise whose results or records the broker refuses; False if there are none."""
        shrunk = False
        for attempt in self._settling:
            settlement, refused = attempt.settlement, attempt.refused
            if settlement is None or refused is None:
                continue
            if max(len(settlement.body), len(settlement.result)) >= error.size:
                refused(error)
                shrunk = True
        return shrunk

    def _start(self, attempt: Attempt) -> None:
        self.in_pool[attempt.number] = attempt
        self._ready.append(attempt)

    def _is_suspicious(self, attempt: Attempt) -> bool:
        return attempt.deliveries >= suspicious_at(self._options.max_deliveries)

    async def _reconcile(self, *, put_by: bool = False) -> None:
        known = [*self.in_pool, *self._acks, *(attempt.number for attempt in self.suspects)]
        known += [attempt.number for attempt in self._settling]
        known += [attempt.number for attempt in self._cancelled]
        numbered = [number for number in known if number]
        serial = self._early_serial if self._early is not None else 0
        self._last = await self._broker.reconcile(self.consumer, numbered, put_by=put_by, early=serial)

    def _rename(self) -> None:
        self.more = True
        self.consumer = consumer_name(socket.gethostname(), os.getpid(), token(), self._options.lease)
        self._registered = False
        self._doubt = False
        self._last = 0

    def _lose(self) -> None:
        """Others have what this held: start anew, under a new name. What runs already runs on, and counts no more."""
        taken = [*self.in_pool.values(), *self.suspects]
        for attempt in self.in_pool.values():
            self._lose_attempt(attempt)
        self.in_pool.clear()
        self.suspects.clear()
        self._ready.clear()
        self._acks.clear()
        self._settling.clear()
        self._cancelled.clear()
        self._early = None
        self.solo = 0
        if not self._leaving:
            self._tell_of_loss(len(taken))
        self._watch.hold(None)
        self._rename()

    def _tell_of_loss(self, count: int) -> None:
        logger.warning(
            "%s: the lease of this worker (%g s) has run out without being renewed, e.g. because the machine slept;"
            " %d tasks were taken from it and are run by others",
            self._queue,
            self._options.lease,
            count,
        )
        if hooks:
            emit(TaskEvent("lease lost", self._queue, count=count))

    def _lose_attempt(self, attempt: Attempt) -> None:
        attempt.lost = True
        if attempt.started:
            self._lost_running += 1
        elif attempt.job is not None:
            attempt.job.cancel()

    def _on_lost(self, _consumer: str) -> None:
        # By the keeper's thread. The next exchange says the same: it only has to come soon.
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._alarm.set)

    def _on_recovered(self, consumer: str) -> None:
        logger.warning("%s: the lease of %s has run out: its tasks were handed back", self._queue, consumer)
        if hooks:
            emit(TaskEvent("recovered", self._queue, consumer))


def _settlement_of(attempt: Attempt) -> Optional[Settlement]:
    """With the number that the attempt has by now."""
    settlement = attempt.settlement
    return settlement._replace(number=attempt.number) if settlement is not None else None
