"""How far a burst has come: counting it, and showing it on the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
from collections import deque
from typing import TYPE_CHECKING, Awaitable, Callable, Deque, NamedTuple, Optional, TextIO, Tuple, Type

from nb_aiopool.contrib.nb_aio_task.errors import QueueError
from nb_aiopool.contrib.nb_aio_task.events import TaskEvent, on_event

if TYPE_CHECKING:
    from types import TracebackType

logger = logging.getLogger("nb_aiopool.contrib.nb_aio_task")

BAR_SECONDS = 0.5
"""How often the bar of a terminal moves."""
_RATE_SECONDS = 10.0
_PATIENCE = 2.0
STOPPED_PATIENCE = 0.5
"""How long somebody who was asked to stop waits to hear what is left."""
_BAR_WIDTH = 20
_CLEAR_LINE = "\r\x1b[K"


class Counts(NamedTuple):
    """How many tasks have ended since the start: `done` in whatever way, of them `failed` for good."""

    done: int
    failed: int


class Tally:
    """Counts what ends in this process, as long as the block lasts."""

    def __init__(self) -> None:
        self._succeeded = 0
        self._dead = 0
        self._end: Callable[[], None] = lambda: None

    def counts(self) -> Counts:
        return Counts(self._succeeded + self._dead, self._dead)

    def __enter__(self) -> Tally:
        self._end = on_event(self._count)
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._end()

    def _count(self, event: TaskEvent) -> None:
        if event.kind == "succeeded":
            self._succeeded += 1
        elif event.kind == "dead":
            self._dead += 1


async def beside(main: Awaitable[None], step: Callable[[], Awaitable[None]], seconds: float) -> None:
    """
    Await `main`, and meanwhile `step()` every so many seconds.

    Guarantees: no step goes on when it returns; what a step raises is logged, ends the steps, and harms `main` not.
    """

    over = False

    async def repeat() -> None:
        while not over:  # a cancellation may be swallowed: wait_for() does so, until Python 3.12
            await step()
            if not over:
                await asyncio.sleep(seconds)

    repeating = asyncio.ensure_future(repeat())
    try:
        await main
    finally:
        over = True
        repeating.cancel()
        await asyncio.wait([repeating])
        if not repeating.cancelled() and repeating.exception() is not None:
            logger.error("the progress cannot be shown", exc_info=repeating.exception())


class Progress:
    """
    Shows what was done: on a terminal as a bar that moves, else as one line at the end.

    `counts()` says what has ended so far, `remaining()` how much is yet to be done, or None if that is not known,
    `stopped()` whether the end is waited for.
    """

    def __init__(
        self,
        stream: TextIO,
        counts: Callable[[], Counts],
        remaining: Callable[[], Awaitable[Optional[int]]],
        stopped: Callable[[], bool],
    ) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._counts = counts
        self._remaining = remaining
        self._stopped = stopped
        self._left: Optional[int] = None
        self._speed = Speed(time.monotonic())

    async def during(self, main: Awaitable[None]) -> None:
        """Show it while `main` is awaited."""
        try:
            if self._is_terminal:
                await beside(main, self._show, BAR_SECONDS)
            else:
                await main
        finally:
            await self._show()
            if self._is_terminal and self._left is not None:
                self._write("\n")

    async def _show(self) -> None:
        # If it cannot be had, what was known before is shown; the log says what is wrong.
        with contextlib.suppress(QueueError, ImportError, asyncio.TimeoutError):
            patience = STOPPED_PATIENCE if self._stopped() else _PATIENCE
            self._left = await asyncio.wait_for(self._remaining(), patience)
        if self._left is None:
            return
        counts = self._counts()
        line = text_of(counts, self._left, self._speed.after(counts.done, time.monotonic()))
        if self._is_terminal:
            width = shutil.get_terminal_size().columns
            self._write(_CLEAR_LINE + line[: width - 1])
        else:
            self._write(line + "\n")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone: nobody looks any more
            self._stream.write(text)
            self._stream.flush()


class Speed:
    """Tasks per second over the last seconds, from `begun` on."""

    def __init__(self, begun: float) -> None:
        self._seen: Deque[Tuple[float, int]] = deque([(begun, 0)])

    def after(self, done: int, now: float) -> float:
        """The rate, now that this many are done."""
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] <= now - _RATE_SECONDS:
            self._seen.popleft()
        begin, done_then = self._seen[0]
        return (done - done_then) / (now - begin) if now > begin else 0.0


def text_of(counts: Counts, left: int, rate: float) -> str:
    """
    One line.

    >>> text_of(Counts(1500, 2), 4500, 250.0)
    '[#####---------------]  25%  1,500/6,000  250/s  0:18 left  2 failed'
    """
    total = counts.done + left
    share = counts.done / total if total else 1.0
    bar = "#" * int(share * _BAR_WIDTH)
    parts = [f"[{bar:-<{_BAR_WIDTH}}] {int(share * 100):3d}%", f"{counts.done:,}/{total:,}"]
    parts.append(f"{rate:,.0f}/s" if rate >= 10 or not rate else f"{rate:.1f}/s")
    if left and rate > 0:
        parts.append(f"{_duration(left / rate)} left")
    parts.append(f"{counts.failed:,} failed")
    return "  ".join(parts)


def _duration(seconds: float) -> str:
    """
    >>> _duration(3725)
    '1:02:05'
    """
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
