"""What the dead processes of a burst have left with their leases: the burst is not over before it has come back."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Callable, Dict, List, Sequence, Set, Tuple

from nb_aiopool.contrib.nb_aio_task.errors import Outage
from nb_aiopool.contrib.nb_aio_task.keys import QueueKeys

if TYPE_CHECKING:
    from nb_aiopool.contrib.nb_aio_task.redis_wire import Wire

_LOOK_SECONDS = 0.5
_LOOKS = 2
"""
How many looks in a row have to find nothing: what a process has asked for in its last moment may be given to it after
the first one.
"""


class Orphans:
    """
    Requires: used inside a running event loop, and `queues`, a list of (redis_url, list_name), to be complete before
    there is anything to be left. Whoever adds a process has another one run, which takes care of its lease.
    """

    def __init__(self) -> None:
        self.queues: Sequence[Tuple[str, str]] = ()
        self._pids: Set[int] = set()
        self._added = asyncio.Event()
        self._wires: Dict[str, Wire] = {}

    @property
    def pending(self) -> bool:
        """Whether a process that was added may still hold something."""
        return bool(self._pids)

    def add(self, pid: int) -> None:
        """This process of ours has died."""
        self._pids.add(pid)
        self._added.set()

    async def watch(self, gone: Callable[[], None]) -> None:
        """
        For ever: call `gone()` whenever the last of what was pending has come back. An outage is waited out; raises
        BrokerError if the server refuses to tell.
        """
        while True:
            await self._added.wait()
            looks = 0
            while looks < _LOOKS:
                self._added.clear()
                await asyncio.sleep(_LOOK_SECONDS)
                try:
                    held = await self._held()
                except Outage:
                    held = 1
                looks = 0 if held or self._added.is_set() else looks + 1
            self._pids.clear()
            gone()

    async def close(self) -> None:
        """Give up the connections."""
        for wire in self._wires.values():
            await wire.close()

    async def _held(self) -> int:
        names = tuple(f"{socket.gethostname()}:{pid}:".encode() for pid in self._pids)
        return sum([await self._held_of(url, list_name, names) for url, list_name in self.queues])

    async def _held_of(self, url: str, list_name: str, names: Tuple[bytes, ...]) -> int:
        wire = self._wire_to(url)
        keys = QueueKeys(list_name)
        consumers: List[bytes] = await wire.call("ZRANGE", keys.consumers, 0, -1)
        held = 0
        for consumer in (name.decode() for name in consumers if name.startswith(names)):
            held += int(await wire.call("HLEN", keys.inflight(consumer)))
            held += int(await wire.call("LLEN", keys.wait(consumer)))
        return held

    def _wire_to(self, url: str) -> Wire:
        from nb_aiopool.contrib.nb_aio_task.redis_wire import Wire  # noqa: PLC0415 -- needs redis-py

        if url not in self._wires:
            self._wires[url] = Wire(url)
        return self._wires[url]
