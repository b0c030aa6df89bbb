"""The leases of a queue in Redis, for the thread that keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Sequence

from .broker import Lease, Leases
from .limits import CONDEMNED_SECONDS
from .redis_scripts import SCRIPTS
from .redis_wire import BlockingWire

if TYPE_CHECKING:
    from .keys import QueueKeys


class RedisLeases(Leases):
    """See Leases. Requires: used by one thread at a time."""

    def __init__(self, url: str, keys: QueueKeys, patience: float) -> None:
        self._keys = keys
        self._wire = BlockingWire(url, patience)
        self._now = 0

    def renew(self, consumer: str, lease: float) -> bool:
        return bool(
            self._wire.script(SCRIPTS["renew"], [self._keys.consumers], [consumer, round(lease * 1000)])
        )

    def seen(self) -> Sequence[Lease]:
        self._now, flat = self._wire.script(SCRIPTS["seen"], [self._keys.consumers], [])
        leases: List[Lease] = []
        for consumer, deadline in zip(flat[::2], flat[1::2]):
            leases.append(Lease(consumer.decode(), int(float(deadline))))
        return leases

    def now(self) -> int:
        return self._now

    def recover(self, lease: Lease, *, max_deliveries: int, limit: int) -> Optional[int]:
        k = self._keys
        name = lease.consumer
        left = self._wire.script(
            SCRIPTS["recover"],
            [k.list, k.inflight(name), k.wait(name), k.state(name), k.consumers],
            [name, lease.deadline, max_deliveries, limit, CONDEMNED_SECONDS * 1000],
        )
        return None if left < 0 else int(left)

    def close(self) -> None:
        self._wire.close()
