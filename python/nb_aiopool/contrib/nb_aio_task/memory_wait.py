"""A consumer that waits, in whatever event loop and thread, until something comes into the list."""

from __future__ import annotations

import asyncio
from typing import Optional


class Wait:
    """
    One wait of the running loop, on behalf of `owner`; it lasts until its future `over` is done.

    Guarantees: `end` may be called from any thread, any number of times, before and after the loop was closed.
    """

    def __init__(self, owner: object, consumer: str) -> None:
        self.owner = owner
        self.consumer = consumer
        self.payload: Optional[bytes] = None
        """What was put by for the consumer; written before the wait is ended, by who holds the queue's lock."""
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = self._loop.create_future()

    @property
    def is_lost(self) -> bool:
        """Whether its loop was closed, so that nobody waits any more."""
        return self._loop.is_closed()

    def end(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self.end_here)
        except RuntimeError:
            if not self.is_lost:
                raise

    def end_here(self) -> None:
        """The same, on the thread of the wait's loop."""
        if not self.over.done():
            self.over.set_result(None)
