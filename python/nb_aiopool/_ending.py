"""How a pool comes to rest: waiting for its jobs, and cancelling them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Iterable, List, Optional

from nb_aiopool._guard import all_were_cancelled

if TYPE_CHECKING:
    from nb_aiopool._core import Pool


async def shutdown(pool: Pool, wait: bool, cancel: bool, timeout: Optional[float]) -> None:
    """Close the pool; cancel its jobs at once or after `timeout` seconds; wait until all have ended."""
    _check_timeout(timeout)
    if wait:
        refuse_inside(pool, "shutdown(wait=True)")
    pool._native_close()
    if cancel:
        pool._native_cancel_all()
    timer = None
    if timeout is not None and not cancel:
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


async def cancel_and_wait(pool: Pool) -> None:
    """Cancel all jobs and wait for them, whatever else happens to the caller: none may outlive it."""
    pool._native_close()
    if not all_were_cancelled(pool):
        pool._native_cancel_all()
    cancelled = None
    while True:
        try:
            await wait_idle(pool)
        except asyncio.CancelledError as error:
            cancelled = error
            pool._native_cancel_all()
        else:
            break
    if cancelled is not None:
        raise cancelled


async def cancel_all_of(pool: Pool, futures: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel futures of the pool and wait until all are done, whatever else happens to the caller.

    What they fail with is taken for seen: the caller has a better reason to end.
    """
    futures = list(futures)
    cancelled = None
    if not all_were_cancelled(pool):
        for future in futures:
            future.cancel()
    waits: List[asyncio.Future[Any]] = [future for future in futures if not future.done()]
    while waits:
        try:
            await asyncio.wait(waits)
        except asyncio.CancelledError as error:
            cancelled = error
            for future in waits:
                future.cancel()
        waits = [future for future in waits if not future.done()]
    for future in futures:
        if not future.cancelled():
            future.exception()
    if cancelled is not None:
        raise cancelled


def refuse_inside(pool: Pool, call: str) -> None:
    """Raise RuntimeError if a job of the pool makes the call."""
    if pool._native_is_inside():
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
