"""NbAioPool: what users call. The native pool decides; the coroutines here only wait for what it says."""

from __future__ import annotations

import asyncio
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    List,
    Literal,
    NamedTuple,
    Optional,
    TypeVar,
    Union,
    overload,
)

from nb_aiopool import _batch, _core, _ending, _own_submit
from nb_aiopool._flags import as_flag
from nb_aiopool._map import MapIterator
from nb_aiopool._map_run import MapRun
from nb_aiopool._thread_future import ThreadFuture, check_given
from nb_aiopool._thread_waits import wait_for_place

if TYPE_CHECKING:
    import concurrent.futures
    from types import TracebackType
    from typing import Type

__all__ = ["NbAioPool", "PoolStats"]

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
Self = TypeVar("Self", bound="NbAioPool")
_Input = Union[Iterable[A], AsyncIterable[A]]
_Turn = _core.Turn
_Arrival = _core.Arrival


class PoolStats(NamedTuple):
    """A pool's account: `submitted == succeeded + failed + cancelled + queued + running`, at every moment.

    Examples:
        >>> PoolStats(submitted=3, succeeded=1, failed=0, cancelled=0, queued=1, running=1).queued
        1
    """

    submitted: int
    succeeded: int
    failed: int
    cancelled: int
    queued: int
    running: int


