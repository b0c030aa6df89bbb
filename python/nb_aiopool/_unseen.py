"""Exceptions of jobs that nobody asks for: a `concurrent.futures.Future` keeps them to itself, the pool does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from nb_aiopool._core import Job

__all__ = ["Unseen"]


class Unseen:
    """Reports its `error` through the loop's exception handler when it goes, unless that was seen."""

    error: Optional[BaseException] = None  # set last of all: what is interrupted before reports nothing

    def __init__(self, job: Job[Any]) -> None:
        self._loop = job.get_loop()
        self._job = repr(job)

    def seen(self) -> None:
        self.error = None

    def __del__(self) -> None:
        error, self.error = self.error, None
        if error is None:
            return
        message = f"exception of a job was never retrieved: {self._job}"
        context = {"message": message, "exception": error}
        try:
            # The loop's own thread calls it: handlers are not made for any other.
            self._loop.call_soon_threadsafe(self._loop.call_exception_handler, context)
        except RuntimeError:  # the loop is closed
            self._loop.call_exception_handler(context)
