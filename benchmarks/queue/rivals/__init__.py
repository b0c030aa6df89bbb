"""The queues, one module each, written as someone who likes that queue would, with its usual settings.

A module's docstring says what the queue acknowledges, and when. It imports what it needs, so that it can be loaded only
where that is installed, and has

    REQUIREMENT    what pip installs ("" for what is written here)
    SETTINGS       in one line, for the report: what it promises with the settings used
    SPEED          tasks per second, roughly, for each of "drain", "submit", "gather" and "bulk": a sample's size

    class Queue:
        def __init__(self, url, job, running)    the URL of Redis, what each task does, how many may run at a time
        async def open(self)                     before anything is submitted
        async def submit(self, item)             returns when Redis has the task job(item)
        async def submit_many(self, items)       the same for a list (only if the queue has such a call)
        async def close(self)                    after everything is submitted
        def work(self)                           be a worker, in a process of its own, until that is killed

All of them run on asyncio's own loop, with Python's logging as it is when nobody configures it: their command lines
would log every task.
"""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks.rivals import Unavailable

Rival = Any  # a module of this package
RUNNING = 100

TITLES = {
    "ours": "nb_aio_task",
    "original": "nb_aio_task 1.0",
    "arq": "arq",
    "arq_tuned": "arq, tuned",
    "saq": "SAQ",
    "taskiq_stream": "taskiq stream",
    "taskiq_list": "taskiq list",
    "streaq": "streaq",
    "ceiling": "bare script",
}


def load(name: str) -> Rival:
    """Import the module of a rival, or raise Unavailable."""
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ImportError as error:
        raise Unavailable(str(error)) from error
