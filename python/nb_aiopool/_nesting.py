"""Whether the end of one future leads, through tasks, gatherings, queues and the like, to the end of another.

The native core asks this when a job waits for something and work that it has set going wants a slot: if the job waits
for that very work, it lends its own. No code of the objects that are looked at runs, see `_looks`, and nothing is
remembered.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
from collections import deque
from types import BuiltinFunctionType, CellType, FunctionType, MethodType
from typing import Any, Callable, Deque, Dict, Iterator

from nb_aiopool._looks import (
    attribute_of,
    contents_of,
    contents_of_cells,
    fields_of,
    is_future,
    is_kind_of,
    items_of,
    module_of,
    name_of,
)

__all__ = ["callbacks_of", "is_transparent", "leads_to", "variables_of", "woken_by"]

_LOCALS_ARE_A_VIEW = sys.version_info[:2] >= (3, 13)
_COROUTINE_HAS_THE_VARIABLES = sys.version_info[:2] >= (3, 11)  # for the collector to see
_FARTHEST = 1000  # objects looked at
_TRANSPARENT = ("asyncio", "anyio", "nb_aiopool")
_PLAIN = (str, bytes, int, float, bool, type(None), type, asyncio.AbstractEventLoop)


class _Woken:
    """A task, or a job, that goes on: what it may settle then is more than its own end."""

    __slots__ = ("task",)

    def __init__(self, task: Any) -> None:
        self.task = task


def leads_to(future: Any, awaited: Any) -> bool:
    """Return whether the end of `future` leads to that of `awaited`. True, too, if that is too far to see."""
    # Callbacks alone are few, and nearly always enough.
    return _search(future, awaited, _nothing, False) or _search(future, awaited, _reach_of, True)


def _search(future: Any, awaited: Any, reach_of: Callable[[Any], Iterator[Any]], if_too_far: bool) -> bool:
    ahead: Deque[Any] = deque([_Woken(future)])
    seen: Dict[int, Any] = {}  # the objects are kept, so that no identity is used twice
    while ahead:
        one = ahead.popleft()
        if type(one) is _Woken:
            ahead.extend(reach_of(one.task))
            one = one.task
        if one is awaited:
            return True
        if id(one) in seen:
            continue
        seen[id(one)] = one
        if len(seen) > _FARTHEST:
            return if_too_far
        ahead.extend(callbacks_of(one) if is_future(one) else _held_by_object(one))
    return False


def _nothing(_: Any) -> Iterator[Any]:
    return iter(())


def _reach_of(task: Any) -> Iterator[Any]:
    """Yield what a task or job that goes on may settle, but for its own end."""
    yield from attribute_of(task, "_successors") or ()  # a job of a pool: who has its slot next
    yield from _held_by_coroutine(attribute_of(task, "_coro"))


def callbacks_of(future: Any) -> Iterator[Any]:
    """Yield what is called when a future is done, and what a job gives its outcome to besides."""
    for callback in items_of(attribute_of(future, "_callbacks")):
        yield callback[0] if type(callback) is tuple else callback
    given = attribute_of(future, "_given")  # the future= of a job
    if given is not None:
        yield given


def _held_by_object(thing: Any) -> Iterator[Any]:
    """Yield what a callback may settle, and what an object holds that may be such."""
    if is_kind_of(thing, functools.partial):
        yield attribute_of(thing, "func")
        yield from items_of(attribute_of(thing, "args"))
        yield from items_of(attribute_of(thing, "keywords"))
    elif type(thing) is FunctionType:
        yield from contents_of_cells(thing)
        yield from thing.__defaults__ or ()
    elif type(thing) is MethodType:
        yield thing.__self__
    elif type(thing) is BuiltinFunctionType:
        if is_future(thing.__self__):  # the wake-up of a task; whoever else is called, waits for nothing
            yield _Woken(thing.__self__)
    elif _is_wake_up(thing):
        yield from map(_Woken, woken_by(thing))
    elif not is_kind_of(thing, *_PLAIN):
        # A collection; or a task group, a queue, an event: whoever waits for it has left a future with it.
        for held in (*items_of(thing), *fields_of(thing)):
            if not is_kind_of(held, *_PLAIN):
                yield held


def _held_by_coroutine(coro: Any) -> Iterator[Any]:
    """Yield what a coroutine that goes on may settle: of its variables, the futures and asyncio's own objects."""
    while coro is not None:
        for variable in variables_of(coro):
            if is_kind_of(variable, asyncio.AbstractEventLoop):
                continue
            if is_future(variable) or is_transparent(module_of(variable)):
                yield variable
        coro = attribute_of(coro, "cr_await")


def is_transparent(module: Any) -> bool:
    """Return whether a module of this name is of a package whose objects settle futures."""
    return type(module) is str and module.partition(".")[0] in _TRANSPARENT


def variables_of(coro: Any) -> Iterator[Any]:
    """Yield the values of the local variables of a coroutine that waits."""
    frame = attribute_of(coro, "cr_frame")
    if frame is None:
        return
    if _LOCALS_ARE_A_VIEW:
        yield from list(frame.f_locals.values())
        return
    # f_locals would be a snapshot that the frame keeps, and everything in it.
    for thing in gc.get_referents(coro if _COROUTINE_HAS_THE_VARIABLES else frame):
        if type(thing) is CellType:
            yield from contents_of(thing)
        else:
            yield thing


def woken_by(callback: Any) -> Iterator[Any]:
    """Yield the task that a callback of asyncio's own wakes, if it is such and no bound method."""
    if _is_wake_up(callback):
        yield from filter(is_future, gc.get_referents(callback))


def _is_wake_up(thing: Any) -> bool:
    return module_of(thing) in ("builtins", "_asyncio") and "Task" in name_of(thing)
