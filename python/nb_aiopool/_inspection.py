"""How a job looks to people: its repr, and the stack of its coroutine."""

from __future__ import annotations

import reprlib
import sys
from asyncio import base_tasks
from typing import TYPE_CHECKING, Any, List, Optional, TextIO

if TYPE_CHECKING:
    from types import FrameType

    from nb_aiopool._core import Job

_of_tasks: Any = base_tasks  # its functions take whatever has the members of a Task
_brief = reprlib.Repr()
_brief.maxother = 120
_brief.maxstring = 120


def describe(job: Job[Any]) -> str:
    """Return the repr of a job: its state, name, coroutine, and what it waits for or came to."""
    words = ["Job", _state(job), f"name={job.get_name()!r}", f"coro={_describe_coroutine(job.get_coro())}"]
    if job.done():
        if not job.cancelled():
            words.append(_describe_outcome(job))
    elif job._fut_waiter is not None:
        words.append(f"wait_for={_brief.repr(job._fut_waiter)}")
    return f"<{' '.join(words)}>"


def _state(job: Job[Any]) -> str:
    if job.done():
        return "cancelled" if job.cancelled() else "finished"
    return "cancelling" if job.cancelling() and job._place == "running" else job._place


def _describe_outcome(job: Job[Any]) -> str:
    # Not through result() or exception(): looking must not count as retrieving the exception.
    exception = job._exception
    if exception is not None:
        return f"exception={_brief.repr(exception)}"
    return f"result={_brief.repr(job._result)}"


def _describe_coroutine(coro: Any) -> str:
    name = getattr(coro, "__qualname__", None) or getattr(coro, "__name__", None) or type(coro).__name__
    code = getattr(coro, "cr_code", None) or getattr(coro, "gi_code", None)
    if code is None:
        return f"<{name}()>"
    frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None)
    if frame is None:
        return f"<{name}() done, defined at {code.co_filename}:{code.co_firstlineno}>"
    return f"<{name}() running at {code.co_filename}:{frame.f_lineno}>"


def get_stack(job: Job[Any], *, limit: Optional[int] = None) -> List[FrameType]:
    """Return the frames of the job's coroutine, oldest first, or those of the traceback it ended with."""
    return list(_of_tasks._task_get_stack(job, limit))


def print_stack(job: Job[Any], *, limit: Optional[int] = None, file: Optional[TextIO] = None) -> None:
    """Print the stack of the job's coroutine, or the traceback it ended with, to `file` (standard error)."""
    _of_tasks._task_print_stack(job, limit, sys.stderr if file is None else file)
