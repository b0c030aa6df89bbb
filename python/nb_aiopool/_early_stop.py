"""
A signal that asks `nb-aiopool worker` to stop while it is still loading its own modules: it ends with 0, as ever.

Without a handler the signal would kill it, and be ignored by process 1 of a container. Imports next to nothing, because
it has to be there before everything else.
"""

from __future__ import annotations

import os
import signal
import sys

_NAMES = ("nb_aiopool", "nb-aiopool", "nb-aiopool.exe", "nb-aiopool-script.py")


def prepare() -> None:
    """
    Let SIGTERM and SIGINT end this process in peace, until the command has handlers of its own; does nothing in any
    other program. Before Python 3.10 nobody knows here which program it is: the command's own handlers come later.
    """
    if _is_worker_command():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _end)


def _is_worker_command() -> bool:
    # Not sys.argv alone: processes that tasks start by multiprocessing have it from their parents.
    arguments = getattr(sys, "argv", [])
    program = "".join(getattr(sys, "orig_argv", [])[-len(arguments) :][:1])
    name = os.path.basename(program)  # noqa: PTH119 -- pathlib takes a while to load
    return arguments[1:2] == ["worker"] and name in _NAMES


def _end(*_: object) -> None:
    os._exit(0)  # nothing has begun that could be lost
