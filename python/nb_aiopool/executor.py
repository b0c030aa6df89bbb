"""AsyncPoolExecutor: a pool of coroutines as a `concurrent.futures.Executor`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
import sys
import time
import weakref
from collections import deque
from types import FunctionType
from typing import (
    TYPE_CHECKING,
    Any,
    Awaitable,
    Callable,
    Deque,
    Iterable,
    Iterator,
    Optional,
    Sequence,
    TypeVar,
    overload,
)

from nb_aiopool._executor_work import Work
from nb_aiopool._flags import as_flag
from nb_aiopool.errors import PoolStopped
from nb_aiopool.pool import NbAioPool

if TYPE_CHECKING:
    from concurrent.futures import Future

    from typing_extensions import ParamSpec, TypedDict, Unpack

    _P = ParamSpec("_P")

    class _MapOptions(TypedDict, total=False):
        timeout: Optional[float]
        chunksize: int
        buffersize: Optional[int]  # from Python 3.14 on


__all__ = ["AsyncPoolExecutor"]

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


class AsyncPoolExecutor(concurrent.futures.Executor):
    """Runs async functions for synchronous code, at most `size` at a time, on an event loop in a thread of its own.

    `loop` is one to use instead of a new one. One that runs already stays what it is; any other is run by the executor,
    and closed at the end. What was submitted finishes before the interpreter exits, with or without `shutdown()`.

    Examples:
        >>> async def double(x):
        ...     await asyncio.sleep(0.001)
        ...     return x * 2
        >>> with AsyncPoolExecutor(10) as executor:
        ...     print(list(executor.map(double, range(3))))
        [0, 2, 4]
    """

    def __init__(
        self,
        size: int = 100,
        loop: Optional[asyncio.AbstractEventLoop] = None,
        *,
        max_queue_size: Optional[int] = None,
    ) -> None:
        _check_loop(loop)
        self._work = Work(_new_pool(size, max_queue_size), loop)
        weakref.finalize(self, self._work.close).atexit = False  # the work sees to the exit itself

    def submit(  # type: ignore[override]
        self, func: Callable[_P, Awaitable[T]], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[T]:
        """Start `func(*args, **kwargs)`, and return the future of its result.

        While `size` jobs run and as many as the queue holds wait, the calling thread waits; the loop's own thread gets
        PoolFull instead.

        Examples:
            >>> with AsyncPoolExecutor(10) as executor:
            ...     future = executor.submit(asyncio.sleep, 0.001, result="done")
            >>> future.result()
            'done'
        """
        work = self._work
        if work.closed_because is not None:
            raise PoolStopped(work.closed_because)
        _check_function(func)
        coro = func(*args, **kwargs)
        try:
            return work.pool.sync_submit(coro, loop=work.home.loop)
        except RuntimeError as error:
            # Meanwhile it was closed, and perhaps its loop, too. That the pool is full is another matter.
            because = self._work.closed_because
            if because is not None and (isinstance(error, PoolStopped) or work.home.loop.is_closed()):
                raise PoolStopped(because) from None
            raise

    @overload  # type: ignore[override]
    def map(
        self, fn: Callable[[A], Awaitable[T]], iterable: Iterable[A], /, **options: Unpack[_MapOptions]
    ) -> Iterator[T]: ...

    @overload
    def map(
        self,
        fn: Callable[[A, B], Awaitable[T]],
        iterable: Iterable[A],
        iterable2: Iterable[B],
        /,
        **options: Unpack[_MapOptions],
    ) -> Iterator[T]: ...

    @overload
    def map(
        self,
        fn: Callable[..., Awaitable[T]],
        iterable: Iterable[Any],
        iterable2: Iterable[Any],
        iterable3: Iterable[Any],
        /,
        *iterables: Iterable[Any],
        **options: Unpack[_MapOptions],
    ) -> Iterator[T]: ...

    def map(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, fn: Callable[..., Awaitable[T]], /, *iterables: Iterable[Any], **options: Any
    ) -> Iterator[T]:
        """Start `fn(*items)` for the items of the iterables, and return an iterator of the results, in their order.

        The options are those of `Executor.map`: `timeout=s` ends the waiting for results `s` seconds after the call.

        Examples:
            >>> with AsyncPoolExecutor(10) as executor:
            ...     list(executor.map(asyncio.sleep, [0.002, 0.001], ["first", "second"]))
            ['first', 'second']
        """
        if _MAP_FORGETS_ONE:
            return self._map(fn, iterables, **options)
        results: Iterator[Any] = super().map(fn, *iterables, **options)
        return results

    def _map(
        self,
        fn: Callable[..., Any],
        iterables: Sequence[Iterable[Any]],
        *,
        timeout: Any = None,
        chunksize: int = 1,
    ) -> Iterator[Any]:
        """Do what `Executor.map` does; before Python 3.10 that does not cancel the job that it waited for in vain."""
        del chunksize  # it is for processes
        end = None if timeout is None else time.monotonic() + timeout
        return _results(deque(self.submit(fn, *items) for items in zip(*iterables)), end)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work; `wait=True` returns when all that was submitted has ended.

        `cancel_futures=True` cancels what has not begun, and turns away whoever waits in `submit()`.

        Examples:
            >>> executor = AsyncPoolExecutor(1)
            >>> futures = [executor.submit(asyncio.sleep, 0.001) for _ in range(2)]
            >>> executor.shutdown()
            >>> [future.done() for future in futures]
            [True, True]
        """
        wait, cancel_futures = as_flag("wait", wait), as_flag("cancel_futures", cancel_futures)
        if wait and self._work.home.is_current():
            raise RuntimeError(
                "shutdown(wait=True) in the executor's own loop would wait for itself; use wait=False there"
            )
        self._work.close(cancel_futures)
        if wait:
            self._work.wait()

    def __repr__(self) -> str:
        pool = self._work.pool
        state = "open" if self._work.closed_because is None else "closed"
        return (
            f"<{type(self).__name__} {state} running={pool.running}/{pool.max_concurrency} "
            f"queued={pool.queued}/{pool.max_queue_size or 'unbounded'} waiting={pool.waiting}>"
        )


