"""What is kept for each event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, TypeVar

if TYPE_CHECKING:
    import asyncio
    from weakref import WeakKeyDictionary

V = TypeVar("V")


def drop_closed(kept: WeakKeyDictionary[asyncio.AbstractEventLoop, V]) -> List[V]:
    """
    Forget what is kept for loops that are closed; returns it.

    What is kept refers to its loop, so that a weak reference alone would keep both for ever. To be called whenever a
    loop is added: then no more than one that has ended is kept, however often `asyncio.run` is called.
    """
    dropped: List[V] = []
    for reference in kept.keyrefs():
        loop = reference()
        if loop is not None and loop.is_closed():
            value = kept.pop(loop, None)
            if value is not None:  # another thread may do the same
                dropped.append(value)
    return dropped
