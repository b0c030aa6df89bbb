"""The queue in Redis: each method is one call of a script, or of a few commands that change nothing."""

from __future__ import annotations

import asyncio
import math
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set

from .broker import Broker, Counts, Delivery, Exchange, Leases, Request, Submission
from .keys import QueueKeys
from .limits import DUE_AT_ONCE, PRODUCER_SECONDS, UNIQUE_SECONDS
from .redis_connections import connections_to
from .redis_leases import RedisLeases
from .redis_scripts import SCRIPTS
from .redis_wire import Argument, Wire

_UNIQUE_MS = UNIQUE_SECONDS * 1000
_WAIT_MARGIN = 5.0
_LOOK_AT_ONCE = 1000


class RedisBroker(Broker):
    """See Broker. Requires: made, and used, inside a running event loop."""

    def __init__(self, url: str, list_name: str) -> None:
        self._url = url
        self.keys = QueueKeys(list_name)
        self._shared = connections_to(url)
        # A consumer's own: turns must not queue up behind somebody's bulk, and a blocking call blocks its connection.
        self._turns = Wire(url)
        self._waits = Wire(url)
        self._waiting = 0
        self._end_wanted = False
        self._wait_left_open = False

    async def push(self, producer: str, sequence: int, submissions: Sequence[Submission]) -> List[str]:
        await self._shared.join(self)
        k = self.keys
        head: List[Argument] = [k.prefix, sequence, PRODUCER_SECONDS, _UNIQUE_MS]
        if any(s.id or s.delay is not None for s in submissions):
            head.append(b"full")
            for s in submissions:
                delay: Argument = b"" if s.delay is None else max(0, round(s.delay * 1000))
                head += (s.payload, s.token, s.id, delay)
        else:
            head.append(b"plain")
            head += [s.payload for s in submissions]
        keys: List[Argument] = [k.list, k.producer(producer), k.ids, k.delayed, k.parked]
        owners = iter(await self._shared.submit.script(SCRIPTS["push"], keys, head))
        return [next(owners).decode() if s.id else s.token for s in submissions]

    async def exchange(self, consumer: str, request: Request) -> Exchange:
        k, r = self.keys, request
        arguments: List[Argument] = [
            k.prefix,
            consumer,
            round(r.lease * 1000),
            b"1" if r.register else b"",
            r.last,
            r.want,
            r.solo or b"",
            " ".join(map(str, r.acks)),
            DUE_AT_ONCE,
            _UNIQUE_MS,
            r.early or b"",
            b"1" if r.early_ended else b"",
            b"1" if r.sweep else b"",
            r.early_payload,
        ]
        for s in r.settlements:
            arguments += (s.kind, s.number, s.name, s.token, s.id, s.body)
            arguments += (max(0, round(s.delay * 1000)), s.result, max(1, round(s.result_ttl * 1000)))
        keys: List[Argument] = [k.list, *self._own_keys(consumer), k.delayed, k.parked, k.dead, k.ids]
        reply = await self._turns.script(SCRIPTS["exchange"], keys, arguments)
        if reply[0] == b"lost":
            return Exchange([], lost=True)
        next_due = None if reply[1] < 0 else reply[1] / 1000
        if reply[0] == b"stray":
            return Exchange([], next_due, stray=True, early=reply[2])
        return Exchange(list(_deliveries(*reply[3:])), next_due, early=reply[2])

    async def wait(self, consumer: str, timeout: float) -> Optional[bytes]:
        self._wait_left_open, before = True, self._wait_left_open
        self._end_wanted = False
        self._waiting = await self._waits.client_id()
        if self._end_wanted:
            self._waiting = 0
            self._wait_left_open = before
            return None
        k = self.keys
        seconds = f"{max(timeout, 0.001):.3f}"
        try:
            # The margin is the time that Redis may take for other clients before it notices that the time is up.
            payload: Optional[bytes] = await self._waits.call(
                "BLMOVE", k.list, k.wait(consumer), "LEFT", "RIGHT", seconds, timeout=timeout + _WAIT_MARGIN
            )
        finally:
            self._waiting = 0
        self._wait_left_open = before
        return payload

    async def end_wait(self) -> None:
        self._end_wanted = True
        # The answer to this may overtake the blocking call itself: then there was nothing to unblock yet.
        while self._waiting:
            try:
                await self._shared.join(self)
                await self._shared.control.call("CLIENT", "UNBLOCK", self._waiting)
            except Exception:  # noqa: BLE001 -- whatever it is, the waiting side will meet it as well, or time out
                return
            await asyncio.sleep(0.01)

    async def reconcile(
        self, consumer: str, known: Iterable[int], *, put_by: bool = False, early: int = 0
    ) -> int:
        keys: List[Argument] = [self.keys.list, *self._own_keys(consumer)]
        arguments: List[Argument] = [
            consumer,
            " ".join(map(str, known)),
            b"1" if put_by else b"",
            early or b"",
        ]
        return int(await self._turns.script(SCRIPTS["reconcile"], keys, arguments))

    async def leave(self, consumer: str) -> None:
        keys: List[Argument] = [self.keys.list, *self._own_keys(consumer)]
        await self._turns.script(SCRIPTS["leave"], keys, [consumer, b"1" if self._wait_left_open else b""])

    async def counts(self) -> Counts:
        k = self.keys
        return Counts(*await self._ask("counts", [k.list, k.consumers, k.delayed, k.dead], [k.prefix]))

    async def size(self) -> int:
        return int(await self._call("LLEN", self.keys.list))

    async def clear(self) -> None:
        k = self.keys
        await self._ask("clear", [k.list, k.delayed, k.parked, k.consumers, k.ids], [k.prefix])

    async def places(self, tokens: Sequence[str]) -> Dict[str, str]:
        k = self.keys
        found: Dict[str, str] = {}
        # A task may be handed back to the front of the list behind the back of who reads it: hence twice.
        for _ in range(2):
            for place in ("queued", "running"):
                missing = [token for token in tokens if token not in found]
                if not missing:
                    return found
                if place == "queued":
                    found.update(dict.fromkeys(await self._listed(missing), place))
                else:
                    pairs = await self._ask("running", [k.consumers, k.delayed], [k.prefix, *missing])
                    found.update(
                        (token.decode(), where.decode()) for token, where in zip(pairs[::2], pairs[1::2])
                    )
        return found

    async def _listed(self, tokens: Sequence[str]) -> Set[str]:
        # From the end on: what is pushed or popped meanwhile moves nothing out of what is yet to be read.
        found: Set[str] = set()
        last = -1
        while True:
            arguments: List[Argument] = [last - _LOOK_AT_ONCE + 1, last, *tokens]
            seen, here = await self._ask("listed", [self.keys.list], arguments)
            found.update(token.decode() for token in here)
            if seen < _LOOK_AT_ONCE or len(found) == len(tokens):
                return found
            last -= _LOOK_AT_ONCE

    async def results(self, names: Sequence[str]) -> List[Optional[bytes]]:
        return list(await self._call("MGET", *(self.keys.result(name) for name in names))) if names else []

    async def dead_names(self, limit: Optional[int] = None) -> List[str]:
        names: List[str] = []
        cursor = b"0"
        while limit is None or len(names) < limit:
            cursor, found = await self._call("HSCAN", self.keys.dead, cursor, "COUNT", 100)
            names += [name.decode() for name in found[::2]]
            if cursor == b"0":
                break
        # A hash that is rehashed while it is read may show a field twice.
        return list(dict.fromkeys(names))[:limit]

    async def dead(self, names: Sequence[str]) -> List[Optional[bytes]]:
        return list(await self._call("HMGET", self.keys.dead, *names)) if names else []

    async def revive(self, name: str, record: bytes, submission: Submission) -> bool:
        k = self.keys
        s = submission
        arguments: List[Argument] = [k.prefix, name, record, s.payload, s.token, s.id, _UNIQUE_MS]
        return bool(await self._ask("revive", [k.list, k.dead, k.ids], arguments))

    async def bury(self, names: Sequence[str]) -> int:
        return int(await self._call("HDEL", self.keys.dead, *names)) if names else 0

    def leases(self, patience: float = math.inf) -> Leases:
        return RedisLeases(self._url, self.keys, patience)

    async def close(self) -> None:
        await self._turns.close()
        await self._waits.close()
        await self._shared.leave(self)

    def _own_keys(self, consumer: str) -> List[Argument]:
        k = self.keys
        return [k.inflight(consumer), k.wait(consumer), k.state(consumer), k.consumers]

    async def _call(self, *arguments: Argument) -> Any:
        await self._shared.join(self)
        return await self._shared.control.call(*arguments)

    async def _ask(self, script: str, keys: List[Argument], arguments: Iterable[Argument]) -> Any:
        await self._shared.join(self)
        return await self._shared.control.script(SCRIPTS[script], keys, arguments)


def _deliveries(first: int, lengths: bytes, payloads: bytes) -> Iterator[Delivery]:
    """
    Payloads come in one string with their lengths beside it: a parser in Python takes no longer for many than for
    one.
    """
    begin = 0
    for number, length in enumerate(map(int, lengths.split()), first):
        yield Delivery(number, payloads[begin : begin + length])
        begin += length
