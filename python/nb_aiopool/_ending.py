"""How a pool comes to rest: waiting for its jobs, and cancelling them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Iterable, List, Optional

from nb_aiopool._flags import as_flag
from nb_aiopool._guard import all_were_cancelled
from nb_aiopool._self_waits import is_awaited_by_job

if TYPE_CHECKING:
    from nb_aiopool._core import Pool


_FOR_EVER = 1e9  # seconds; loops do not take much larger numbers


async def shutdown(pool: Pool, wait: bool, cancel: bool, timeout: Optional[float]) -> None:
    """Close the pool; cancel its jobs at once or after `timeout` seconds; wait until all have ended."""
    is_number = isinstance(wait, (int, float))
    wait = as_flag("wait", wait, f"; for as many seconds at most write timeout={wait!r}" if is_number else "")
    cancel = as_flag("cancel", cancel)
    _check_timeout(timeout)
    if wait:
        refuse_inside(pool, "shutdown(wait=True)")
    pool._native_close()
    if cancel:
        pool._native_cancel_all()
    timer = None
    if timeout is not None and not cancel and timeout < _FOR_EVER:
        timer = asyncio.get_running_loop().call_later(timeout, pool._native_cancel_all)
    if wait:
        try:
            await wait_idle(pool)
        finally:
            if timer is not None:
                timer.cancel()


async def wait_idle(pool: Pool) -> None:
    """Wait until nothing is queued, runs, or waits to come in."""
    waiter = pool._native_when_idle()
    if waiter is None:
        return
    try:
        await waiter
    finally:
        pool._native_forget_waiter(waiter)


async def outlast(wait: Callable[[], Awaitable[Any]], cancel: Callable[[], None]) -> None:
    """Wait, whatever happens to the caller: each time that it is cancelled, cancel too, and raise only in the end."""
    cancelled: List[BaseException] = []
    while True:
        try:
            await wait()
        except asyncio.CancelledError as error:
            cancelled[:] = [error]
            cancel()
        else:
            break
    raise_any(cancelled)


def raise_any(errors: List[BaseException]) -> None:
    """Raise what is in the list, if anything, and take it out: the traceback leads to whoever holds the list."""
    if errors:
        raise errors.pop()


async def cancel_and_wait(pool: Pool) -> None:
    """Cancel all jobs and wait for them, whatever else happens to the caller: none may outlive it."""
    pool._native_close()
    if not all_were_cancelled(pool):
        pool._native_cancel_all()
    await outlast(lambda: wait_idle(pool), pool._native_cancel_all)


def cancel_without_waiting(pool: Pool) -> None:
    """Close the pool and cancel its jobs, for a caller that is thrown away and cannot wait any more."""
    if pool._native_loop is asyncio._get_running_loop():
        pool._native_close()
        pool._native_cancel_all()


async def wait_for_all(futures: Iterable[asyncio.Future[Any]]) -> None:
    """Wait until all futures are done, whatever else happens to the caller: its cancellation is theirs."""
    left = [future for future in futures if not future.done()]

    async def wait() -> None:
        left[:] = [future for future in left if not future.done()]
        if left:
            await asyncio.wait(left)

    await outlast(wait, lambda: cancel_each(left))


def cancel_each(futures: Iterable[asyncio.Future[Any]]) -> None:
    for future in futures:
        future.cancel()


async def cancel_all_of(pool: Pool, futures: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel futures of the pool and wait until all are done, whatever else happens to the caller.

    What they fail with is taken for seen: the caller has a better reason to end.
    """
    futures = list(futures)
    if not all_were_cancelled(pool):
        cancel_each(futures)
    try:
        await wait_for_all(futures)
    finally:
        for future in futures:
            if future.done() and not future.cancelled():
                future.exception()


def refuse_inside(pool: Pool, call: str) -> None:
    """Raise RuntimeError if a job of the pool makes the call, or waits for the task that does."""
    if pool._native_is_inside() or (
        pool._native_lineage() is not None and is_awaited_by_job(pool, asyncio.current_task())
    ):
        raise RuntimeError(
            f"{call} inside one of the pool's own jobs would wait for itself; call it from outside of the pool's jobs"
        )


def _check_timeout(timeout: Optional[float]) -> None:
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(
            f"timeout must be a number of seconds or None, got {timeout!r} ({type(timeout).__name__})"
        )
    if not timeout >= 0:
        raise ValueError(f"timeout must be at least 0 seconds, got {timeout!r}")
