"""What a queue holds, according to the interface: a naive model that searches lists, and knows what to expect."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from nb_aiopool.contrib.nb_aio_task import trailer
from nb_aiopool.contrib.nb_aio_task.broker import Exchange, Request, Settlement, Submission


class Entry(NamedTuple):
    token: str
    payload: bytes


class ModelConsumer:
    def __init__(self) -> None:
        self.held: List[Tuple[int, Entry]] = []
        self.waiting: List[Entry] = []
        self.last = 0
        self.solo = 0
        self.early = 0
        self.early_number = 0
        self.condemned = False


class Model:
    def __init__(self) -> None:
        self.time = 0.0
        self.list: List[Entry] = []
        self.delayed: List[Tuple[float, Entry]] = []
        self.consumers: Dict[str, ModelConsumer] = {}
        self.ids: Dict[str, str] = {}
        self.results: Dict[str, Tuple[float, bytes]] = {}
        self.dead: Dict[str, bytes] = {}
        self.pushed: Dict[str, Tuple[int, List[str]]] = {}

    def push(self, producer: str, sequence: int, submissions: Sequence[Submission]) -> List[str]:
        last, told = self.pushed.get(producer, (-1, []))
        if last >= sequence:
            return told if last == sequence else [submission.token for submission in submissions]
        tokens = []
        for submission in submissions:
            owner = self.ids.get(submission.id)
            if owner is None:
                self._queue(submission)
            tokens.append(owner or submission.token)
        self.pushed[producer] = (sequence, tokens)
        return tokens

    def _queue(self, submission: Submission) -> None:
        if submission.id:
            self.ids[submission.id] = submission.token
            self.results.pop(submission.id, None)
        entry = Entry(submission.token, submission.payload)
        if submission.delay is None:
            self.list.append(entry)
        else:
            self.delayed.append((self.time + submission.delay, entry))

    def exchange(self, name: str, request: Request) -> Exchange:
        if name not in self.consumers:
            self.consumers[name] = ModelConsumer()
            self.consumers[name].condemned = not request.register
        consumer = self.alive(name)
        if consumer is None:
            return Exchange([], lost=True)
        stray = consumer.last != request.last
        early_number = consumer.early_number if request.early == consumer.early else 0
        if request.early > consumer.early:
            consumer.early = request.early
            entry = next(
                (entry for entry in consumer.waiting if entry.payload == request.early_payload), None
            )
            if entry is not None:
                consumer.waiting.remove(entry)
                if not request.early_ended:
                    early_number = self._hold(consumer, entry)
            consumer.early_number = early_number
        consumer.held = [(number, entry) for number, entry in consumer.held if number not in request.acks]
        for settlement in request.settlements:
            self._settle(consumer, settlement)
        self.delayed.sort(key=lambda pair: pair[0])
        while self.delayed and self.delayed[0][0] <= self.time:
            self.list.append(self.delayed.pop(0)[1])
        next_due = self.delayed[0][0] - self.time if self.delayed else None
        consumer.solo = request.solo
        deliveries: List[Any] = []
        while not stray and len(deliveries) < request.want:
            source = consumer.waiting if request.sweep and consumer.waiting else self.list
            if not source:
                break
            entry = source.pop(0)
            deliveries.append((self._hold(consumer, entry), entry.payload))
        return Exchange(deliveries, next_due, stray=stray, early=early_number)

    def _hold(self, consumer: ModelConsumer, entry: Entry) -> int:
        consumer.last += 1
        consumer.held.append((consumer.last, entry))
        return consumer.last

    def _settle(self, consumer: ModelConsumer, settlement: Settlement) -> None:
        if settlement.number not in [number for number, _ in consumer.held]:
            return
        settled = dict(consumer.held)[settlement.number]
        consumer.held = [(number, entry) for number, entry in consumer.held if number != settlement.number]
        if settlement.kind == "again":
            self.list.insert(0, Entry(settled.token, settlement.body))
            return
        if settlement.kind == "retry":
            entry = Entry(settlement.token, settlement.body)
            self.delayed.append((self.time + settlement.delay, entry))
            return
        if settlement.kind == "dead":
            self.dead[settlement.name] = settlement.body
        if settlement.result:
            self.results[settlement.name] = (self.time + settlement.result_ttl, settlement.result)
        if self.ids.get(settlement.id) == settlement.token:
            del self.ids[settlement.id]

    def wait(self, name: str) -> bytes:
        """Requires: the list is not empty."""
        entry = self.list.pop(0)
        self.consumers[name].waiting.append(entry)
        return entry.payload

    def reconcile(self, name: str, known: Sequence[int], put_by: bool, early: int) -> int:
        consumer = self.alive(name)
        if consumer is None:
            return 0
        if early == consumer.early:
            known = [*known, consumer.early_number]
        unknown = [entry for number, entry in consumer.held if number not in known]
        if put_by:
            unknown += consumer.waiting
            consumer.waiting = []
        self.list[:0] = unknown
        consumer.held = [(number, entry) for number, entry in consumer.held if number in known]
        return consumer.last

    def leave(self, name: str) -> None:
        consumer = self.alive(name)
        if consumer is not None:
            self.list[:0] = [entry for _, entry in consumer.held] + consumer.waiting
            del self.consumers[name]

    def recover(self, name: str, max_deliveries: int, limit: int) -> int:
        consumer = self.consumers[name]
        if not consumer.condemned:
            while consumer.waiting:
                self._hold(consumer, consumer.waiting.pop(0))
        if not consumer.condemned and not consumer.solo and len(consumer.held) == 1:
            consumer.solo = consumer.held[0][0]
        consumer.condemned = True
        back, consumer.waiting = consumer.waiting, []
        for _ in range(min(limit, len(consumer.held))):
            number, entry = consumer.held.pop()
            body, deliveries, retries = trailer.split(entry.payload)
            may_rise = number == consumer.solo if consumer.solo else deliveries < max(1, max_deliveries - 1)
            deliveries += may_rise
            if number == consumer.solo and deliveries == max_deliveries == 1:
                deliveries = 2  # one is where those get who were beside it
            back.insert(0, Entry(entry.token, trailer.join(body, deliveries, retries)))
        self.list[:0] = back
        return len(consumer.held)

    def revive(self, name: str, record: bytes, submission: Submission) -> bool:
        if self.dead.get(name) != record or submission.id in self.ids:
            return False
        self._queue(submission)
        self.results.pop(name, None)
        del self.dead[name]
        return True

    def clear(self) -> None:
        self.list.clear()
        self.delayed.clear()
        running = self.places()
        self.ids = {id: token for id, token in self.ids.items() if token in running}  # noqa: A001

    def alive(self, name: str) -> Optional[ModelConsumer]:
        consumer = self.consumers.get(name)
        return None if consumer is None or consumer.condemned else consumer

    def places(self) -> Dict[str, str]:
        places = {entry.token: "queued" for entry in self.list}
        places.update((entry.token, "delayed") for _, entry in self.delayed)
        for consumer in self.consumers.values():
            places.update((entry.token, "running") for _, entry in consumer.held)
            places.update((entry.token, "running") for entry in consumer.waiting)
        return places

    def counts(self) -> Tuple[int, int, int, int]:
        running = sum(len(consumer.held) + len(consumer.waiting) for consumer in self.consumers.values())
        return (len(self.list), running, len(self.delayed), len(self.dead))

    def result(self, name: str) -> Optional[bytes]:
        end, result = self.results.get(name, (self.time, None))
        return result if end > self.time else None
