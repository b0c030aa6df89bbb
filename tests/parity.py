"""What the tests share that compare a job with asyncio's Task."""

from __future__ import annotations

import asyncio
from typing import Any, Coroutine

import pytest

from nb_aiopool import NbAioPool


def spawn(coro: Coroutine[Any, Any, Any]) -> Any:
    """A job with a pool of its own, begun as soon as the loop turns."""
    return NbAioPool(1, 1).submit_nowait(coro)


def new_future() -> Any:
    return asyncio.get_running_loop().create_future()


async def cancelled_with(job: Any) -> Any:
    """The arguments of the CancelledError that a job ends with."""
    with pytest.raises(asyncio.CancelledError) as caught:
        await job
    assert job.cancelled() and job.done()
    return caught.value.args


class Yields:
    """An awaitable that yields an object to whoever steps it."""

    def __init__(self, yielded: Any) -> None:
        self.yielded = yielded

    def __await__(self) -> Any:
        return (yield self.yielded)
