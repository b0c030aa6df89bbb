"""ThreadFuture: a `concurrent.futures.Future` of a job's result, for other threads than the loop's.

Most of them are made, settled and dropped without anybody having looked: what a look needs, a condition above all, is
made only then. That is three quarters of the price of a `concurrent.futures.Future`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from concurrent.futures._base import CANCELLED, FINISHED, LOGGER
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

__all__ = ["ThreadFuture", "check_given"]

_MADE_LATER = {"_condition", "_waiters", "_done_callbacks"}
_KNOWN = {"_state", "_result", "_exception", *_MADE_LATER}
# How long a thread sleeps before it looks whether there is still a loop to wait for.
_PATIENCE = 1.0


class ThreadFuture(_core.ThreadOutcome, _Future):
    """The result of a job that was submitted from a thread. `cancel()` cancels the job, also one that runs."""

    _unseen: Optional[Unseen] = None
    _given: Optional[_Future] = None  # a future of the caller's own, which gets the same outcome
    settles: Optional[concurrent.futures.Future[Any]] = None  # what the thread that waits here will settle

    def __getattr__(self, name: str) -> Any:
        if name not in _MADE_LATER:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self._look()
        made: Any = threading.Condition() if name == "_condition" else []
        return self.__dict__.setdefault(name, made)

    # -- What the job tells, in the loop's thread --------------------------------------------------------------------

    # These may be interrupted anywhere, and are called again until they have not been (settle_thread in job_end.cpp).

    def _job_succeeded(self, result: Any) -> None:
        """Settle it where the native code must not: somebody has looked, and may wait, or want to be called."""
        self._job = None
        self._settle(self.set_result, result)

    def _job_failed(self, error: BaseException) -> None:
        job = self._job
        if job is not None:
            unseen = self._unseen = self._unseen or Unseen(job)
            unseen.error = error
            self._job = (
                None  # only now, and nobody can have seen the error yet: there is one report of it at most
            )
        self._settle(self.set_exception, error)

    def _job_cancelled(self) -> None:
        self._job = None
        super().cancel()
        self._invoke_callbacks()

    def _settle(self, settle: Callable[[Any], None], outcome: Any) -> None:
        try:
            settle(outcome)
        except (
            concurrent.futures.InvalidStateError
        ):  # it was cancelled before; or settled, and then an interrupt came
            if self.cancelled():
                self._unseen = None
        self._invoke_callbacks()

    def _invoke_callbacks(self) -> None:
        """Tell everybody that it is settled, each once, however often it is called. `set_result()` calls it, too."""
        _notify_cancelled(self)
        self._ring()
        if self._given is not None:
            _pass_on(self, self._given)
        while True:
            with self._condition:
                callback = self._done_callbacks.pop(0) if self._done_callbacks else None
            if callback is None:
                return
            try:
                callback(self)
            except Exception:  # noqa: BLE001 -- as concurrent.futures does
                LOGGER.exception("exception calling callback for %r", self)

    # -- A future that the caller brings -------------------------------------------------------------------------------

    def serve(self, given: _Future) -> None:
        """Have another future get the outcome. Requires: there is no job yet."""
        self._look()
        self._given = given

    def obey(self, given: _Future) -> None:
        """Have the cancellation of that future be the job's."""
        given.add_done_callback(lambda _: self.cancel() if given.cancelled() else None)

    # -- What threads ask --------------------------------------------------------------------------------------------

    def cancel(self) -> bool:
        """Cancel the job, also one that runs. Return False if it has ended."""
        job = self._job
        if not super().cancel():
            return False
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
        unseen = self._unseen
        if unseen is not None:
            unseen.seen()  # first: it may be interrupted, too
            self._unseen = None

    def _await_end(self, timeout: Optional[float]) -> None:
        job = self._job
        if job is not None:
            _thread_waits.end_if_dead(job)
            if timeout is None or timeout > 0:
                _refuse_to_hang(job)
                _thread_waits.announce(job, self)
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._wait(_PATIENCE if deadline is None else min(deadline - time.monotonic(), _PATIENCE)):
            if job is not None:
                _thread_waits.end_if_dead(job)
            if (
                deadline is not None and not time.monotonic() < deadline and not self._ended
            ):  # NaN: never, as in CPython
                raise concurrent.futures.TimeoutError


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


def _pass_on(outcome: ThreadFuture, given: _Future) -> None:
    """Give the outcome of a job to another future. May be called again, and from two threads at once."""
    try:
        if outcome.cancelled():
            if not given.cancel():
                given.set_exception(concurrent.futures.CancelledError())  # it is said to run
        else:
            error = outcome.exception()
            given.set_result(outcome.result()) if error is None else given.set_exception(error)
    except concurrent.futures.InvalidStateError:  # it is done already
        pass
    _notify_cancelled(given)


def _notify_cancelled(future: _Future) -> None:
    """Tell those who wait for a future that it was cancelled: who cancels leaves that to whoever works for it."""
    with future._condition:  # both sides may cancel at once
        if future._state == CANCELLED:
            future.set_running_or_notify_cancel()


def _make_all_at_once(self: ThreadFuture) -> None:
    self._look()
    _Future.__init__(self)


if set(vars(concurrent.futures.Future())) != _KNOWN:
    # Another layout than the one that is put off: then nothing is.
    setattr(ThreadFuture, "__init__", _make_all_at_once)  # noqa: B010 -- its arguments are others
