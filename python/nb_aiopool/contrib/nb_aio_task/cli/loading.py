"""From `MODULE[:TASK]` to the tasks that are meant, or to an error that says what is wrong with it."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Sequence

from nb_aiopool.contrib.nb_aio_task.task import AioTask

from .failure import UNUSABLE, Failure

if TYPE_CHECKING:
    from types import ModuleType, TracebackType

_MISSING = object()


def load(targets: Sequence[str], given_up: Callable[[], bool] = lambda: False) -> List[AioTask[Any]]:
    """
    The tasks that `targets` name, each once, in order; the current directory is where modules are looked for first.

    Raises Failure that names the module or task that cannot be had, and why. `given_up()` tells a SystemExit that
    comes from a signal from that of a module.
    """
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    tasks: List[AioTask[Any]] = []
    for target in targets:
        module_name, colon, name = target.partition(":")
        module = _module(module_name, target, given_up)
        found = [_named(module, name)] if colon else _all_of(module)
        for task in found:
            if not any(task is other for other in tasks):
                tasks.append(task)
    return tasks


def _module(name: str, target: str, given_up: Callable[[], bool]) -> ModuleType:
    if not name or name.startswith(".") or os.sep in name:
        raise Failure(
            f"{target!r} names no module: write MODULE or MODULE:TASK, e.g. shop.tasks:send", UNUSABLE
        )
    try:
        return importlib.import_module(name)
    except BaseException as error:
        if given_up() or isinstance(error, KeyboardInterrupt):
            raise
        if isinstance(error, ModuleNotFoundError) and _is_part(error.name, name):
            raise Failure(_not_found(name, error), UNUSABLE) from None
        shown = "".join(traceback.format_exception(type(error), error, _inside(error.__traceback__)))
        raise Failure(
            f"module {name!r} cannot be loaded, it raised {type(error).__name__}:\n{shown.rstrip()}", UNUSABLE
        ) from None


def _is_part(missing: Optional[str], name: str) -> bool:
    return missing is not None and (name == missing or name.startswith(missing + "."))


def _not_found(name: str, error: ModuleNotFoundError) -> str:
    said = f"module {name!r} is not found ({error}; looked in {Path.cwd()} and on sys.path)"
    if name.endswith(".py"):
        said += f". Give the module, not the file: {name[:-3]}"
    return said


def _inside(trace: Optional[TracebackType]) -> Optional[TracebackType]:
    """The part of the traceback that is not about how modules are imported."""
    ours = (__file__, importlib.__file__)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file not in ours and not file.startswith("<frozen importlib"):
            break
        trace = trace.tb_next
    return trace


def _all_of(module: ModuleType) -> List[AioTask[Any]]:
    found: List[AioTask[Any]] = [value for value in vars(module).values() if isinstance(value, AioTask)]
    if not found:
        raise Failure(
            f"module {module.__name__!r} has no tasks ({_place_of(module)}): define one with @aio_task",
            UNUSABLE,
        )
    return found


def _named(module: ModuleType, name: str) -> AioTask[Any]:
    found: Any = getattr(module, name, _MISSING)
    if isinstance(found, AioTask):
        return found  # pyright: ignore[reportUnknownVariableType]
    said = f"module {module.__name__!r} has no task {name!r}"
    if found is not _MISSING:
        said = f"{name!r} of module {module.__name__!r} is not a task, but {_kind_of(found)}"
    there = sorted({key for key, value in vars(module).items() if isinstance(value, AioTask)})
    tasks = f"its tasks are: {', '.join(there)}" if there else "it has no tasks at all"
    raise Failure(f"{said}; {tasks}", UNUSABLE)


def _place_of(module: ModuleType) -> str:
    return str(getattr(module, "__file__", None) or "a namespace package")


def _kind_of(value: object) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"
