"""What a subclass gets that has a `submit` of its own: the other calls use it, as those of 1.0 did.

`map` and the batches ask for it at each call (`_native_submit_of_subclass`). `run` is called for every single job, and
a plain pool's may make none: so it is exchanged once, when the class is made.
"""

from __future__ import annotations

from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, Awaitable, Dict, Optional, TypeVar, cast

from nb_aiopool._core import Job
from nb_aiopool._nesting import callbacks_of

if TYPE_CHECKING:
    import asyncio

    from nb_aiopool.pool import NbAioPool

__all__ = ["run"]

T = TypeVar("T")


async def run(
    self: NbAioPool, coro: Awaitable[T], block: bool = True, future: Optional[asyncio.Future[T]] = None
) -> T:
    """Run a job through this class's own `submit`, and return its result, or raise its exception.

    Cancelling the caller cancels the job, and the caller goes on when the job has finished.
    """
    options: Dict[str, Any] = (
        {} if block is True else {"block": block}
    )  # a submit may know no other than `coro`
    if future is not None:
        options["future"] = future
    submitted: asyncio.Future[T] = await self.submit(coro, **options)
    job = _job_behind(submitted)
    try:
        return await job
    except GeneratorExit:  # there is no waiting any more
        job.cancel()
        raise
    finally:
        if submitted is not job and submitted.done() and not submitted.cancelled():
            submitted.exception()  # the caller gets it: it is not left unseen


def _job_behind(future: asyncio.Future[T]) -> asyncio.Future[T]:
    """Return the job that a `future=` stands for: it is what has to end. Else the future itself."""
    for callback in callbacks_of(future):
        if type(callback) is BuiltinFunctionType:
            job: Any = callback.__self__
            if type(job) is Job and job._given is future:
                return cast("asyncio.Future[T]", job)
    return future
