"""One task's use of its broker from one event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Awaitable, Callable, Dict, Sequence, TypeVar
from weakref import WeakKeyDictionary

from .brokers import broker_for
from .loops import drop_closed
from .outages import log_of, persist
from .producer import Producer, Producers
from .results import ResultWatch
from .submitter import Submitter

if TYPE_CHECKING:
    from .definition import Definition

_T = TypeVar("_T")

_LONGEST_PAUSE = 2.0
_PATIENCE = 5.0


class Link:
    """Requires: made, and used, inside a running event loop."""

    def __init__(self, definition: Definition, producer: Producer) -> None:
        url = definition.options.redis_url
        self._log = log_of(url)
        self.broker = broker_for(url, definition.list_name)
        self.submitter = Submitter(self.broker, self._log, producer)
        self.results = ResultWatch(self.broker, definition.records, self._log)

    async def persist(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Make a call that may be repeated until the broker answers."""
        return await persist(call, self._log, _LONGEST_PAUSE)

    async def ask(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """The same for who would rather have an error than wait for long: an Outage after some seconds."""
        return await persist(call, self._log, _LONGEST_PAUSE, _PATIENCE)

    async def places(self, tokens: Sequence[str]) -> Dict[str, str]:
        return await self.persist(lambda: self.broker.places(tokens))

    async def close(self) -> None:
        await self.submitter.close()
        await self.results.close()
        await self.broker.close()


class Links:
    """One task's links, one for each event loop that uses it."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._links: WeakKeyDictionary[asyncio.AbstractEventLoop, Link] = WeakKeyDictionary()
        self._producers = Producers()

    def here(self) -> Link:
        """The link of the running event loop."""
        loop = asyncio.get_running_loop()
        link = self._links.get(loop)
        if link is None:
            for ended in drop_closed(self._links):
                self._producers.give_back(ended.submitter.release())
            link = self._links[loop] = Link(self.definition, self._producers.take())
        return link

    async def close_here(self) -> None:
        link = self._links.pop(asyncio.get_running_loop(), None)
        if link is not None:
            await link.close()
            self._producers.give_back(link.submitter.release())
