"""
What the queue asks of the place where tasks are kept: one queue's state machine, in single attempts.

A method either takes effect as a whole and returns, or raises. `Outage` says that nobody knows whether it took effect;
the caller waits and repeats the very same call, and every method here is made so that this does no harm. What is not
an `Outage` (`BrokerError`) will not go away by itself.

A consumer is one `consume()`, under a name that is never used twice. It holds *deliveries*, numbered in the order in
which it was given them, until it settles them, and a lease, which it renews. A consumer whose lease has run out is
*recovered*: its deliveries go back to the front of the queue, and from then on it is refused everything.
"""

from __future__ import annotations

import abc
import math
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence


class Submission(NamedTuple):
    """
    One task on its way in.

    `token` names this task among all that ever were. `id` is the name the user gave, or "" for a task that goes by
    its token: only given ids are kept unique. `delay` is in seconds; None puts the task into the list at once.
    """

    payload: bytes
    token: str
    id: str = ""
    delay: Optional[float] = None


class Delivery(NamedTuple):
    """A payload, and the number under which the consumer holds it."""

    number: int
    payload: bytes


class Settlement(NamedTuple):
    """
    What becomes of a delivery that needs more than to be forgotten. Takes effect only if the consumer still held it.

    `kind`: "done" (forget it; store `result` for `result_ttl` seconds unless it is empty), "retry" (`body` is the
    payload to be queued after `delay` seconds), "again" (`body` is the payload to be put at the front at once; of the
    names none is looked at), "dead" (`body` is the record of its dead letter; `result` as for
    "done"). `id` and `token` as in Submission, but with the token in place of an empty id in `name`, under which
    results and dead letters are kept. "done" and "dead" free the id if the token still holds it.
    """

    kind: str
    number: int
    name: str
    token: str
    id: str
    body: bytes = b""
    delay: float = 0.0
    result: bytes = b""
    result_ttl: float = 0.0


class Request(NamedTuple):
    """
    What a consumer tells, and asks for, in one exchange.

    `register` is true until the first answer has come; the lease is renewed for `lease` seconds. `last` is the highest
    number the consumer knows to have been given, `want` how many it fetches at most. `acks` are the numbers to forget.
    `solo` is the number of the delivery that the consumer runs with nothing beside it, else 0.

    What `wait` has brought is fetched first if `sweep` is true; it must not be while a wait goes on. If the consumer
    has started that at once instead, `early` is a serial number of that start, higher than those before:
    `early_payload`, if it is still put by, becomes a delivery, whose number is in the answer, or is forgotten if the
    start `early_ended` already. The same serial has no second effect; the second answer holds the same number.
    """

    lease: float
    register: bool
    last: int
    want: int = 0
    solo: int = 0
    acks: Sequence[int] = ()
    settlements: Sequence[Settlement] = ()
    early: int = 0
    early_payload: bytes = b""
    early_ended: bool = False
    sweep: bool = True


class Exchange(NamedTuple):
    """
    The answer to one exchange.

    `lost`: the consumer was recovered, or has left, and is condemned; nothing of the call took effect, and never will
    again under this name.
    `stray`: the consumer holds deliveries that it was never told of (an answer was lost): nothing was fetched, and
    it has to `reconcile`. `next_due` is in how many seconds the next delayed task is due, None if there is none.
    `early` is the number given to the early start that was told, by this exchange or by one before it; 0 if there is
    none.
    """

    deliveries: List[Delivery]
    next_due: Optional[float] = None
    lost: bool = False
    stray: bool = False
    early: int = 0


class Lease(NamedTuple):
    """One consumer's lease as the broker shows it: `deadline` in ms of the broker's clock, negative once condemned."""

    consumer: str
    deadline: int


class Counts(NamedTuple):
    """How many tasks are where: in the list, with consumers, delayed, dead."""

    queued: int
    running: int
    delayed: int
    dead: int


