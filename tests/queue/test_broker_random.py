"""The brokers against a plain model: random calls of every kind, repeated calls, lost answers, deaths."""

from __future__ import annotations

import os
import random
from typing import Any, Dict, List, Optional, Tuple

from broker_model import Model
from broker_support import Consumer, MemoryQueue, Queue, again, dead, done, retry, task, token_of

from nb_aiopool.contrib.nb_aio_task.broker import Exchange, Settlement, Submission

SEED = int(os.environ.get("QUEUE_SEED", random.randrange(10**9)))
STEPS = 2_000
NEVER = 10_000.0  # as long as the test may take


class Storm:
    """Does one random thing after another to a queue and to its model, and compares what they say."""

    def __init__(self, queue: Queue, rng: random.Random) -> None:
        self.queue = queue
        self.rng = rng
        self.model = Model()
        self.broker = queue.broker()
        self.leases = queue.leases()
        self.sequences = dict.fromkeys("pq", 0)
        self.consumers: List[Consumer] = []
        self.known: Dict[str, Dict[int, str]] = {}  # what each consumer knows to hold: number -> label
        self.labels: Dict[str, str] = {}  # token -> label
        # Consumers that have started what a wait has brought them, and under which serial number.
        self.early: Dict[str, Tuple[int, str, bytes]] = {}
        self.serial = 0
        self.made = 0
        self.soon = False

    async def run(self) -> None:
        moves = [self.push] * 4 + [self.exchange] * 12 + [self.wait] * 2 + [self.recover] * 2
        moves += [self.leave, self.reconcile, self.revive, self.bury, self.look, self.time]
        for step in range(STEPS):
            move = self.rng.choice(moves) if self.rng.random() > 0.002 else self.clear
            await move()
            if step % 10 == 0:
                await self.look()
        await self.look()

    def expect(self, call: str, seen: Any, expected: Any) -> None:
        assert seen == expected, call

    # -- Moves -------------------------------------------------------------------------------------------------

    async def push(self) -> None:
        producer = self.rng.choice("pq")
        self.soon = any(due <= self.model.time for due, _ in self.model.delayed)
        batch = [self.submission() for _ in range(self.rng.randrange(6))]
        self.sequences[producer] += 1
        for _ in range(self.rng.choice((1, 1, 2))):
            number = self.sequences[producer]
            expected = self.model.push(producer, number, batch)
            self.expect("push %r" % batch, await self.broker.push(producer, number, batch), expected)

    def submission(self) -> Submission:
        self.made += 1
        label = str(self.made)
        self.labels[token_of(label)] = label
        id_ = self.rng.choice("abcdef") if self.rng.random() < 0.3 else ""
        return task(label, id_, self.delay() if self.rng.random() < 0.3 else None)

    def delay(self) -> float:
        """Where time cannot be told what to do: one that is due at the next exchange, and others that never are."""
        if isinstance(self.queue, MemoryQueue):
            return self.rng.randrange(100) / 8  # no fraction that a float has to round
        # Tasks that are due in the same ms are queued in the order of their tokens, which the model does not know.
        soon, self.soon = self.soon, True
        return NEVER if soon else 0.0

    def consumer(self) -> Consumer:
        if len(self.consumers) < 3 or (len(self.consumers) < 6 and self.rng.random() < 0.05):
            self.consumers.append(Consumer(self.queue.broker(), lease=10**6))
            self.known[self.consumers[-1].name] = {}
        return self.rng.choice(self.consumers)

    async def exchange(self) -> None:
        consumer = self.consumer()
        known = self.known[consumer.name]
        numbers = [number for number in known if self.rng.random() < 0.5]
        named = {token: id_ for id_, token in self.model.ids.items()}
        acks: List[int] = []
        settlements: List[Settlement] = []
        for number in numbers:
            label = known.pop(number)
            id_ = named.get(token_of(label), "")
            settlement = self.settlement(number, label, id_)
            # Only what has no id is ever just acknowledged.
            if settlement is None and not id_:
                acks.append(number)
            else:
                settlements.append(settlement or done(number, label, id_))
        if self.rng.random() < 0.1:
            acks += [0, consumer.last + 1000, *acks]
            settlements += settlements[:2]
        want = self.rng.choice((0, 1, 1, 2, 5, 20))
        solo = self.rng.choice(list(known)) if known and self.rng.random() < 0.2 else 0
        serial, early, payload = self.early.pop(consumer.name, (0, "", b""))
        # Only what has no id is ever ended before it has a number.
        ended = bool(early) and token_of(early) not in named and self.rng.random() < 0.5
        sweep = self.rng.random() < 0.8
        times = self.rng.choice((1, 1, 1, 1, 2))
        expected = Exchange([])
        for attempt in range(times):
            answered = attempt == times - 1
            request = consumer.request(
                want,
                acks=acks,
                settle=settlements,
                solo=solo,
                early=serial,
                early_payload=payload,
                early_ended=ended,
                sweep=sweep,
            )
            expected = self.model.exchange(consumer.name, request)
            seen = await consumer.send(request, answered=answered)
            self.check_exchange(seen, expected)
        if expected.early:
            known[expected.early] = early
        await self.heard(consumer, expected)

    def settlement(self, number: int, label: str, id_: str) -> Optional[Settlement]:
        kind = self.rng.choice(("ack", "ack", "done", "retry", "again", "dead"))
        ttl = self.rng.randrange(1, 400) / 8 if isinstance(self.queue, MemoryQueue) else NEVER
        result = self.rng.choice((b"", b"R" + label.encode()))
        if kind == "done":
            return done(number, label, id_, result, ttl)
        if kind == "dead":
            record = b"D%d" % self.rng.randrange(3)
            return dead(number, label, id_, record, result)._replace(result_ttl=ttl)
        if kind == "again":
            return again(number, label, task(label).payload + b" " * self.rng.randrange(3))
        if kind == "retry":
            delay = self.delay() if isinstance(self.queue, MemoryQueue) else NEVER
            return retry(number, label, id_, delay, task(label).payload + b" " * self.rng.randrange(3))
        return None

    def check_exchange(self, seen: Any, expected: Any) -> None:
        self.expect("exchange", seen._replace(next_due=None), expected._replace(next_due=None))
        assert (seen.next_due is None) == (expected.next_due is None)
        if isinstance(self.queue, MemoryQueue):
            self.expect("exchange", seen, expected)
        elif seen.next_due is not None:
            assert expected.next_due - 1000 < seen.next_due <= expected.next_due

    async def heard(self, consumer: Consumer, answer: Exchange) -> None:
        known = self.known[consumer.name]
        for number, _ in answer.deliveries:
            known[number] = self.label_of(consumer, number)
        if answer.lost:
            self.consumers.remove(consumer)
        elif answer.stray:
            await self.reconcile(consumer)

    def label_of(self, consumer: Consumer, number: int) -> str:
        return self.labels[dict(self.model.consumers[consumer.name].held)[number].token]

    async def reconcile(self, consumer: Optional[Consumer] = None) -> None:
        consumer = consumer or self.consumer()
        known = self.known[consumer.name]
        if self.rng.random() < 0.3:
            known = self.known[consumer.name] = {
                n: label for n, label in known.items() if self.rng.random() < 0.7
            }
        # The serial is sometimes that of an early start that was told, although its number is in `known` as well.
        model = self.model.consumers.get(consumer.name)
        early = model.early if model is not None and self.rng.random() < 0.2 else 0
        for _ in range(self.rng.choice((1, 2))):
            put_by = consumer.name not in self.early and self.rng.random() < 0.3
            expected = self.model.reconcile(consumer.name, list(known), put_by, early)
            seen = await consumer.reconcile(*known, put_by=put_by, early=early)
            self.expect("reconcile", seen, expected)

    async def wait(self) -> None:
        consumer = self.consumer()
        if not self.model.list or self.model.alive(consumer.name) is None:
            return
        token, payload = self.model.list[0]
        self.expect("wait", await consumer.wait(), self.model.wait(consumer.name))
        if consumer.name not in self.early and self.rng.random() < 0.7:
            self.serial += 1
            self.early[consumer.name] = (self.serial, self.labels[token], payload)

    async def leave(self) -> None:
        consumer = self.consumer()
        for _ in range(self.rng.choice((1, 2))):
            self.model.leave(consumer.name)
            await consumer.leave()

    async def recover(self) -> None:
        names = list(self.model.consumers)
        if not names:
            return
        name = self.rng.choice(names)
        leases = {lease.consumer: lease for lease in self.leases.seen()}
        self.expect("seen", set(leases), set(names))
        assert (leases[name].deadline < 0) == self.model.consumers[name].condemned
        most, limit = self.rng.randint(1, 4), self.rng.choice((1, 2, 5, 1000))
        expected = self.model.recover(name, most, limit)
        self.expect("recover", self.leases.recover(leases[name], max_deliveries=most, limit=limit), expected)
        assert not self.leases.renew(name, 10**6)

    async def revive(self) -> None:
        names = sorted(self.model.dead)
        if names:
            name = self.rng.choice(names)
            record = self.rng.choice((self.model.dead[name], self.model.dead[name], b"other"))
            submission = self.submission()._replace(delay=None, id=name if len(name) == 1 else "")
            for _ in range(self.rng.choice((1, 2))):
                expected = self.model.revive(name, record, submission)
                self.expect("revive", await self.broker.revive(name, record, submission), expected)

    async def bury(self) -> None:
        names = [name for name in sorted(self.model.dead) if self.rng.random() < 0.2] + ["nobody"]
        expected = sum(self.model.dead.pop(name, None) is not None for name in names)
        self.expect("bury", await self.broker.bury(names), expected)

    async def clear(self) -> None:
        self.model.clear()
        await self.broker.clear()

    async def time(self) -> None:
        if isinstance(self.queue, MemoryQueue):
            seconds = self.rng.randrange(40) / 8
            self.model.time += seconds
            await self.queue.later(seconds)

    async def look(self) -> None:
        model = self.model
        self.expect("counts", await self.broker.counts(), model.counts())
        self.expect("size", await self.broker.size(), len(model.list))
        self.expect("dead_names", sorted(await self.broker.dead_names()), sorted(model.dead))
        names = [*sorted(model.dead), "nobody"]
        self.expect("dead", await self.broker.dead(names), [model.dead.get(name) for name in names])
        names = [*self.rng.sample(sorted(model.results), min(20, len(model.results))), *"abcdef"]
        self.expect("results", await self.broker.results(names), [model.result(name) for name in names])
        tokens = self.rng.sample(sorted(self.labels), min(50, len(self.labels)))
        places = model.places()
        expected = {token: places[token] for token in tokens if token in places}
        self.expect("places", await self.broker.places(tokens), expected)


async def test_a_queue_does_what_the_model_does(queue: Queue) -> None:
    rng = random.Random(SEED)
    try:
        await Storm(queue, rng).run()
    except AssertionError as error:
        raise AssertionError("QUEUE_SEED=%d: %s" % (SEED, error)) from error