class NbAioPool(_core.Pool):
    """Runs coroutines, at most `max_concurrency` at a time, with at most `max_queue_size` waiting (0: no bound).

    Examples:
        >>> async def double(x):
        ...     await asyncio.sleep(0.001)
        ...     return x * 2
        >>> async def main():
        ...     async with NbAioPool(max_concurrency=10) as pool:
        ...         future = await pool.submit(double(1))
        ...         print(await future, await pool.run(double(2)))
        >>> asyncio.run(main())
        2 4
    """

    def __init__(self, max_concurrency: int = 100, max_queue_size: int = 1000) -> None:
        """Make a pool. It needs no running loop; it belongs to the loop of its first use, and while idle may move."""
        super().__init__(max_concurrency, max_queue_size)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.submit is not NbAioPool.submit and cls.run is NbAioPool.run:
            cls.run = _own_submit.run  # type: ignore[method-assign]

    async def submit(
        self, coro: Awaitable[T], block: bool = True, future: Optional[asyncio.Future[T]] = None
    ) -> asyncio.Future[T]:
        """Submit a job and return its future, waiting while the pool is full.

        `coro` is a coroutine or any other awaitable. With `block=False` a full pool raises PoolFull. With `future`,
        that future gets the outcome and is returned; cancelling it cancels the job. A pool that was shut down raises
        PoolStopped.

        Examples:
            >>> async def main():
            ...     async with NbAioPool(max_concurrency=2) as pool:
            ...         for number in range(5):
            ...             future = await pool.submit(asyncio.sleep(0.001, number))
            ...     return future.result()  # the block has waited for all jobs
            >>> asyncio.run(main())
            4
        """
        handle = self._native_offer(coro, block, future)
        # Cheaper than isinstance().
        return await handle if type(handle) is _Arrival else handle  # type: ignore[return-value]

    async def run(
        self, coro: Awaitable[T], block: bool = True, future: Optional[asyncio.Future[T]] = None
    ) -> T:
        """Run a job and return its result, or raise its exception.

        With a free slot and nobody ahead, the coroutine runs at once, inside the caller's task and a context of its
        own. Cancelling the caller cancels the job, and the caller goes on when the job has finished.

        Examples:
            >>> async def main():
            ...     pool = NbAioPool(max_concurrency=2)
            ...     return await asyncio.gather(*(pool.run(asyncio.sleep(0.001, n)) for n in range(5)))
            >>> asyncio.run(main())
            [0, 1, 2, 3, 4]
        """
        outcome = self._native_run(coro, block, future)
        if type(outcome) is not _Turn:
            return outcome  # type: ignore[no-any-return]
        try:
            return await outcome  # type: ignore[no-any-return]
        finally:
            if future is not None and future.done() and not future.cancelled():
                future.exception()  # the caller gets it: it is not left unseen

    async def batch_submit(self, coros: _Input[Awaitable[T]], block: bool = True) -> List[asyncio.Future[T]]:
        """Submit every job of an iterable, and return their futures in its order.

        The iterable is drawn from as room appears. With `block=False` either all of them fit, or PoolFull is raised.

        Examples:
            >>> async def main():
            ...     async with NbAioPool(max_concurrency=2) as pool:
            ...         futures = await pool.batch_submit(asyncio.sleep(0.001, n) for n in range(3))
            ...         futures[1].cancel()
            ...     return [future.cancelled() for future in futures]
            >>> asyncio.run(main())
            [False, True, False]
        """
        batch = _batch.Batch(self, False)
        await _batch.submit_each(coros, block, batch)
        return batch.futures

    @overload
    async def batch_run(
        self,
        coros: _Input[Awaitable[T]],
        block: bool = True,
        *,
        return_exceptions: Literal[False] = False,
    ) -> List[T]: ...

    @overload
    async def batch_run(
        self,
        coros: _Input[Awaitable[T]],
        block: bool = True,
        *,
        return_exceptions: bool,
    ) -> List[Union[T, BaseException]]: ...

    async def batch_run(
        self,
        coros: _Input[Awaitable[T]],
        block: bool = True,
        *,
        return_exceptions: bool = False,
    ) -> List[Any]:
        """Run every job of an iterable, and return their results in its order.

        Once all of them are submitted, the first exception is raised, as by `asyncio.gather`, and the other jobs go on;
        with `return_exceptions=True` all are returned. To stop at the first failure use `map`. Cancelling the caller
        cancels the jobs.

        Examples:
            >>> async def invert(number):
            ...     return 1 / number
            >>> async def main():
            ...     async with NbAioPool(max_concurrency=2) as pool:
            ...         print(await pool.batch_run(invert(n) for n in (1, 2, 4)))
            ...         print(await pool.batch_run([invert(0), invert(1)], return_exceptions=True))
            >>> asyncio.run(main())
            [1.0, 0.5, 0.25]
            [ZeroDivisionError('division by zero'), 1.0]
        """
        return await _batch.run_each(self, coros, block, return_exceptions)

    @overload
    def map(
        self,
        func: Callable[[A], Awaitable[T]],
        items: _Input[A],
        /,
        *,
        ordered: bool = True,
        return_exceptions: Literal[False] = False,
    ) -> MapIterator[T]: ...

    @overload
    def map(
        self,
        func: Callable[[A, B], Awaitable[T]],
        items: _Input[A],
        items2: _Input[B],
        /,
        *,
        ordered: bool = True,
        return_exceptions: Literal[False] = False,
    ) -> MapIterator[T]: ...

    @overload
    def map(
        self,
        func: Callable[..., Awaitable[T]],
        items: _Input[Any],
        items2: _Input[Any],
        items3: _Input[Any],
        /,
        *iterables: _Input[Any],
        ordered: bool = True,
        return_exceptions: Literal[False] = False,
    ) -> MapIterator[T]: ...

    @overload
    def map(
        self,
        func: Callable[[A], Awaitable[T]],
        items: _Input[A],
        /,
        *,
        ordered: bool = True,
        return_exceptions: bool,
    ) -> MapIterator[Union[T, BaseException]]: ...

    @overload
    def map(
        self,
        func: Callable[[A, B], Awaitable[T]],
        items: _Input[A],
        items2: _Input[B],
        /,
        *,
        ordered: bool = True,
        return_exceptions: bool,
    ) -> MapIterator[Union[T, BaseException]]: ...

    @overload
    def map(
        self,
        func: Callable[..., Awaitable[T]],
        items: _Input[Any],
        items2: _Input[Any],
        items3: _Input[Any],
        /,
        *iterables: _Input[Any],
        ordered: bool = True,
        return_exceptions: bool,
    ) -> MapIterator[Union[T, BaseException]]: ...

    def map(
        self,
        func: Callable[..., Awaitable[T]],
        /,
        *iterables: _Input[Any],
        ordered: bool = True,
        return_exceptions: bool = False,
    ) -> MapIterator[Any]:
        """Call `func(*items)` for the items of the iterables, and yield the results as an asynchronous iterator.

        Results come in the order of the input, or with `ordered=False` as they are ready. An exception is raised in
        its place and ends the map; with `return_exceptions=True` those of the jobs, CancelledError too, are yielded.
        The iterables are drawn from as the pool has room and results are taken: `max_concurrency + max_queue_size`
        items are out at most. `await pool.map(...).collect()` returns a list; `aclose()` ends it early, and `len()`
        tells how many results are left, if the inputs tell.

        Examples:
            >>> async def double(x):
            ...     return x * 2
            >>> async def main():
            ...     async with NbAioPool(max_concurrency=2) as pool:
            ...         async for result in pool.map(double, range(3)):
            ...             print(result)
            >>> asyncio.run(main())
            0
            2
            4
        """
        run = MapRun(
            self,
            func,
            iterables,
            ordered=as_flag("ordered", ordered),
            return_exceptions=as_flag("return_exceptions", return_exceptions),
            submit_of_subclass=self._native_submit_of_subclass(),
        )
        return MapIterator(run)

    def sync_submit(
        self,
        coro: Awaitable[T],
        block: bool = True,
        future: Optional[concurrent.futures.Future[T]] = None,
        loop: Optional[asyncio.AbstractEventLoop] = None,
    ) -> concurrent.futures.Future[T]:
        """Submit a job from any thread, and return a `concurrent.futures.Future` of its result.

        While the pool is full the calling thread waits; with `block=False`, and in the loop's own thread, PoolFull is
        raised. Cancelling the future cancels the job. `loop` is for a pool that was not used yet.

        Examples:
            >>> pool = NbAioPool()
            >>> def in_a_thread(loop):
            ...     return pool.sync_submit(asyncio.sleep(0.001, "done"), loop=loop).result()
            >>> async def main():
            ...     loop = asyncio.get_running_loop()
            ...     return await loop.run_in_executor(None, in_a_thread, loop)
            >>> asyncio.run(main())
            'done'
        """
        outcome = ThreadFuture()
        if future is not None:
            check_given(self, coro, future)
            outcome.serve(future)
        arrival = self._native_offer_from_thread(coro, block, outcome, loop)
        if future is not None:
            outcome.obey(future)  # also while the job stands in line
        if arrival is not None:
            wait_for_place(self, arrival, outcome)
        return outcome if future is None else future

    async def join(self) -> None:
        """Wait until nothing is queued or running. The pool stays open.

        Inside one of the pool's own jobs, or a task that such a job waits for, it raises RuntimeError.

        Examples:
            >>> async def main():
            ...     pool = NbAioPool()
            ...     await pool.batch_submit(asyncio.sleep(0.001) for _ in range(3))
            ...     await pool.join()
            ...     return pool.stats().succeeded, pool.closed
            >>> asyncio.run(main())
            (3, False)
        """
        self._native_bind()
        _ending.refuse_inside(self, "join()")
        await _ending.wait_idle(self)

    async def shutdown(
        self, wait: bool = True, *, cancel: bool = False, timeout: Optional[float] = None
    ) -> None:
        """Take no new work, and wait until all jobs have ended (`wait=False`: return at once, and they go on).

        `cancel=True` drops what is queued and cancels what runs; `timeout` does so after as many seconds. With `wait`
        inside one of the pool's own jobs, or a task that such a job waits for, it raises RuntimeError.

        Examples:
            >>> async def main():
            ...     pool = NbAioPool()
            ...     soon, late = await pool.batch_submit([asyncio.sleep(0.001), asyncio.sleep(60)])
            ...     await soon
            ...     await pool.shutdown(timeout=0.1)
            ...     return pool.stats().succeeded, pool.stats().cancelled
            >>> asyncio.run(main())
            (1, 1)
        """
        await _ending.shutdown(self, wait, cancel, timeout)

    async def __aenter__(self: Self) -> Self:
        """Return the pool."""
        return self

    async def __aexit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Shut down and wait for the jobs; left by a cancellation or an interrupt, cancel them and wait for that."""
        try:
            if isinstance(exc, GeneratorExit):
                _ending.cancel_without_waiting(self)
            elif isinstance(exc, (asyncio.CancelledError, KeyboardInterrupt, SystemExit)):
                await _ending.cancel_and_wait(self)
            else:
                await self.shutdown()
        except asyncio.CancelledError:
            await _ending.cancel_and_wait(self)
            raise
        except GeneratorExit:
            _ending.cancel_without_waiting(self)
            raise

    def _native_submit_of_subclass(self) -> Optional[Callable[[Any], Awaitable[asyncio.Future[Any]]]]:
        """Return what a subclass has in place of `submit`, if anything: the other calls are to use it."""
        return None if type(self).submit is NbAioPool.submit else self.submit

    def stats(self) -> PoolStats:
        """Return the pool's account of all its jobs.

        Examples:
            >>> NbAioPool().stats()
            PoolStats(submitted=0, succeeded=0, failed=0, cancelled=0, queued=0, running=0)
        """
        return PoolStats(*self._native_counts())

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return (
            f"<{type(self).__name__} {state} running={self.running}/{self.max_concurrency} "
            f"queued={self.queued}/{self.max_queue_size or 'unbounded'} waiting={self.waiting}>"
        )
