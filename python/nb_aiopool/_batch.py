"""Many jobs from one iterable, synchronous or asynchronous."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Dict, List, Tuple, TypeVar

from nb_aiopool._ending import cancel_all_of, cancel_each
from nb_aiopool._flags import check_flags

if TYPE_CHECKING:
    from nb_aiopool.pool import NbAioPool

T = TypeVar("T")

# Their coroutines exist already; of any other iterator, drawing the rest might make new ones, without end.
_no_items: Dict[Any, Any] = {}
_collections: Tuple[Iterable[Any], ...] = ([], (), _no_items, set(), collections.deque(), _no_items.values())
_iterators_of_collections = tuple(type(iter(c)) for c in _collections)


async def submit_each(pool: NbAioPool, coros: Any, block: bool, futures: List[asyncio.Future[T]]) -> None:
    """Submit all that the iterable gives, appending their futures as they are accepted.

    Guarantees: at most one coroutine is drawn ahead of what was accepted, unless `block=False` needs them all. On any
    error the coroutines that a list still holds are closed, and a generator is.
    """
    try:
        check_flags(block=block)
    except TypeError:  # `batch_run(one, another)`, perhaps
        _close_all(pool, (block,))
        _close_all(pool, coros if type(coros) in (list, tuple) else (coros,))
        raise
    if isinstance(coros, AsyncIterable):
        await _submit_async(pool, coros, block, futures)
    elif isinstance(coros, Iterable):
        await _submit_sync(pool, coros, block, futures)
    else:
        _close_all(pool, (coros,))
        raise TypeError(
            f"an iterable of coroutines is required, got {coros!r} ({type(coros).__name__}): "
            "put them in a list, [one, another]"
        )


async def _submit_sync(pool: NbAioPool, coros: Iterable[Any], block: bool, futures: List[Any]) -> None:
    source = iter(coros)
    drawn: List[Any] = []
    try:
        if block:
            for coro in source:
                futures.append(await pool.submit(coro))
        else:
            more = False
            for coro in source:
                drawn.append(coro)
                pool._native_check(coro)
                more = len(drawn) > pool._native_room()
                if more:
                    break  # enough to know that not all fit: the input may have no end
            futures.extend(pool._native_offer_all(drawn, more))
    except BaseException:
        _close_all(pool, drawn)
        _close_rest(pool, source)
        raise


async def _submit_async(pool: NbAioPool, coros: AsyncIterable[Any], block: bool, futures: List[Any]) -> None:
    source = coros.__aiter__()
    drawn: List[Any] = []
    try:
        if block:
            async for coro in source:
                futures.append(await pool.submit(coro))
        else:
            more = False
            async for coro in source:
                drawn.append(coro)
                pool._native_check(coro)
                more = len(drawn) > pool._native_room()
                if more:
                    break
            futures.extend(pool._native_offer_all(drawn, more))
    except BaseException as error:
        _close_all(pool, drawn)
        if not isinstance(error, GeneratorExit):  # then there is no waiting any more
            await _aclose(source)
        raise


def _close_rest(pool: NbAioPool, source: Iterator[Any]) -> None:
    """Close what was not drawn: a generator itself; of a collection, the coroutines that it holds already."""
    if hasattr(source, "close"):
        pool._native_discard(source)
    elif type(source) in _iterators_of_collections:
        _close_all(pool, source)


def _close_all(pool: NbAioPool, coros: Iterable[Any]) -> None:
    """Close all the coroutines of an iterable, so that none of them is left un-awaited."""
    for coro in coros:
        if hasattr(coro, "send"):  # else it is no coroutine, and its close() means something else
            pool._native_discard(coro)


async def _aclose(source: AsyncIterator[Any]) -> None:
    aclose = getattr(source, "aclose", None)
    if aclose is None:
        return
    try:
        await aclose()
    except Exception as error:  # noqa: BLE001  # reported; what the batch raises goes on
        asyncio.get_running_loop().call_exception_handler(
            {"message": "the input of a batch failed to close", "exception": error, "asyncgen": source}
        )


async def run_each(pool: NbAioPool, coros: Any, block: bool, return_exceptions: bool) -> List[Any]:
    """Submit all, and gather the results. Whatever ends the submitting early cancels the jobs and waits for them."""
    futures: List[asyncio.Future[Any]] = []
    try:
        await submit_each(pool, coros, block, futures)
    except GeneratorExit:  # there is no waiting any more
        cancel_each(futures)
        raise
    except BaseException:
        await cancel_all_of(pool, futures)
        raise
    return await asyncio.gather(*futures, return_exceptions=return_exceptions)
