"""Threads that wait for the pool: for room, or for a job's result."""

from __future__ import annotations

import sys
from types import FrameType, FunctionType
from typing import TYPE_CHECKING, Any, Callable, Iterator, Optional, Set

from nb_aiopool import _core
from nb_aiopool._looks import attribute_of, contents_of_cells, is_future, is_kind_of, items_of
from nb_aiopool.errors import PoolError, PoolStopped

if TYPE_CHECKING:
    import concurrent.futures

    from nb_aiopool._core import Arrival, Job, Lineage, Pool
    from nb_aiopool._thread_future import ThreadFuture

__all__ = ["announce", "end_if_dead", "is_dead", "lost_pools", "tell_loop", "wait_for_place"]

lost_pools: Set[Pool] = set()  # those whose threads a fork has not brought along

_LOOP_ENDED = "the event loop ended while this thread waited for room in the pool"
_PATIENCE = 0.05  # seconds between two looks for signals, and whether there is a loop to wait for


def wait_for_place(pool: Pool, arrival: Arrival[Any], future: ThreadFuture) -> None:
    """Sleep until a job that stands in line is accepted. Raise if it will not be."""
    try:
        announce(arrival._job, future)
        while not arrival._park(_PATIENCE):
            if future.cancelled():  # by another thread, that is, and its owner is to see that
                return
            if is_dead(pool):
                raise PoolError(_LOOP_ENDED)
    except PoolStopped:
        if future.cancelled():
            return
        if is_dead(pool) or not _core.Pool.closed.__get__(pool):
            raise PoolError(_LOOP_ENDED) from None
        raise
    finally:
        arrival.close()


def tell_loop(job: Job[Any], callback: Callable[..., Any], *args: Any) -> None:
    """Have the loop of a job call something. Do nothing if it is closed."""
    try:
        job.get_loop().call_soon_threadsafe(callback, *args)
    except RuntimeError:
        return


def end_if_dead(job: Job[Any]) -> None:
    """If no loop will ever run a job, end whatever its pool holds."""
    pool = job._pool
    # In a child process the jobs are the parent's, and not to be ended here.
    if pool is not None and pool not in lost_pools and is_dead(pool):
        pool._native_abandon()


def is_dead(pool: Pool) -> bool:
    """Return whether the loop of a pool will never run again, as far as can be told."""
    loop = pool._native_loop
    if loop is None or loop.is_closed():
        return True
    # One that does not run may run again, but not if its thread is gone.
    thread = pool._native_loop_thread
    return thread is not None and thread() is None and not loop.is_running()


# -- A job that waits for a thread that waits for the pool -----------------------------------------------------------


def announce(job: Job[Any], future: ThreadFuture) -> None:
    """If a job of the pool waits for what this thread does, let it lend its slot to what this thread waits for."""
    if job._place == "running":
        return
    future.settles = settles = _work_of_this_thread()
    if settles is not None:
        # In the loop: whoever has this work done may have yet to say that it waits for it.
        tell_loop(job, _note_caller, job, settles)


def _note_caller(job: Job[Any], work: concurrent.futures.Future[Any]) -> None:
    pool = job._pool
    lineage = None if pool is None else _lineage_of_caller(pool, work)
    if pool is not None and lineage is not None:
        pool._native_want(job, lineage)


def _work_of_this_thread() -> Optional[concurrent.futures.Future[Any]]:
    """Return the future that this thread of a ThreadPoolExecutor settles when it is done with its present work."""
    # No get(): without the GIL that locks the dictionary, and a daemon thread may stop so when the interpreter exits.
    if "concurrent.futures.thread" not in sys.modules:  # nobody has ever made one
        return None
    thread_pools: Any = sys.modules["concurrent.futures.thread"]
    run = thread_pools._WorkItem.run.__code__
    frame: Optional[FrameType] = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        if frame.f_code is run:
            future: concurrent.futures.Future[Any] = frame.f_locals["self"].future
            return future
        frame = frame.f_back
    return None


def _lineage_of_caller(pool: Pool, work: concurrent.futures.Future[Any]) -> Optional[Lineage]:
    """Return the lineage of the code that called `run_in_executor()`: it made the callbacks of the future it got."""
    for future in _futures_behind(work):
        for callback in items_of(attribute_of(future, "_callbacks")):
            if not is_kind_of(callback, tuple):
                continue
            lineage = pool._native_lineage_in(callback[1])
            if lineage is not None:
                return lineage
    return None


def _futures_behind(work: concurrent.futures.Future[Any]) -> Iterator[Any]:
    for callback in items_of(attribute_of(work, "_done_callbacks")):
        if type(callback) is FunctionType:
            yield from filter(is_future, contents_of_cells(callback))
