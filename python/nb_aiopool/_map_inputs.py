"""What a map is given: its function and its inputs."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Tuple, Union

from nb_aiopool._closing import discard, discard_all

if TYPE_CHECKING:
    from nb_aiopool.pool import NbAioPool

__all__ = ["UNKNOWN", "check", "check_result", "iterate", "shortest"]

UNKNOWN = -1  # a length that the inputs do not tell


def check(pool: NbAioPool, func: Any, inputs: Tuple[Any, ...]) -> None:
    if not callable(func):
        discard_all(pool, (func, *inputs))
        raise TypeError(
            f"map() requires a function that returns an awaitable, got {func!r} ({type(func).__name__})"
        )
    if not inputs:
        raise TypeError("map() requires at least one iterable: pool.map(func, items)")
    for source in inputs:
        if not isinstance(source, (Iterable, AsyncIterable)) and not hasattr(source.__class__, "__getitem__"):
            discard(pool, source)
            raise TypeError(
                f"map() requires iterables, synchronous or asynchronous, got {source!r} ({type(source).__name__})"
            )


def check_result(pool: NbAioPool, func: Any, coro: Any) -> None:
    try:
        pool._native_check(coro)
    except TypeError as error:
        raise TypeError(f"{error}; {func!r} returned it, and map() requires an async function") from None


def iterate(source: Any) -> Tuple[Union[AsyncIterator[Any], Any], bool]:
    if isinstance(source, AsyncIterable):
        return source.__aiter__(), True
    return iter(source), False


def shortest(inputs: Tuple[Any, ...]) -> int:
    """How many results there will be, if all inputs tell."""
    lengths = [operator.length_hint(source, UNKNOWN) for source in inputs]
    return UNKNOWN if UNKNOWN in lengths else min(lengths)
