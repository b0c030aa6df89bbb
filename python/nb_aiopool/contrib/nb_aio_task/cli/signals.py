"""Requests to stop: from signals and from a supervisor, to whoever is to be stopped."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import time
from typing import TYPE_CHECKING, Callable, Iterator, Optional

if TYPE_CHECKING:
    from types import FrameType

STOP = 1
"""Fetch nothing more, let what runs finish."""
ABORT = 2
"""Cancel what runs and hand it back."""

SIGNALS = [signal.SIGINT, signal.SIGTERM]
if os.name == "nt":
    SIGNALS.append(signal.Signals["SIGBREAK"])

_ONE_PRESS = 0.1
"""
Signals that follow each other faster, and before the first could be obeyed, are one request: `timeout` and process
managers signal a process and then its whole group.
"""


class StopRequests:
    """
    The first signal asks to stop, each further one to abort.

    With `escalate=False` signals never ask for more than to stop: a process under a supervisor gets the terminal's
    Ctrl-C, or the service manager's SIGTERM, beside what the supervisor says, and must not count both.

    Guarantees: before there is somebody to tell, a signal raises SystemExit(0); after `finish()` it ends the process at
    once, because nothing is left to be lost.
    """

    def __init__(self, *, escalate: bool = True) -> None:
        self.level = 0
        self._escalate = escalate
        self._last = -math.inf
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._obey: Callable[[int], None] = lambda _level: None
        self._obeyed = False
        self._finished = False

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Within the block, signals come here. Requires: the main thread."""
        before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        unblock_signals()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def listen(self, obey: Callable[[int], None]) -> None:
        """
        From now on the running event loop calls `obey(level)` for each request, also for one that came before.

        Requires: `obey` may be called again with what it has been called with.
        """
        self._obey = obey
        self._loop = asyncio.get_running_loop()
        if self.level:
            self._pass_on(self.level)

    def finish(self) -> None:
        """What was to be stopped has ended."""
        self._finished = True

    def ask(self, level: int) -> None:
        """Ask for this; may be called by any thread."""
        self.level = max(self.level, level)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has been closed: there is nothing left to stop
                self._loop.call_soon_threadsafe(self._pass_on, level)

    def is_heard(self) -> bool:
        """Whether somebody listens."""
        return self._loop is not None

    def _pass_on(self, level: int) -> None:
        self._obeyed = True
        self._obey(level)

    def _on_signal(self, _number: int, _frame: Optional[FrameType]) -> None:
        now = time.monotonic()
        again, self._last = not self._obeyed and now - self._last < _ONE_PRESS, now
        if self.level and (again or not self._escalate):
            return
        self.ask(ABORT if self.level else STOP)
        if self._finished:
            os._exit(0)
        if self._loop is None:
            raise SystemExit(0)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """
    Within the block, signals wait. A process started in it has them held, too, until it calls `unblock_signals`: they
    do not meet an interpreter that is not ready for them. Requires: POSIX.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblock_signals() -> None:
    """Let the signals in that whoever started this process has held."""
    if os.name == "posix":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
