"""What the pool raises on its own account."""

from __future__ import annotations

import asyncio

__all__ = ["PoolError", "PoolFull", "PoolStopped"]


class PoolError(RuntimeError):
    """Base of the pool's own errors.

    Examples:
        >>> issubclass(PoolFull, PoolError) and issubclass(PoolStopped, PoolError)
        True
    """


class PoolFull(PoolError, asyncio.QueueFull):
    """There is no room for a job, and the call was not to wait for it (`block=False`, `submit_nowait`).

    It is an `asyncio.QueueFull` too.

    Examples:
        >>> async def main():
        ...     async with NbAioPool(max_concurrency=1, max_queue_size=1) as pool:
        ...         await pool.batch_submit(asyncio.sleep(0.01) for _ in range(2))
        ...         try:
        ...             await pool.run(asyncio.sleep(0), block=False)
        ...         except PoolFull:
        ...             return "try again later"
        >>> asyncio.run(main())
        'try again later'
    """


def new_loop_ended_error() -> PoolError:
    return PoolError(
        "the event loop ended before this job had: keep the loop running until its jobs are done"
    )


def new_loop_ends_error() -> PoolError:
    return PoolError(
        "all tasks of the event loop were cancelled, as at its end: no other thread can submit until the pool is idle"
    )


class PoolStopped(PoolError):
    """The pool was shut down and takes no new work.

    Examples:
        >>> async def main():
        ...     pool = NbAioPool()
        ...     await pool.shutdown()
        ...     await pool.run(asyncio.sleep(0))
        >>> asyncio.run(main())
        Traceback (most recent call last):
            ...
        nb_aiopool.errors.PoolStopped: the pool was shut down and takes no new work: ...
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(args or ("the pool was shut down while this call waited for room",)))
