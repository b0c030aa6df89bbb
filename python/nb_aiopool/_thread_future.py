"""ThreadFuture: a `concurrent.futures.Future` of a job's result, for other threads than the loop's.

Most of them are made, settled and dropped without anybody having looked: what a look needs, a condition above all, is
made only then. That is three quarters of the price of a `concurrent.futures.Future`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import time
from concurrent.futures._base import CANCELLED, FINISHED, PENDING
from typing import TYPE_CHECKING, Any, Callable, Optional

from nb_aiopool import _thread_waits
from nb_aiopool._closing import discard
from nb_aiopool._unseen import Unseen
from nb_aiopool.errors import PoolError

if TYPE_CHECKING:
    from nb_aiopool._core import Job, Pool

    _Future = concurrent.futures.Future[Any]
else:
    _Future = concurrent.futures.Future  # 3.8 has no subscript for it

__all__ = ["ThreadFuture", "check_given", "new_loop_ended_error", "pass_on"]

# A look and a settlement exclude each other. Held for a few instructions, in which nothing is made, since that may
# start a collection, and nothing else acquired. A signal's handler that comes in between may look, too.
_looking = threading.RLock()
_MADE_LATER = {"_condition", "_waiters", "_done_callbacks"}
_KNOWN = {"_state", "_result", "_exception", *_MADE_LATER}
# How long a thread sleeps before it looks whether there is still a loop to wait for.
_PATIENCE = 1.0


def new_loop_ended_error() -> PoolError:
    return PoolError(
        "the event loop ended before this job had: keep the loop running until its jobs are done"
    )


class ThreadFuture(_Future):
    """The result of a job that was submitted from a thread. `cancel()` cancels the job, also one that runs."""

    _state = PENDING
    _result: Any = None
    _exception: Optional[BaseException] = None
    _job: Optional[Job[Any]] = None
    _unseen: Optional[Unseen] = None
    _bell: Optional[threading.Lock] = None  # locked; the first thread that waits sleeps on it
    settles: Optional[concurrent.futures.Future[Any]] = None  # what the thread that waits here will settle

    def __init__(self) -> None:
        """Do nothing: see `__getattr__`."""

    def __getattr__(self, name: str) -> Any:
        if name not in _MADE_LATER:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        values = self.__dict__
        made: Any = threading.Condition() if name == "_condition" else []
        with _looking:
            return values.setdefault(name, made)

    # -- What the job tells, in the loop's thread --------------------------------------------------------------------

    def _job_succeeded(self, result: Any) -> None:
        self._job = None
        values = self.__dict__
        with _looking:
            if "_condition" not in values:  # nobody waits, has cancelled, or wants to be called
                self._result = result
                self._state = FINISHED
        if self._state != FINISHED:
            self._settle(self.set_result, result)
        elif self._bell is not None:
            self._ring()

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

    def _ring(self) -> None:
        with _looking:
            bell, self._bell = self._bell, None
        if bell is not None:
            bell.release()

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
        if self._state == PENDING:
            self._await_end(timeout)
        if self._state == FINISHED and self._exception is None:
            return self._result
        self._see()
        return super().result(0)

    def exception(self, timeout: Optional[float] = None) -> Optional[BaseException]:
        """Return the exception of the job, or None, waiting for its end for at most `timeout` seconds."""
        if self._state == PENDING:
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
        while self._state == PENDING:
            left = _PATIENCE if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise concurrent.futures.TimeoutError
            if not self._sleep(min(left, _PATIENCE)) and job is not None:
                _thread_waits.end_if_dead(job)

    def _sleep(self, seconds: float) -> bool:
        """Wait for the end of the job. Return False if the time is over before. One thread needs no condition."""
        bell = threading.Lock()
        bell.acquire()
        with _looking:
            is_first = self._bell is None and self._state == PENDING
            if is_first:
                self._bell = bell
        if not is_first:
            with self._condition:
                return self._state != PENDING or self._condition.wait(seconds)
        try:
            return bell.acquire(timeout=seconds)
        finally:
            with _looking:
                if self._bell is bell:
                    self._bell = None


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


def _renew_lock() -> None:
    global _looking  # noqa: PLW0603
    _looking = threading.RLock()  # a thread of the parent process may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
if set(vars(concurrent.futures.Future())) != _KNOWN:
    # Another layout than the one that is put off: then nothing is.
    ThreadFuture.__init__ = concurrent.futures.Future.__init__  # type: ignore[method-assign]  # pyright: ignore[reportUnknownMemberType]
