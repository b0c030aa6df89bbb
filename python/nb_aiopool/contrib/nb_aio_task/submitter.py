"""Tasks on their way into the queue: what is submitted at one time travels in one call."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Deque, List, NamedTuple, Optional, Sequence

from .errors import QueueError, TooLarge
from .outages import OutageLog, persist
from .producer import Producer

if TYPE_CHECKING:
    from .broker import Broker, Submission

MOST_TASKS = 1000
MOST_BYTES = 4_000_000
_LONGEST_PAUSE = 2.0
# A caller that has come alone so often waits for company no more: that turn of the loop is a tenth of the call.
_USUALLY_ALONE = 16


class _Group(NamedTuple):
    """What one caller submits together, and waits for together."""

    submissions: Sequence[Submission]
    size: int
    asked_at: float
    owners: asyncio.Future[List[str]]


class Submitter:
    """
    The way into one queue from one event loop.

    Guarantees: callers are served in order. A caller is answered when the broker has answered, and waits, however
    long, while there is an outage; what is repeated is queued once. A caller that is cancelled before its tasks were
    sent has submitted nothing; one that is cancelled later may or may not have.
    """

    def __init__(self, broker: Broker, log: OutageLog, producer: Producer) -> None:
        self._broker = broker
        self._log = log
        self._producer = producer
        self._groups: Deque[_Group] = deque()
        self._loop = asyncio.get_running_loop()
        self._sending = False
        self._sender: Optional[asyncio.Task[None]] = None
        # How many batches in a row were one caller's, with nobody waiting behind.
        self._alone = 0
        # The batch that was sent, or is being sent, under its producer's number.
        self._unanswered: List[_Group] = []

    async def submit(self, submissions: Sequence[Submission]) -> List[str]:
        """The tokens of the tasks that have the ids of these: see Broker.push."""
        owners: asyncio.Future[List[str]] = self._loop.create_future()
        size = sum([len(s.payload) for s in submissions])
        self._groups.append(_Group(submissions, size, self._loop.time(), owners))
        if not self._sending:
            # The first caller sends for all that submit in this turn of the loop: a task for it would cost more turns.
            self._sending = True
            try:
                if self._alone < _USUALLY_ALONE:
                    await asyncio.sleep(0)
                await self._send_next()
            except BaseException:
                owners.cancel()
                if not self._loop.is_closed():
                    self._hand_over()
                raise
            self._hand_over()
        return await owners

    async def close(self) -> None:
        """Whoever waits for the sender is told so; a caller that sends for the others goes on."""
        sender = self._sender
        if sender is not None:
            for group in (*self._unanswered, *self._groups):
                if not group.owners.done():
                    group.owners.set_exception(
                        QueueError("close() was called while this was submitted: it may be queued, or not")
                    )
            sender.cancel()
            await asyncio.wait([sender])

    def release(self) -> Optional[Producer]:
        """Its producer, for another submitter; None if it is still sending. It may go on, with one of its own."""
        if self._sending and not self._loop.is_closed():
            return None
        released, self._producer = self._producer, Producer()
        return released

    def _hand_over(self) -> None:
        """Whoever sent for the others has been answered, or cancelled: a task sends what is left, if anything is."""
        if self._unanswered or self._groups:
            self._alone = 0
            self._sender = self._loop.create_task(self._send_all())
        else:
            self._sending = False

    async def _send_all(self) -> None:
        try:
            while self._unanswered or self._groups:
                await self._send_next()
        finally:
            self._sender = None
            self._sending = False
            for group in (*self._unanswered, *self._groups):
                group.owners.cancel()
            self._unanswered.clear()
            self._groups.clear()

    async def _send_next(self) -> None:
        """Send a batch: the one that nobody knows the answer of, or else the next."""
        if not self._unanswered:
            self._unanswered = self._next_groups()
            self._producer.batch += 1
            self._alone = self._alone + 1 if len(self._unanswered) == 1 else 0
        groups = self._unanswered
        if not groups:
            return
        try:
            owners = iter(await self._push(groups))
        except TooLarge as error:
            self._unanswered = _without_refused(groups, error)
            return
        except Exception as error:  # noqa: BLE001 -- it is told to those who wait for it
            for group in groups:
                if not group.owners.done():
                    group.owners.set_exception(error)
        else:
            for group in groups:
                own = [next(owners) for _ in group.submissions]
                if not group.owners.done():
                    group.owners.set_result(own)
        self._unanswered = []

    def _next_groups(self) -> List[_Group]:
        groups: List[_Group] = []
        tasks = size = 0
        while self._groups:
            group = self._groups[0]
            if groups and (tasks + len(group.submissions) > MOST_TASKS or size + group.size > MOST_BYTES):
                break
            self._groups.popleft()
            if group.owners.done():  # its caller was cancelled
                continue
            groups.append(group)
            tasks += len(group.submissions)
            size += group.size
        return groups

    async def _push(self, groups: List[_Group]) -> List[str]:
        name, number = self._producer.name, self._producer.batch

        async def attempt() -> List[str]:
            if all(group.owners.done() for group in groups):
                raise QueueError("nobody waits for this any more")
            return await self._broker.push(name, number, _due_now(groups, self._loop.time()))

        return await persist(attempt, self._log, _LONGEST_PAUSE)


def _without_refused(groups: List[_Group], error: TooLarge) -> List[_Group]:
    """
    Tell those who have asked for what is too large. The others are left to be sent again, under the same number:
    nothing of that batch has taken effect.
    """
    guilty = [g for g in groups if max((len(s.payload) for s in g.submissions), default=0) >= error.size]
    for group in guilty or groups:
        if not group.owners.done():
            group.owners.set_exception(error)
    return [group for group in groups if group not in guilty] if guilty else []


def _due_now(groups: List[_Group], now: float) -> List[Submission]:
    """The submissions with their delays as they are now: a wait for the broker is not added to them."""
    submissions: List[Submission] = []
    for group in groups:
        waited = now - group.asked_at
        for s in group.submissions:
            submissions.append(s if s.delay is None else s._replace(delay=max(0.0, s.delay - waited)))
    return submissions
