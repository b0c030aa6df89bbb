"""Loops tell nobody that they are closed, but then they let go of what they have."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Callable, Optional

if TYPE_CHECKING:
    import asyncio

__all__ = ["is_closing", "when_closed"]

_FAR = 1e9  # seconds: never


class _Mark:
    """What a loop lets go of when it is closed, and no sooner."""


def when_closed(
    loop: asyncio.AbstractEventLoop, callback: Callable[[Any], None]
) -> Optional[weakref.ref[Any]]:
    """Have something called when a loop is closed, by whoever closes it, for as long as the answer is kept.

    Return None if there is no way to learn of it.
    """
    selector = getattr(loop, "_selector", None)
    if selector is not None:
        return weakref.ref(selector, callback)  # asyncio's own, and those derived from them
    if not any(kind.__module__.partition(".")[0] == "uvloop" for kind in type(loop).__mro__):
        return None
    mark = _mark_of(loop)
    return None if mark is None else weakref.ref(mark, callback)


def _mark_of(loop: asyncio.AbstractEventLoop) -> Optional[_Mark]:
    known = _marks.get(loop)
    if known is not None:
        return known()
    mark = _Mark()
    _marks[loop] = weakref.ref(mark)
    try:
        # Callbacks and timers are all that it lets go of.
        loop.call_soon_threadsafe(loop.call_later, _FAR, _never, mark)
    except RuntimeError:  # it is closed
        return None
    return mark


def _never(_: _Mark) -> None:
    """Do nothing, but hold on to the mark."""


_marks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[_Mark]] = weakref.WeakKeyDictionary()


def is_closing(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether a loop is closed, or in the middle of that."""
    return loop.is_closed() or getattr(loop, "_selector", loop) is None