class Broker(abc.ABC):
    """
    One queue, seen from one event loop.

    Deliveries of tasks carry, behind the end of the payload, how often the task was delivered to a consumer that died
    (see `trailer`); only `recover` raises it.
    """

    @abc.abstractmethod
    async def push(self, producer: str, sequence: int, submissions: Sequence[Submission]) -> List[str]:
        """
        Queue the submissions, in order.

        Requires: `sequence` grows from batch to batch of this producer; a batch is pushed again under its own number.
        Guarantees: a batch takes effect once, however often it is pushed. Returns for each submission the token of the
        task that has its id: its own if it was queued, that of the living task if the id was taken; the same when it is
        pushed again, whatever has ended meanwhile.
        """

    @abc.abstractmethod
    async def exchange(self, consumer: str, request: Request) -> Exchange:
        """Settle what has ended, renew the lease, queue what delayed tasks are due, and fetch: see Request."""

    @abc.abstractmethod
    async def wait(self, consumer: str, timeout: float) -> Optional[bytes]:
        """
        Wait until there is a payload in the list, and put it by for this consumer; None after `timeout` seconds or
        `end_wait`.

        Guarantees: what was put by is given out by an `exchange` that sweeps, or goes back when the consumer leaves or
        is recovered. Cancelling the wait may leave it open on the broker's side: see `leave`.
        """

    @abc.abstractmethod
    async def end_wait(self) -> None:
        """Let a `wait` that goes on return at once. Never raises."""

    @abc.abstractmethod
    async def reconcile(
        self, consumer: str, known: Iterable[int], *, put_by: bool = False, early: int = 0
    ) -> int:
        """
        Hand back, to the front and in order, whatever the consumer holds that is not `known`, nor the early start with
        the serial `early`, whose number it may have been told in an answer that was lost; with `put_by` also what a
        `wait` has put by for it. Requires for that: no wait goes on, and nothing put by was started early.

        Returns the highest number that it has been given, 0 if it was recovered.
        """

    @abc.abstractmethod
    async def leave(self, consumer: str) -> None:
        """
        Hand back all that the consumer holds, and end its lease.

        Guarantees: if a `wait` of this consumer may still be answered, the lease is left behind condemned, so that what
        that answer takes out of the list is recovered.
        """

    @abc.abstractmethod
    async def counts(self) -> Counts:
        """How many tasks are where."""

    @abc.abstractmethod
    async def size(self) -> int:
        """The length of the list."""

    @abc.abstractmethod
    async def clear(self) -> None:
        """Drop what is in the list and what is delayed, and free the ids of all that; what runs goes on."""

    @abc.abstractmethod
    async def places(self, tokens: Sequence[str]) -> Dict[str, str]:
        """
        Where the tasks with these tokens are: "queued", "delayed" or "running"; those that are nowhere are left out.

        Guarantees: a task that moves on while this looks for it is not missed, if it does so twice at most. Takes as
        long as reading the whole list.
        """

    @abc.abstractmethod
    async def results(self, names: Sequence[str]) -> List[Optional[bytes]]:
        """The results stored under these names, None where there is none (or none any more)."""

    @abc.abstractmethod
    async def dead_names(self, limit: Optional[int] = None) -> List[str]:
        """The names of dead letters, in no order: all, or `limit` of them."""

    @abc.abstractmethod
    async def dead(self, names: Sequence[str]) -> List[Optional[bytes]]:
        """The records of these dead letters, None where there is none."""

    @abc.abstractmethod
    async def revive(self, name: str, record: bytes, submission: Submission) -> bool:
        """
        Queue the dead letter `name` again, as `submission`, and forget its record.

        Returns False, and does nothing, if its record is no longer `record` or its id belongs to a living task.
        """

    @abc.abstractmethod
    async def bury(self, names: Sequence[str]) -> int:
        """Delete these dead letters; returns how many there were."""

    @abc.abstractmethod
    def leases(self, patience: float = math.inf) -> Leases:
        """
        The same queue's leases, for the thread that keeps them: with a connection of its own, on which a call that
        takes longer than `patience` seconds is an Outage.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Give up this user's share of the connections. The broker may be used again; it connects anew."""


class Leases(abc.ABC):
    """The part of a queue that a thread of its own looks after, so that no blocked event loop loses a lease."""

    @abc.abstractmethod
    def renew(self, consumer: str, lease: float) -> bool:
        """Move the deadline to `lease` seconds from now; False if the consumer is not registered or was condemned."""

    @abc.abstractmethod
    def seen(self) -> Sequence[Lease]:
        """All leases."""

    @abc.abstractmethod
    def now(self) -> int:
        """The broker's clock at the last `seen`, in ms."""

    @abc.abstractmethod
    def recover(self, lease: Lease, *, max_deliveries: int, limit: int) -> Optional[int]:
        """
        Hand back, to the front and in order, up to `limit` deliveries of a consumer whose lease is still what it was.

        Guarantees: condemns the consumer first, so that it is refused from then on and anybody can finish the work;
        its lease stays condemned for an hour after that, because a `wait` of it may still be answered. Counts the
        delivery of each: of the one that ran alone (`solo`, or the only one held), without a limit; of others, up
        to `limits.suspicious_at`, from which on they are run alone; of none but the solo one, if there is one. A
        solo one that has reached `max_deliveries` is put at `limits.condemned_at` at least. What a `wait` had brought
        before it was condemned counts as given to it.
        Returns how many are left, None if the lease has changed or gone; any negative deadline stands for a lease that
        was condemned.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close the connection."""
