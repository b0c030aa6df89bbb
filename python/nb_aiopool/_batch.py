"""Many jobs from one iterable, synchronous or asynchronous."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterable, Awaitable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from nb_aiopool import _core
from nb_aiopool._closing import aclose, discard_all
from nb_aiopool._ending import cancel_all_of, cancel_each
from nb_aiopool._flags import as_flag

if TYPE_CHECKING:
    from nb_aiopool.pool import NbAioPool

# Their coroutines exist already; of any other iterator, drawing the rest might make new ones, without end.
_no_items: Dict[Any, Any] = {}
_collections: Tuple[Iterable[Any], ...] = ([], (), _no_items, set(), collections.deque(), _no_items.values())
_PUT_IN_A_LIST = "put them in a list, [a, b]"
_iterators_of_collections = tuple(type(iter(c)) for c in _collections)


class Batch:
    """The futures of jobs that are submitted together, in the order of the input, and who waits for them.

    `follow=True` is for jobs that are waited for together; else each has a future for whoever asked for it.
    """

    def __init__(self, pool: NbAioPool, follow: bool) -> None:
        self.pool = pool
        self._submit = pool._native_submit_of_subclass()  # pyright: ignore[reportPrivateUsage]
        self._native: Optional[_core.Batch[Any]] = None if self._submit else _core.Batch(pool, follow)
        self._futures: List[asyncio.Future[Any]] = []

    @property
    def futures(self) -> List[asyncio.Future[Any]]:
        """All of them, so far."""
        return self._futures if self._native is None else [*self._native.jobs, *self._futures]

    async def submit(self, coro: Any) -> None:
        if self._submit is not None:
            self._futures.append(await self._submit(coro))
        elif self._native is not None:
            arrival = self._native.submit(coro)
            if arrival is not None:
                await arrival

    async def draw(self, source: Iterator[Any]) -> None:
        """Submit all that an iterator gives."""
        if self._native is None:
            for coro in source:
                await self.submit(coro)
            return
        while True:
            arrival = self._native.draw(source)
            if arrival is None:
                return
            await arrival

    def add_all(self, coros: List[Any], more: bool) -> None:
        """Submit all of a list or, if there is no room for them or there is more than fits, raise PoolFull."""
        self._futures.extend(self.pool._native_offer_all(coros, more))

    async def results(self, return_exceptions: bool) -> List[Any]:
        """Return the results of all, or raise the first exception, as `asyncio.gather` does."""
        if self._native is None or self._futures:
            return await asyncio.gather(*self.futures, return_exceptions=return_exceptions)
        waiter = self._native.wait(not return_exceptions)
        if waiter is not None:
            try:
                await waiter
            except GeneratorExit:  # there is no waiting any more
                cancel_each(self.futures)
                raise
            except BaseException:
                await cancel_all_of(self.pool, self.futures)
                raise
        return self._native.results(return_exceptions)


async def submit_each(coros: Any, block: Any, batch: Batch) -> None:
    """Submit all that the iterable gives, in its order.

    Guarantees: at most one coroutine is drawn ahead of what was accepted, unless `block=False` needs them all. On any
    error the coroutines that a list still holds are closed, and a generator is.
    """
    block = _flag(batch.pool, "block", block, coros)
    if isinstance(coros, AsyncIterable):
        await _submit_async(batch, coros, block)
    else:
        await _submit_sync(batch, _iterate(batch.pool, coros), block)


def _flag(pool: NbAioPool, name: str, value: Any, coros: Any) -> bool:
    """As as_flag(), for a call that was given coroutines: they are closed if it raises."""
    try:
        return as_flag(name, value, f"; {_PUT_IN_A_LIST}" if isinstance(value, Awaitable) else "")
    except BaseException:  # `batch_run(one, another)`, perhaps
        discard_all(pool, (value,))
        discard_all(pool, coros if type(coros) in (list, tuple) else (coros,))
        raise


def _iterate(pool: NbAioPool, coros: Any) -> Iterator[Any]:
    try:
        return iter(coros)
    except TypeError:
        if getattr(coros.__class__, "__iter__", None) is not None:  # the error is of its own making
            raise
    discard_all(pool, (coros,))
    raise TypeError(
        f"an iterable of coroutines is required, got {coros!r} ({type(coros).__name__}); {_PUT_IN_A_LIST}"
    )


async def _submit_sync(batch: Batch, source: Iterator[Any], block: bool) -> None:
    pool = batch.pool
    drawn: List[Any] = []
    try:
        if block:
            await batch.draw(source)
        else:
            more = False
            for coro in source:
                drawn.append(coro)
                pool._native_check(coro)
                more = len(drawn) > pool._native_room()
                if more:
                    break  # enough to know that not all fit: the input may have no end
            batch.add_all(drawn, more)
    except BaseException:
        discard_all(pool, drawn)
        _close_rest(pool, source)
        raise


async def _submit_async(batch: Batch, coros: AsyncIterable[Any], block: bool) -> None:
    pool, source = batch.pool, coros.__aiter__()
    drawn: List[Any] = []
    try:
        if block:
            async for coro in source:
                await batch.submit(coro)
        else:
            more = False
            async for coro in source:
                drawn.append(coro)
                pool._native_check(coro)
                more = len(drawn) > pool._native_room()
                if more:
                    break
            batch.add_all(drawn, more)
    except BaseException as error:
        discard_all(pool, drawn)
        if not isinstance(error, GeneratorExit):  # then there is no waiting any more
            await aclose(source, "the input of a batch")
        raise


def _close_rest(pool: NbAioPool, source: Iterator[Any]) -> None:
    """Close what was not drawn: a generator itself; of a collection, the coroutines that it holds already."""
    if hasattr(source, "close"):
        pool._native_discard(source)
    elif type(source) in _iterators_of_collections:
        discard_all(pool, source)


async def run_each(pool: NbAioPool, coros: Any, block: Any, return_exceptions: Any) -> List[Any]:
    """Submit all, and wait for the results. Whatever ends the submitting early cancels the jobs and waits for them."""
    return_exceptions = _flag(pool, "return_exceptions", return_exceptions, coros)
    batch = Batch(pool, True)
    try:
        await submit_each(coros, block, batch)
    except GeneratorExit:  # there is no waiting any more
        cancel_each(batch.futures)
        raise
    except BaseException:
        await cancel_all_of(pool, batch.futures)
        raise
    return await batch.results(return_exceptions)
