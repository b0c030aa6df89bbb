"""The connections that all queues of one server share in one event loop."""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Dict, Set
from weakref import WeakKeyDictionary

from .loops import drop_closed
from .redis_wire import Wire


class Connections:
    """
    One connection for what is submitted, one for everything else, however many tasks and callers there are.

    Guarantees: closed when its last user has left, or with the loop's asynchronous generators (`asyncio.run` does
    that), so that a program that never calls `close()` leaves no open socket behind.
    """

    def __init__(self, url: str) -> None:
        self.submit = Wire(url)
        self.control = Wire(url)
        self._users: Set[object] = set()
        self._end: Any = None

    async def join(self, user: object) -> None:
        """Requires: called before each use of the connections."""
        self._users.add(user)
        if self._end is None:
            # The loop knows an asynchronous generator from its first step on, and closes it in the end.
            self._end = self._until_loop_ends()
            await self._end.__anext__()

    async def leave(self, user: object) -> None:
        self._users.discard(user)
        if not self._users and self._end is not None:
            end, self._end = self._end, None
            await end.aclose()

    async def _until_loop_ends(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.submit.close()
            await self.control.close()


_connections: WeakKeyDictionary[asyncio.AbstractEventLoop, Dict[str, Connections]] = WeakKeyDictionary()


def connections_to(url: str) -> Connections:
    """The connections to this server in the running loop."""
    loop = asyncio.get_running_loop()
    if loop not in _connections:
        drop_closed(_connections)
    servers = _connections.setdefault(loop, {})
    if url not in servers:
        servers[url] = Connections(url)
    return servers[url]
