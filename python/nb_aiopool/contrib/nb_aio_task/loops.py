"""What is kept for each event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from weakref import WeakKeyDictionary


def drop_closed(kept: WeakKeyDictionary[asyncio.AbstractEventLoop, Any]) -> None:
    """
    Forget what is kept for loops that are closed.

    What is kept refers to its loop, so that a weak reference alone would keep both for ever. To be called whenever a
    loop is added: then no more than one that has ended is kept, however often `asyncio.run` is called.
    """
    for reference in kept.keyrefs():
        loop = reference()
        if loop is not None and loop.is_closed():
            kept.pop(loop, None)
