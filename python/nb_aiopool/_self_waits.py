"""Whether a job of a pool waits for the very task that is about to wait for the pool: it would be for itself.

What counts is what a future has promised to call: the awaiting task, or the `wait_for`, `gather`, `shield`, `wait` or
task group between them. Unlike `_nesting.leads_to`, which would rather see a way too many, this follows only what
asyncio, anyio and the pool themselves have made, and of that only who waits, not who is waited for beside: somebody is
refused on account of it. As there, no code of the objects runs.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Deque, Dict, Iterator

from nb_aiopool import _core
from nb_aiopool._looks import (
    attribute_of,
    contents_of_cells,
    fields_of,
    is_future,
    is_kind_of,
    items_of,
    module_of,
)
from nb_aiopool._nesting import callbacks_of, is_transparent, variables_of, woken_by

if TYPE_CHECKING:
    from nb_aiopool._core import Pool

__all__ = ["is_awaited_by_job"]

_FARTHEST = 1000  # objects looked at


def is_awaited_by_job(pool: Pool, task: Any) -> bool:
    """Return whether a job of the pool that runs waits for the end of `task`, as far as can be seen now."""
    ahead: Deque[Any] = deque([task])
    seen: Dict[int, Any] = {}  # the objects are kept, so that no identity is used twice
    while ahead and len(seen) < _FARTHEST:
        one = ahead.popleft()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        if not is_future(one):
            ahead.extend(_waiters_in(one))
        elif _is_job_of(pool, one):
            return True
        else:
            for callback in callbacks_of(one):
                ahead.extend(_awaiting(callback))
    return False


def _is_job_of(pool: Pool, future: Any) -> bool:
    """Return whether a job of the pool runs as `future`, or inside of it, where `run` has it run."""
    if type(future) is _core.Job:
        return future._pool is pool and future._place == "running"
    coro = attribute_of(future, "_coro")
    while coro is not None:
        awaited = attribute_of(coro, "cr_await")
        if type(awaited) is _core.Turn and any(variable is pool for variable in variables_of(coro)):
            return True
        coro = awaited
    return False


def _awaiting(callback: Any) -> Iterator[Any]:
    """Yield whom a callback of a future wakes, and what it belongs to."""
    if is_future(callback):  # the future= of a job
        yield callback
    elif type(callback) is BuiltinFunctionType:
        if is_future(callback.__self__):  # of a task
            yield callback.__self__
    elif type(callback) is MethodType:
        yield callback.__self__
    elif type(callback) is FunctionType:
        if is_transparent(callback.__globals__.get("__name__")):  # gather, shield, wait
            yield from contents_of_cells(callback)
    elif is_kind_of(callback, functools.partial):
        function = attribute_of(callback, "func")
        if type(function) is FunctionType and is_transparent(
            function.__globals__.get("__name__")
        ):  # wait_for
            yield from items_of(attribute_of(callback, "args"))
    elif type(callback) is _core.Batch:
        yield callback.waiter
    else:
        yield from woken_by(callback)


def _waiters_in(thing: Any) -> Iterator[Any]:
    """Yield the futures of those who wait for a task group, a queue or the like."""
    if type(thing) is deque:  # where asyncio keeps who waits; a list or a set is of those who are waited for
        yield from filter(is_future, items_of(thing))
    elif is_transparent(module_of(thing)) and not is_kind_of(thing, asyncio.AbstractEventLoop):
        yield from fields_of(thing)
