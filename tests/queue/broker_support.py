"""What the tests of the brokers drive a queue with: the queue itself, producers, and consumers that keep the rules."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from typing import Any, Callable, List, Optional, Sequence

from nb_aiopool.contrib.nb_aio_task.broker import (
    Broker,
    Delivery,
    Exchange,
    Lease,
    Leases,
    Request,
    Settlement,
    Submission,
)
from nb_aiopool.contrib.nb_aio_task.memory_broker import MemoryBroker


def token_of(label: object) -> str:
    """The token of the task of this name: 32 hexadecimal digits, as the producers make them."""
    return hashlib.md5(repr(label).encode()).hexdigest()


def payload_of(label: object) -> bytes:
    """The payload of the task of this name; its token stands in it, as in every payload of the producers."""
    return b'{"args": [%s], "id": "%s"}' % (repr(label).encode(), token_of(label).encode())


def task(label: object, id: str = "", delay: Optional[float] = None) -> Submission:  # noqa: A002 -- as in Submission
    return Submission(payload_of(label), token_of(label), id, delay)


def done(number: int, label: object, id: str = "", result: bytes = b"", ttl: float = 60.0) -> Settlement:  # noqa: A002 -- as in Submission
    token = token_of(label)
    return Settlement("done", number, id or token, token, id, result=result, result_ttl=ttl)


def retry(number: int, label: object, id: str = "", delay: float = 0.0, body: bytes = b"") -> Settlement:  # noqa: A002 -- as in Submission
    token = token_of(label)
    return Settlement("retry", number, id or token, token, id, body or payload_of(label), delay)


def again(number: int, label: object, body: bytes = b"") -> Settlement:
    return Settlement("again", number, "", "", "", body or payload_of(label))


def dead(
    number: int,
    label: object,
    id: str = "",  # noqa: A002 -- as in Submission
    record: bytes = b"record",
    result: bytes = b"",
) -> Settlement:
    token = token_of(label)
    return Settlement("dead", number, id or token, token, id, record, result=result, result_ttl=60.0)


class Queue:
    """One queue: makes users of it, and knows how time passes for it."""

    def __init__(self) -> None:
        self.list_name = "nb_aio_task:" + uuid.uuid4().hex
        self._brokers: List[Broker] = []
        self._leases: List[Leases] = []

    def broker(self) -> Broker:
        """One more user of the queue; it is closed when the test is over."""
        self._brokers.append(self._new_broker())
        return self._brokers[-1]

    def leases(self) -> Leases:
        """A keeper of leases; it is closed when the test is over."""
        self._leases.append(self.broker().leases())
        return self._leases[-1]

    async def later(self, seconds: float) -> None:
        """Let time pass."""
        raise NotImplementedError

    async def close(self) -> None:
        for leases in self._leases:
            leases.close()
        for broker in self._brokers:
            await broker.close()

    def _new_broker(self) -> Broker:
        raise NotImplementedError


class MemoryQueue(Queue):
    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.url = "memory://" + name
        self.time = 1000.0

    async def later(self, seconds: float) -> None:
        self.time += seconds

    def _new_broker(self) -> MemoryBroker:
        return MemoryBroker(self.url, self.list_name, clock=lambda: self.time)


class RedisQueue(Queue):
    def __init__(self, url: str, make: Callable[[str, str], Broker]) -> None:
        super().__init__()
        self.url = url
        self._make = make

    async def later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _new_broker(self) -> Broker:
        return self._make(self.url, self.list_name)


class Producer:
    """Numbers its batches."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.name = uuid.uuid4().hex
        self.sequence = 0

    async def push(self, *tasks: Submission) -> List[str]:
        self.sequence += 1
        return await self.repeat(*tasks)

    async def repeat(self, *tasks: Submission) -> List[str]:
        """Push the last batch again, as after a lost answer."""
        return await self.broker.push(self.name, self.sequence, tasks)


class Consumer:
    """Remembers what it was given, and tells it to the broker."""

    def __init__(self, broker: Broker, lease: float = 60.0) -> None:
        self.broker = broker
        self.name = uuid.uuid4().hex
        self.lease = lease
        self.register = True
        self.last = 0

    def request(
        self, want: int = 0, *, acks: Sequence[int] = (), settle: Sequence[Settlement] = (), **others: Any
    ) -> Request:
        """What it tells and asks for, beside what it remembers."""
        return Request(self.lease, self.register, self.last, want, acks=acks, settlements=settle, **others)

    async def send(self, request: Request, *, answered: bool = True) -> Exchange:
        """One exchange; if it is not ``answered``, it takes effect, and this consumer does not hear of it."""
        answer = await self.broker.exchange(self.name, request)
        if answered:
            self.register = False
            self.last = max(self.last, answer.early)
            if answer.deliveries:
                self.last = answer.deliveries[-1].number
        return answer

    async def exchange(self, want: int = 0, *, answered: bool = True, **others: Any) -> Exchange:
        """The same, put together here."""
        return await self.send(self.request(want, **others), answered=answered)

    async def fetch(self, want: int = 1, **others: Any) -> List[Delivery]:
        """An exchange that has to succeed."""
        answer = await self.exchange(want, **others)
        assert not answer.lost and not answer.stray
        return answer.deliveries

    async def take(self, want: int = 1, **others: Any) -> List[bytes]:
        """The payloads that were fetched."""
        return [delivery.payload for delivery in await self.fetch(want, **others)]

    async def wait(self, timeout: float = 60.0) -> Optional[bytes]:
        return await self.broker.wait(self.name, timeout)

    async def reconcile(self, *known: int, put_by: bool = False, early: int = 0) -> int:
        self.last = await self.broker.reconcile(self.name, known, put_by=put_by, early=early)
        return self.last

    async def leave(self) -> None:
        await self.broker.leave(self.name)

    def lease_in(self, leases: Leases) -> Optional[Lease]:
        """Its lease, as the keeper of the leases sees it; None if it has none."""
        found = [lease for lease in leases.seen() if lease.consumer == self.name]
        assert len(found) < 2
        return found[0] if found else None

    def recover(self, leases: Leases, *, max_deliveries: int = 5, limit: int = 1000) -> Optional[int]:
        """Recover it as if its lease had run out."""
        lease = self.lease_in(leases)
        assert lease is not None
        return leases.recover(lease, max_deliveries=max_deliveries, limit=limit)


async def drain(queue: Queue) -> List[bytes]:
    """Take everything out of the list."""
    return await Consumer(queue.broker()).take(1_000_000)


def payloads(*labels: object) -> List[bytes]:
    return [payload_of(label) for label in labels]
