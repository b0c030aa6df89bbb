"""Makes a coroutine of any other awaitable."""

from __future__ import annotations

from typing import Awaitable, TypeVar

T = TypeVar("T")


async def wrap(awaitable: Awaitable[T]) -> T:
    """Await the object: its `__await__` is called when the job begins, not before."""
    return await awaitable
