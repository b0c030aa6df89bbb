"""The queue of nb_aiopool 1.0 from PyPI.

It pops a task from a list before it runs it, and acknowledges nothing: what a worker holds when it is killed is lost,
up to a hundred running tasks and a thousand in its pool's queue. No retries, no results.

It has the same import name as ours, so it is in a folder of its own that only its samples have on their path. It logs
with the package nb_log, which prints and writes to files; here a module of that name is put in its place that hands
out loggers of the standard library, which print nothing below a warning. That is to its favour.
"""

from __future__ import annotations

import logging
import sys
import types

import nb_aiopool

__all__ = ["Queue"]

REQUIREMENT = "nb_aiopool==1.0"
SETTINGS = "at most once: pops before the task, acknowledges nothing; logs nothing here (nb_log is replaced)"
SPEED = {"drain": 8000, "submit": 10_000, "gather": 10_000}

if hasattr(nb_aiopool.NbAioPool, "submit_nowait"):
    raise ImportError("the nb_aiopool that is found here is not the original")

loggers = types.ModuleType("nb_log")
vars(loggers)["get_logger"] = logging.getLogger
sys.modules["nb_log"] = loggers

from benchmarks.queue.rivals.nb_aio_task_calls import Queue  # noqa: E402 - imports nb_log
