"""How long a call may take: one timer for all calls of a connection."""

from __future__ import annotations

import asyncio
import math
from typing import Callable, Optional


class Patience:
    """
    Calls `expired()` when a call takes too long. Requires: `begin` and `pause` come by turns.

    A timer for each call would cost as much as writing the command.
    """

    def __init__(self, expired: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._expired = expired
        self._deadline = math.inf
        self._timer: Optional[asyncio.TimerHandle] = None

    def begin(self, seconds: float) -> None:
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._end_timer()
            self._timer = self._loop.call_at(self._deadline, self._look)

    def pause(self) -> None:
        self._deadline = math.inf

    def end(self) -> None:
        self.pause()
        self._end_timer()

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._deadline <= self._loop.time():
            self._expired()
        elif self._deadline < math.inf:
            self._timer = self._loop.call_at(self._deadline, self._look)
