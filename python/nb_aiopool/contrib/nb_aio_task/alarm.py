"""An alarm clock: somebody sleeps until it is set off, or until a time has passed."""

from __future__ import annotations

import asyncio
from typing import Optional


class Alarm:
    """
    For one sleeper. Cheaper than `wait_for(event.wait(), ...)`, which makes a task for each sleep before Python 3.12.

    Guarantees: an alarm that goes off while nobody sleeps ends the next sleep at once.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._set = False
        self._sleeper: Optional[asyncio.Future[None]] = None

    def set(self) -> None:
        self._set = True
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        if not self._set:
            self._sleeper = self._loop.create_future()
            timer = self._loop.call_later(seconds, self.set)
            try:
                await self._sleeper
            finally:
                self._sleeper = None
                timer.cancel()
        self._set = False
