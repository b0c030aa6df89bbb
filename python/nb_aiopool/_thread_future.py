"""ThreadFuture: a `concurrent.futures.Future` of a job's result, for other threads than the loop's.

Most of them are made, settled and dropped without anybody having looked: what a look needs, a condition above all, is
made only then. That is three quarters of the price of a `concurrent.futures.Future`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from concurrent.futures._base import CANCELLED, FINISHED
from typing import TYPE_CHECKING, Any, Callable, Optional

from nb_aiopool import _core, _thread_waits
from nb_aiopool._closing import discard
from nb_aiopool._unseen import Unseen
from nb_aiopool.errors import PoolError

if TYPE_CHECKING:
    from nb_aiopool._core import Job, Pool

    _Future = concurrent.futures.Future[Any]
else:
    _Future = concurrent.futures.Future  # 3.8 has no subscript for it

__all__ = ["ThreadFuture", "check_given", "pass_on"]

_MADE_LATER = {"_condition", "_waiters", "_done_callbacks"}
_KNOWN = {"_state", "_result", "_exception", *_MADE_LATER}
# How long a thread sleeps before it looks whether there is still a loop to wait for.
_PATIENCE = 1.0


class ThreadFuture(_core.ThreadOutcome, _Future):
    """The result of a job that was submitted from a thread. `cancel()` cancels the job, also one that runs."""

    _unseen: Optional[Unseen] = None
    settles: Optional[concurrent.futures.Future[Any]] = None  # what the thread that waits here will settle

    def __getattr__(self, name: str) -> Any:
        if name not in _MADE_LATER:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self._look()
        made: Any = threading.Condition() if name == "_condition" else []
        return self.__dict__.setdefault(name, made)

    # -- What the job tells, in the loop's thread --------------------------------------------------------------------

    def _job_succeeded(self, result: Any) -> None:
        """Settle it where the native code must not: somebody has looked, and may wait, or want to be called."""
        self._job = None
        self._settle(self.set_result, result)

    def _job_failed(self, error: BaseException) -> None:
        job, self._job = self._job, None
        if job is not None:
            self._unseen = Unseen(error, job)
        self._settle(self.set_exception, error)

    def _job_cancelled(self) -> None:
        self._job = None
        if super().cancel():
            self._notify_cancelled()
        self._ring()

    def _settle(self, settle: Callable[[Any], None], outcome: Any) -> None:
        try:
            settle(outcome)
        except concurrent.futures.InvalidStateError:  # it was cancelled before
            self._unseen = None
        self._ring()

    def _notify_cancelled(self) -> None:
        with self._condition:  # both sides may cancel at once
            if self._state == CANCELLED:
                self.set_running_or_notify_cancel()

    # -- What threads ask --------------------------------------------------------------------------------------------

    def cancel(self) -> bool:
        """Cancel the job, also one that runs. Return False if it has ended."""
        job = self._job
        if not super().cancel():
            return False
        self._notify_cancelled()
        self._ring()
        if job is not None:
            _thread_waits.tell_loop(job, job.cancel)
        return True

    def running(self) -> bool:
        """Return whether the job holds a slot of the pool."""
        job = self._job
        return job is not None and not self.done() and job._place == "running"

    def result(self, timeout: Optional[float] = None) -> Any:
        """Return the result of the job, or raise its exception, waiting for it for at most `timeout` seconds."""
        if not self._ended:
            self._await_end(timeout)
        if self._state == FINISHED and self._exception is None:
            return self._result
        self._see()
        return super().result(0)

    def exception(self, timeout: Optional[float] = None) -> Optional[BaseException]:
        """Return the exception of the job, or None, waiting for its end for at most `timeout` seconds."""
        if not self._ended:
            self._await_end(timeout)
        self._see()
        return super().exception(0)

    def _see(self) -> None:
        unseen, self._unseen = self._unseen, None
        if unseen is not None:
            unseen.seen()

    def _await_end(self, timeout: Optional[float]) -> None:
        job = self._job
        if job is not None and (timeout is None or timeout > 0):
            _refuse_to_hang(job)
            _thread_waits.announce(job, self)
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._wait(_PATIENCE if deadline is None else min(deadline - time.monotonic(), _PATIENCE)):
            if deadline is not None and not time.monotonic() < deadline:  # NaN is never, as in CPython
                raise concurrent.futures.TimeoutError
            if job is not None:
                _thread_waits.end_if_dead(job)


def _refuse_to_hang(job: Job[Any]) -> None:
    # It is not ended: its coroutine would clean up what is the parent's.
    if job._pool in _thread_waits.lost_pools:
        raise PoolError(
            "waiting here would be for ever: the job is the parent process's, and its result does not come here"
        )
    if asyncio._get_running_loop() is job.get_loop():
        message = (
            "waiting here would be for ever: this thread runs the event loop that has to run the job; "
            "in a coroutine, use `await asyncio.wrap_future(future)`"
        )
        raise RuntimeError(message)


# -- A future that the caller brings ---------------------------------------------------------------------------------


def check_given(pool: Pool, coro: Any, future: Any) -> None:
    """Raise, and close the coroutine, if a future cannot stand for a job."""
    if isinstance(future, concurrent.futures.Future):
        if not future.done():
            return
        error: Exception = concurrent.futures.InvalidStateError(f"future is done already: {future!r}")
    else:
        message = (
            f"future must be a concurrent.futures.Future, got {future!r} ({type(future).__name__}): "
            "sync_submit() is for threads, which cannot wait for asyncio's"
        )
        error = TypeError(message)
    discard(pool, coro)
    raise error


def pass_on(outcome: ThreadFuture, given: _Future) -> _Future:
    """Give the outcome of a job to another future, and the cancellation of that to the job. Return that future."""

    def settle(_: Any) -> None:
        if outcome.cancelled():
            if given.cancel():
                given.set_running_or_notify_cancel()
            return
        error = outcome.exception()
        try:
            given.set_result(outcome.result()) if error is None else given.set_exception(error)
        except concurrent.futures.InvalidStateError:  # it was cancelled
            return

    given.add_done_callback(lambda _: outcome.cancel() if given.cancelled() else None)
    outcome.add_done_callback(settle)
    return given


def _make_all_at_once(self: ThreadFuture) -> None:
    self._look()
    _Future.__init__(self)


if set(vars(concurrent.futures.Future())) != _KNOWN:
    # Another layout than the one that is put off: then nothing is.
    setattr(ThreadFuture, "__init__", _make_all_at_once)  # noqa: B010 -- its arguments are others
