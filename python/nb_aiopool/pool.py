"""NbAioPool: what users call. The native pool decides; the coroutines here only wait for what it says."""

from __future__ import annotations

import asyncio
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterable,
    Awaitable,
    Iterable,
    List,
    NamedTuple,
    Optional,
    TypeVar,
    Union,
)

from nb_aiopool import _batch, _core
from nb_aiopool._guard import all_were_cancelled

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Type

__all__ = ["NbAioPool", "PoolStats"]

T = TypeVar("T")
Self = TypeVar("Self", bound="NbAioPool")
_Turn = _core.Turn


class PoolStats(NamedTuple):
    """A pool's account: `submitted == succeeded + failed + cancelled + queued + running`, at every moment."""

    submitted: int
    succeeded: int
    failed: int
    cancelled: int
    queued: int
    running: int


class NbAioPool(_core.Pool):
    """Runs coroutines, at most `max_concurrency` at a time, with at most `max_queue_size` waiting (0: no bound).

    Example:
        async with NbAioPool(max_concurrency=10) as pool:
            future = await pool.submit(fetch(url))
            page = await future
    """

    def __init__(self, max_concurrency: int = 100, max_queue_size: int = 1000) -> None:
        super().__init__(max_concurrency, max_queue_size)

    async def submit(
        self, coro: Awaitable[T], block: bool = True, future: Optional[asyncio.Future[T]] = None
    ) -> asyncio.Future[T]:
        """Submit a job and return its future, waiting while the pool is full.

        With `block=False` a full pool raises PoolFull. With `future`, that future gets the outcome and is returned.
        """
        handle = self._offer(coro, block, future)
        if type(handle) is not tuple:
            return handle  # type: ignore[return-value]  # pyright: ignore[reportReturnType]
        job, admitted = handle
        try:
            await admitted
        except BaseException:
            self._leave_line(job)
            raise
        return self._take_place(job)

    async def run(
        self, coro: Awaitable[T], block: bool = True, future: Optional[asyncio.Future[T]] = None
    ) -> T:
        """Run a job and return its result, or raise its exception.

        With a free slot and nobody ahead, the coroutine runs at once, inside the caller's task and a context of its
        own. Cancelling the caller cancels the job, and the caller goes on when the job has finished.
        """
        if future is not None:
            return await _batch.run_with_future(self, coro, block, future)
        outcome = self._run(coro, block)
        if type(outcome) is _Turn:
            return await outcome  # type: ignore[no-any-return]
        return outcome  # type: ignore[no-any-return]

    async def batch_submit(
        self, coros: Union[Iterable[Awaitable[T]], AsyncIterable[Awaitable[T]]], block: bool = True
    ) -> List[asyncio.Future[T]]:
        """Submit every job of an iterable, and return their futures in its order.

        The iterable is drawn from as room appears. With `block=False` either all of them fit, or PoolFull is raised.
        """
        futures: List[asyncio.Future[T]] = []
        await _batch.submit_each(self, coros, block, futures)
        return futures

    async def batch_run(
        self,
        coros: Union[Iterable[Awaitable[T]], AsyncIterable[Awaitable[T]]],
        block: bool = True,
        *,
        return_exceptions: bool = False,
    ) -> List[Any]:
        """Run every job of an iterable, and return their results in its order.

        The first exception is raised, as by `asyncio.gather`, or all are returned with `return_exceptions=True`.
        Cancelling the caller cancels the jobs.
        """
        return await _batch.run_each(self, coros, block, return_exceptions)

    async def join(self) -> None:
        """Wait until nothing is queued or running. The pool stays open."""
        self._bind()
        self._refuse_inside("join()")
        await self._wait_idle()

    async def shutdown(
        self, wait: bool = True, *, cancel: bool = False, timeout: Optional[float] = None
    ) -> None:
        """Take no new work, and wait until all jobs have ended (`wait=False`: return at once, and they go on).

        `cancel=True` drops what is queued and cancels what runs; `timeout` does so after as many seconds.
        """
        _check_timeout(timeout)
        if wait:
            self._refuse_inside("shutdown(wait=True)")
        self._close()
        if cancel:
            self._cancel_all()
        timer = None
        if timeout is not None and not cancel:
            timer = asyncio.get_running_loop().call_later(timeout, self._cancel_all)
        if wait:
            try:
                await self._wait_idle()
            finally:
                if timer is not None:
                    timer.cancel()

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if isinstance(exc, (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit)):
            await self._cancel_and_wait()
            return
        try:
            await self.shutdown()
        except asyncio.CancelledError:
            await self._cancel_and_wait()
            raise

    def stats(self) -> PoolStats:
        """Return the pool's account of all its jobs."""
        return PoolStats(*self._counts())

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return (
            f"<{type(self).__name__} {state} running={self.running}/{self.max_concurrency} "
            f"queued={self.queued}/{self.max_queue_size or 'unbounded'} waiting={self.waiting}>"
        )

    async def _wait_idle(self) -> None:
        waiter = self._when_idle()
        if waiter is None:
            return
        try:
            await waiter
        finally:
            self._forget_waiter(waiter)

    async def _cancel_and_wait(self) -> None:
        """Cancel all jobs and wait for them, whatever else happens to the caller: none may outlive the block."""
        self._close()
        if not all_were_cancelled(self):
            self._cancel_all()
        cancelled = None
        while True:
            try:
                await self._wait_idle()
            except asyncio.CancelledError as error:
                cancelled = error
                self._cancel_all()
            else:
                break
        if cancelled is not None:
            raise cancelled

    def _refuse_inside(self, call: str) -> None:
        if self._is_inside():
            raise RuntimeError(
                f"{call} inside one of the pool's own jobs would wait for itself; use wait=False or another task"
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
