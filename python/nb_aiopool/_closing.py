"""Closing what was passed to the pool and will not run: coroutines, and the inputs they were to come from."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Iterable

if TYPE_CHECKING:
    from nb_aiopool._core import Pool

__all__ = ["aclose", "discard", "discard_all"]


def discard(pool: Pool, thing: Any) -> None:
    """Close a coroutine, so that it is not left un-awaited. Do nothing with anything else."""
    if hasattr(thing, "send"):  # else it is no coroutine, and its close() means something else
        pool._native_discard(thing)


def discard_all(pool: Pool, things: Iterable[Any]) -> None:
    for thing in things:
        discard(pool, thing)


async def aclose(source: Any, what: str) -> None:
    """Close an asynchronous input, if it can be closed. An error is reported: there is a better reason to end."""
    try:
        if hasattr(source, "aclose"):
            await source.aclose()
    except Exception as error:  # noqa: BLE001
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"{what} failed to close", "exception": error, "asyncgen": source}
        )
