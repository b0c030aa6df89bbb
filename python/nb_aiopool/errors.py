"""What the pool raises on its own account."""

from __future__ import annotations

import asyncio

__all__ = ["PoolError", "PoolFull", "PoolStopped"]


class PoolError(RuntimeError):
    """Base of the pool's own errors."""


class PoolFull(PoolError, asyncio.QueueFull):
    """There is no room for a job, and the call was not to wait for it (`block=False`, `submit_nowait`)."""


def new_loop_ended_error() -> PoolError:
    return PoolError(
        "the event loop ended before this job had: keep the loop running until its jobs are done"
    )


class PoolStopped(PoolError):
    """The pool was shut down and takes no new work."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(args or ("the pool was shut down while this call waited for room",)))
