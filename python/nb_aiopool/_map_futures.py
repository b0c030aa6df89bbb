"""Small things that a map does with the futures of its jobs."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["failed", "outcome", "resolve", "see"]


def resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def outcome(job: asyncio.Future[Any]) -> Any:
    """Return the result of a job or its exception."""
    if not job.cancelled():
        return job.result() if job.exception() is None else job.exception()
    try:
        return job.result()
    except asyncio.CancelledError as error:
        return error.with_traceback(None)


def failed(error: BaseException) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    if isinstance(error, StopIteration):  # no future takes it
        cause, error = error, RuntimeError("the function of map() raised StopIteration")
        error.__cause__ = cause
    future.set_exception(error)
    see(future)  # it is handed out or given up
    return future


def see(job: asyncio.Future[Any]) -> None:
    """Take the exception of a job for seen, now or when it has ended: nobody asks for it any more."""
    if not job.done():
        job.add_done_callback(see)
    elif not job.cancelled():
        job.exception()
