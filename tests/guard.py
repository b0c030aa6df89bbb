"""What every test is held to: it ends in time, and leaves nothing behind and nothing unsaid."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import inspect
import signal
import sys
import types
import warnings
import weakref
from typing import Any, Dict, Iterator, List, Optional

# A test that swallows the alarm, or hangs outside of Python code, is ended with its process after this long.
GRACE = 10.0


class OverTime(KeyboardInterrupt):
    """Raised by the alarm: event loops, tasks and jobs let a KeyboardInterrupt out at once."""


class TimeLimit:
    """``with limit(seconds):`` raises OverTime by an alarm where there is one, else ends the process."""

    def __init__(self, stderr_fd: int) -> None:
        self.stderr_fd = stderr_fd

    @contextlib.contextmanager
    def __call__(self, seconds: float) -> Iterator[None]:
        def fail(signum: int, frame: Optional[types.FrameType]) -> None:
            raise OverTime("the test took longer than %g s" % seconds)

        alarm = hasattr(signal, "SIGALRM")
        previous: Any = None
        grace = GRACE if alarm else 0.0
        faulthandler.dump_traceback_later(seconds + grace, exit=True, file=self.stderr_fd)
        try:
            if alarm:
                previous = signal.signal(signal.SIGALRM, fail)
                # Repeated, because the first one may come where nothing can be raised.
                signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
            yield
        finally:
            if alarm:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, previous)
            faulthandler.cancel_dump_traceback_later()


class Guard:
    """Collects what one test leaves: warnings, unraisable exceptions, loop reports, live coroutines."""

    def __init__(self) -> None:
        self.reports: List[Dict[str, Any]] = []
        self.unraisables: List[str] = []
        self.warnings: List[warnings.WarningMessage] = []
        self.reports_claimed = False
        self.unraisables_claimed = False
        self.alive_before: weakref.WeakSet[Any] = weakref.WeakSet()

    def claim_reports(self) -> List[Dict[str, Any]]:
        self.reports_claimed = True
        return self.reports

    def claim_unraisables(self) -> List[str]:
        self.unraisables_claimed = True
        return self.unraisables

    def on_loop_exception(self, loop: Any, context: Dict[str, Any]) -> None:
        self.reports.append(context)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        forget_the_past()
        self.alive_before.update(live_coroutines())
        previous = sys.unraisablehook

        def on_unraisable(args: Any) -> None:
            # Text only: the exception or the object would keep alive what the test must have let go.
            self.unraisables.append("%s: %s" % (args.exc_type.__name__, args.exc_value))

        with warnings.catch_warnings(record=True) as self.warnings:
            warnings.simplefilter("always")
            sys.unraisablehook = on_unraisable
            try:
                yield
            finally:
                sys.unraisablehook = previous

    def complaint(self) -> Optional[str]:
        """What is wrong with what the test has left, if anything."""
        reports = [] if self.reports_claimed else [describe(context) for context in self.reports]
        if not self.reports_claimed:
            self.reports.clear()
        seen = len(self.reports)
        for _ in range(2):  # finalisers of the first round may let go of more
            gc.collect()
        lines = ["still alive: %r" % coro for coro in live_coroutines() if coro not in self.alive_before]
        if not self.reports_claimed:
            reports += [describe(context) for context in self.reports[seen:]]
        lines += ["loop exception handler: %s" % report for report in reports]
        if not self.unraisables_claimed:
            lines += ["unraisable: %s" % text for text in self.unraisables]
        lines += ["warning: %s" % entry.message for entry in self.warnings if never_awaited(entry)]
        return "\n".join(["left behind by the test:", *lines]) if lines else None

    def pass_on_warnings(self) -> None:
        """Hand the warnings that are no leak to pytest, which lists them or fails, as configured."""
        for entry in self.warnings:
            warnings.warn_explicit(entry.message, entry.category, entry.filename, entry.lineno)


def forget_the_past() -> None:
    """Let go of what an earlier test, one that has failed, has left: it is not the next one's to answer for.

    What is alive after that is taken out of the collector's sight: pytest keeps a report of every test, and collecting
    several times per test would take longer and longer.
    """
    previous, sys.unraisablehook = sys.unraisablehook, lambda args: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
            gc.freeze()
    finally:
        sys.unraisablehook = previous


def never_awaited(entry: warnings.WarningMessage) -> bool:
    return issubclass(entry.category, RuntimeWarning) and "never awaited" in str(entry.message)


def describe(context: Dict[str, Any]) -> str:
    return "%s: %r" % (context.get("message"), context.get("exception"))


def live_coroutines() -> List[Any]:
    """Coroutines that have neither ended nor been closed."""
    return [
        item
        for item in gc.get_objects()
        if type(item) is types.CoroutineType and inspect.getcoroutinestate(item) != inspect.CORO_CLOSED
    ]