_MAP_FORGETS_ONE = sys.version_info < (3, 10)


def _results(futures: Deque[Future[Any]], end: Optional[float]) -> Iterator[Any]:
    try:
        while futures:
            futures[0].exception(None if end is None else end - time.monotonic())
            yield futures.popleft().result()  # nothing here holds it longer than the caller does
    finally:
        for future in futures:
            future.cancel()


def _check_loop(loop: Any) -> None:
    if loop is None:
        return
    if not isinstance(loop, asyncio.AbstractEventLoop):
        raise TypeError(f"loop must be an event loop or None, got {loop!r} ({type(loop).__name__})")
    if loop.is_closed():
        raise RuntimeError(f"the event loop is closed: {loop!r}; leave it out, and the executor makes one")


def _new_pool(size: int, max_queue_size: Optional[int]) -> NbAioPool:
    try:
        pool = NbAioPool(size)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("max_concurrency", "size")) from None
    pool.max_queue_size = size if max_queue_size is None else max_queue_size
    return pool


# Only asyncio's knows what compilers mark as a coroutine function; from 3.14 on it warns, and they mark it otherwise.
def _is_coroutine_function(func: Any) -> bool:
    module = inspect if sys.version_info >= (3, 14) else asyncio
    return bool(module.iscoroutinefunction(func))


def _check_function(func: Any) -> None:
    if _is_async(func):
        return
    if inspect.iscoroutine(func):
        error = TypeError(
            f"an async function is required, got the coroutine {func!r}: pass the function and its arguments, "
            "executor.submit(f, 1)"
        )
        func.close()  # the caller has no more use for it, and would be told that it was never awaited
        raise error
    raise TypeError(
        f"an async function is required, got {func!r} ({type(func).__name__}); a ThreadPoolExecutor runs others"
    )


def _is_async(func: Any) -> bool:
    if type(func) is FunctionType and func.__code__.co_flags & inspect.CO_COROUTINE:
        return True
    while isinstance(func, functools.partial):
        func = func.func
    return _is_coroutine_function(func) or (
        callable(func) and _is_coroutine_function(getattr(type(func), "__call__", None))  # noqa: B004
    )
