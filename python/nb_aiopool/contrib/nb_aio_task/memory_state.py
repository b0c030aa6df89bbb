"""
One queue's state machine inside the process: what the scripts in `lua` do in Redis, step by step the same.

Everything here is done at once and by one thread at a time: `memory_broker` holds the lock. Times are in ms.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Deque, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from . import trailer
from .broker import Counts, Delivery, Exchange, Lease, Request, Settlement, Submission
from .expiring import Expiring
from .limits import (
    CONDEMNED_SECONDS,
    DUE_AT_ONCE,
    PRODUCER_SECONDS,
    UNIQUE_SECONDS,
    condemned_at,
    suspicious_at,
)


class Task:
    """A living task: where it is, and as which payload."""

    __slots__ = ("payload", "place", "token")

    def __init__(self, payload: bytes, token: str) -> None:
        self.payload = payload
        self.token = token
        self.place = ""


class Consumer:
    """What a consumer holds, by number and in that order, and until when it may."""

    def __init__(self) -> None:
        self.deadline = 0
        """Negative: since when it is condemned."""
        self.last = 0
        self.solo = 0
        self.early = 0
        """The serial of its last early start that was taken note of."""
        self.early_number = 0
        """The number which that was given, or 0."""
        self.held: Dict[int, Task] = {}
        self.put_by: Deque[Task] = deque()
        """What a wait has brought, and no exchange has given a number yet: younger than all that is held."""


class Batch(NamedTuple):
    """The last batch of a producer: its number, and by id who had those ids that were taken."""

    number: int
    owners: Dict[str, str]


class MemoryState:
    """One queue. The methods are those of `Broker` and `Leases`, and guarantee the same; `now` is the time."""

    def __init__(self) -> None:
        self._list: Deque[Task] = deque()
        self._delayed: List[Tuple[int, int, Task]] = []
        """A heap: when it is due, how many were delayed before it, the task."""
        self._delays = 0
        self._consumers: Dict[str, Consumer] = {}
        self._tasks: Dict[str, Task] = {}
        """By token, all tasks in the list, delayed and held."""
        self._dead: Dict[str, bytes] = {}
        self._results: Expiring[bytes] = Expiring()
        self._unique: Expiring[str] = Expiring()
        """By id, the token of the living task that has it."""
        self._producers: Expiring[Batch] = Expiring()

    # -- What producers do -----------------------------------------------------------------------------------

    def push(self, now: int, producer: str, sequence: int, submissions: Sequence[Submission]) -> List[str]:
        last = self._producers.get(producer, now)
        if last is not None and last.number >= sequence:
            told = last.owners if last.number == sequence else {}
            return [told.get(s.id, s.token) for s in submissions]
        owners = [self._submit(now, submission) for submission in submissions]
        others = {s.id: owner for s, owner in zip(submissions, owners) if owner != s.token}
        self._producers.put(producer, Batch(sequence, others), now, now + PRODUCER_SECONDS * 1000)
        return owners

    def _submit(self, now: int, submission: Submission) -> str:
        owner = self._unique.get(submission.id, now) if submission.id else None
        if owner is not None:
            return owner
        delay = milliseconds(submission.delay or 0.0)
        if submission.id:
            self._take_id(now, submission.id, submission.token, delay)
        task = Task(submission.payload, submission.token)
        if submission.delay is None:
            self._append(task)
        else:
            self._delay(now + delay, task)
        return submission.token

    def revive(self, now: int, name: str, record: bytes, submission: Submission) -> bool:
        if self._dead.get(name) != record:
            return False
        if submission.id and self._unique.get(submission.id, now) is not None:
            return False
        self._submit(now, submission)
        self._results.pop(name)
        del self._dead[name]
        return True

    # -- What consumers do -----------------------------------------------------------------------------------

    def exchange(self, now: int, name: str, request: Request) -> Exchange:
        consumer = self._consumers.get(name)
        if consumer is None:
            consumer = self._consumers[name] = Consumer()
            # One that has left or was forgotten is condemned: what a wait still takes in its name is to be recovered.
            consumer.deadline = 0 if request.register else -max(1, now)
        if consumer.deadline < 0:
            return Exchange([], lost=True)
        consumer.deadline = now + milliseconds(request.lease)
        stray = consumer.last != request.last
        early_number = self._number_early(consumer, request)
        for number in request.acks:
            self._forget(consumer, number)
        for settlement in request.settlements:
            task = self._forget(consumer, settlement.number)
            if task is not None:
                self._settle(now, task, settlement)
        self._queue_due(now)
        consumer.solo = request.solo
        next_due = max(0, self._delayed[0][0] - now) / 1000 if self._delayed else None
        deliveries = [] if stray else self._fetch(consumer, request.want, sweep=request.sweep)
        return Exchange(deliveries, next_due, stray=stray, early=early_number)

    def reconcile(self, name: str, known: Iterable[int], *, put_by: bool, early: int) -> int:
        consumer = self._living(name)
        if consumer is None:
            return 0
        if put_by:
            self._hand_back_put_by(consumer)
        expected = set(known)
        if early == consumer.early:
            expected.add(consumer.early_number)
        for number in sorted(consumer.held.keys() - expected, reverse=True):
            self._hand_back(consumer.held.pop(number))
        return consumer.last

    def leave(self, name: str) -> None:
        consumer = self._living(name)
        if consumer is not None:
            self._hand_back_put_by(consumer)
            while consumer.held:
                self._hand_back(consumer.held.popitem()[1])
            del self._consumers[name]

    def put_by(self, name: str) -> Optional[bytes]:
        """Take the first task out of the list for a consumer that waits; None if there is none, or no such consumer."""
        consumer = self._living(name)
        if consumer is None or not self._list:
            return None
        task = self._list.popleft()
        task.place = "running"
        consumer.put_by.append(task)
        return task.payload

    def _living(self, name: str) -> Optional[Consumer]:
        consumer = self._consumers.get(name)
        return None if consumer is None or consumer.deadline < 0 else consumer

    def _number_early(self, consumer: Consumer, request: Request) -> int:
        if request.early == consumer.early:
            return consumer.early_number
        if request.early < consumer.early:
            return 0
        consumer.early, consumer.early_number = request.early, 0
        # Not simply the first: what an earlier wait has brought may not have been fetched yet.
        task = next((task for task in consumer.put_by if task.payload == request.early_payload), None)
        if task is None:
            return 0
        consumer.put_by.remove(task)
        if request.early_ended:
            self._tasks.pop(task.token, None)
            return 0
        consumer.early_number = self._hold(consumer, task)
        return consumer.early_number

    def _fetch(self, consumer: Consumer, want: int, *, sweep: bool) -> List[Delivery]:
        deliveries: List[Delivery] = []
        while len(deliveries) < want:
            source = consumer.put_by if sweep and consumer.put_by else self._list
            if not source:
                break
            task = source.popleft()
            deliveries.append(Delivery(self._hold(consumer, task), task.payload))
        return deliveries

    def _hold(self, consumer: Consumer, task: Task) -> int:
        task.place = "running"
        consumer.last += 1
        consumer.held[consumer.last] = task
        return consumer.last

    def _forget(self, consumer: Consumer, number: int) -> Optional[Task]:
        task = consumer.held.pop(number, None)
        if task is not None:
            self._tasks.pop(task.token, None)
        return task

    def _settle(self, now: int, task: Task, settlement: Settlement) -> None:
        if settlement.kind == "again":
            task.payload = settlement.body
            self._tasks[task.token] = task
            self._hand_back(task)
            return
        if settlement.result:
            end = now + milliseconds(settlement.result_ttl)
            self._results.put(settlement.name, settlement.result, now, end)
        holds_id = settlement.id and self._unique.get(settlement.id, now) == settlement.token
        if settlement.kind == "retry":
            delay = milliseconds(settlement.delay)
            if holds_id:
                self._hold_id(now, settlement.id, settlement.token, delay)
            self._delay(now + delay, Task(settlement.body, settlement.token))
            return
        if settlement.kind == "dead":
            self._dead[settlement.name] = settlement.body
        if holds_id:
            self._unique.pop(settlement.id)

    # -- What keepers of leases do ---------------------------------------------------------------------------

    def renew(self, now: int, name: str, lease: float) -> bool:
        consumer = self._living(name)
        if consumer is not None:
            consumer.deadline = now + milliseconds(lease)
        return consumer is not None

    def seen(self) -> List[Lease]:
        return [Lease(name, consumer.deadline) for name, consumer in self._consumers.items()]

    def recover(self, now: int, lease: Lease, max_deliveries: int, limit: int) -> Optional[int]:
        consumer = self._consumers.get(lease.consumer)
        if consumer is None:
            return None
        if consumer.deadline != lease.deadline and max(consumer.deadline, lease.deadline) >= 0:
            return None
        if consumer.deadline >= 0:
            consumer.deadline = -max(1, now)
            # It may have begun at once what a wait has brought, before that had a number, and have died of it.
            while consumer.put_by:
                self._hold(consumer, consumer.put_by.popleft())
            if not consumer.solo and len(consumer.held) == 1:
                consumer.solo = next(iter(consumer.held))
        self._hand_back_put_by(consumer)
        for _ in range(min(limit, len(consumer.held))):
            number, task = consumer.held.popitem()
            body, deliveries, retries = trailer.split(task.payload)
            if number == consumer.solo:
                deliveries += 1
                if deliveries >= max_deliveries:
                    deliveries = max(deliveries, condemned_at(max_deliveries))
            elif not consumer.solo:
                # Who ran beside others is not to blame for more than brings it to be run alone.
                deliveries = max(deliveries, min(deliveries + 1, suspicious_at(max_deliveries)))
            task.payload = trailer.join(body, deliveries, retries)
            self._hand_back(task)
        if not consumer.held and now + consumer.deadline > CONDEMNED_SECONDS * 1000:
            del self._consumers[lease.consumer]
        return len(consumer.held)

    # -- What anybody may ask --------------------------------------------------------------------------------

    def counts(self) -> Counts:
        running = sum(len(c.held) + len(c.put_by) for c in self._consumers.values())
        return Counts(len(self._list), running, len(self._delayed), len(self._dead))

    def size(self) -> int:
        return len(self._list)

    def clear(self) -> None:
        self._list.clear()
        self._delayed.clear()
        self._tasks = {token: task for token, task in self._tasks.items() if task.place == "running"}
        self._unique.keep_only(self._tasks.__contains__)

    def places(self, tokens: Sequence[str]) -> Dict[str, str]:
        return {token: self._tasks[token].place for token in tokens if token in self._tasks}

    def results(self, now: int, names: Sequence[str]) -> List[Optional[bytes]]:
        return [self._results.get(name, now) for name in names]

    def dead_names(self, limit: Optional[int]) -> List[str]:
        return list(self._dead)[:limit]

    def dead(self, names: Sequence[str]) -> List[Optional[bytes]]:
        return [self._dead.get(name) for name in names]

    def bury(self, names: Sequence[str]) -> int:
        return sum(self._dead.pop(name, None) is not None for name in names)

    # -- Where tasks go --------------------------------------------------------------------------------------

    def _append(self, task: Task) -> None:
        self._tasks[task.token] = task
        task.place = "queued"
        self._list.append(task)

    def _hand_back(self, task: Task) -> None:
        task.place = "queued"
        self._list.appendleft(task)

    def _hand_back_put_by(self, consumer: Consumer) -> None:
        while consumer.put_by:
            self._hand_back(consumer.put_by.pop())

    def _delay(self, due: int, task: Task) -> None:
        self._tasks[task.token] = task
        task.place = "delayed"
        self._delays += 1
        heapq.heappush(self._delayed, (due, self._delays, task))

    def _queue_due(self, now: int) -> None:
        for _ in range(DUE_AT_ONCE):
            if not self._delayed or self._delayed[0][0] > now:
                break
            self._append(heapq.heappop(self._delayed)[2])

    def _take_id(self, now: int, id: str, token: str, delay: int) -> None:  # noqa: A002 -- as in Submission
        self._hold_id(now, id, token, delay)
        self._results.pop(id)  # of an earlier task of this id

    def _hold_id(self, now: int, id: str, token: str, delay: int) -> None:  # noqa: A002 -- as in Submission
        self._unique.put(id, token, now, now + UNIQUE_SECONDS * 1000 + delay)


def milliseconds(seconds: float) -> int:
    """The nearest number of whole ms."""
    return round(seconds * 1000)
