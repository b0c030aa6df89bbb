"""Whether the end of one future leads, through tasks, gatherings, queues and the like, to the end of another.

The native core asks this when a job waits for something and work that it has set going wants a slot: if the job waits
for that very work, it lends its own. Objects are asked for what they hold and for nothing else; nothing is remembered.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
from collections import deque
from types import BuiltinFunctionType, CellType, FunctionType, MethodType
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, cast

__all__ = ["leads_to"]

_LOCALS_ARE_A_VIEW = sys.version_info[:2] >= (3, 13)
_COROUTINE_HAS_THE_VARIABLES = sys.version_info[:2] >= (3, 11)  # for the collector to see
_FARTHEST = 1000  # objects looked at
_TRANSPARENT = ("asyncio", "anyio", "nb_aiopool")  # packages whose objects settle futures
_COLLECTIONS = (list, tuple, set, frozenset, deque)
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
        if isinstance(one, _Woken):
            ahead.extend(reach_of(one.task))
            one = one.task
        if one is awaited:
            return True
        if id(one) in seen:
            continue
        seen[id(one)] = one
        if len(seen) > _FARTHEST:
            return if_too_far
        ahead.extend(_callbacks_of(one) if _is_future(one) else _held_by_object(one))
    return False


def _nothing(_: Any) -> Iterator[Any]:
    return iter(())


def _reach_of(task: Any) -> Iterator[Any]:
    """Yield what a task or job that goes on may settle, but for its own end."""
    yield from getattr(task, "_successors", ())  # a job of a pool: who has its slot next
    yield from _held_by_coroutine(getattr(task, "_coro", None))


def _callbacks_of(future: Any) -> Iterator[Any]:
    for callback in getattr(future, "_callbacks", None) or ():
        yield callback[0] if isinstance(callback, tuple) else callback
    given = getattr(future, "_given", None)  # the future= of a job
    if given is not None:
        yield given


def _held_by_object(thing: Any) -> Iterator[Any]:
    """Yield what a callback may settle, and what an object holds that may be such."""
    if isinstance(thing, functools.partial):
        yield thing.func
        yield from thing.args
        yield from thing.keywords.values()
    elif isinstance(thing, FunctionType):
        for cell in thing.__closure__ or ():
            yield from _contents_of(cell)
        yield from thing.__defaults__ or ()
    elif isinstance(thing, MethodType):
        yield thing.__self__
    elif isinstance(thing, BuiltinFunctionType):
        if _is_future(thing.__self__):  # the wake-up of a task; whoever else is called, waits for nothing
            yield _Woken(thing.__self__)
    elif isinstance(thing, _COLLECTIONS):
        yield from _worth_a_look(cast("Iterable[Any]", thing))
    elif isinstance(thing, dict):
        yield from _worth_a_look(thing.values())  # pyright: ignore[reportUnknownArgumentType]
    elif _is_wake_up(thing):
        yield from map(_Woken, filter(_is_future, gc.get_referents(thing)))
    elif not isinstance(thing, _PLAIN):
        # A task group, a queue, an event: whoever waits for it has left a future with it.
        yield from _worth_a_look(_fields_of(thing))


def _held_by_coroutine(coro: Any) -> Iterator[Any]:
    """Yield what a coroutine that goes on may settle: of its variables, the futures and asyncio's own objects."""
    while coro is not None:
        for variable in _variables_of(coro):
            if isinstance(variable, asyncio.AbstractEventLoop):
                continue
            if _is_future(variable) or type(variable).__module__.partition(".")[0] in _TRANSPARENT:
                yield variable
        coro = getattr(coro, "cr_await", None)


def _variables_of(coro: Any) -> Iterator[Any]:
    frame = getattr(coro, "cr_frame", None)
    if frame is None:
        return
    if _LOCALS_ARE_A_VIEW:
        yield from list(frame.f_locals.values())
        return
    # f_locals would be a snapshot that the frame keeps, and everything in it.
    for thing in gc.get_referents(coro if _COROUTINE_HAS_THE_VARIABLES else frame):
        if isinstance(thing, CellType):
            yield from _contents_of(thing)
        else:
            yield thing


def _contents_of(cell: CellType) -> Iterator[Any]:
    try:
        yield cell.cell_contents
    except ValueError:  # not filled yet
        return


def _is_future(thing: Any) -> bool:
    return getattr(_type_of(thing), "_asyncio_future_blocking", None) is not None


def _type_of(thing: Any) -> Any:
    return type(thing)  # pyright: ignore[reportUnknownVariableType]


def _is_wake_up(thing: Any) -> bool:
    kind = _type_of(thing)
    return kind.__module__ in ("builtins", "_asyncio") and "Task" in kind.__name__


def _fields_of(thing: Any) -> Iterator[Any]:
    yield from getattr(thing, "__dict__", {}).values()
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            member: Any = kind.__dict__.get(name)
            if hasattr(member, "__get__"):
                try:
                    yield member.__get__(thing, kind)
                except AttributeError:  # not set
                    continue


def _worth_a_look(things: Iterable[Any]) -> Iterator[Any]:
    for thing in list(things):
        if not isinstance(thing, _PLAIN):
            yield thing
