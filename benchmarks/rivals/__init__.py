"""The ways to run many coroutines, one module each, written as someone who likes that way would.

A module's docstring says what the way is. It imports what it needs, so that it can be loaded only where that is
installed, tells about itself,

    MODULE         what a program imports to use it
    REQUIREMENT    what pip installs ("" for the standard library)
    LIMITED        whether it keeps to a number of running jobs
    QUEUE          "bounded", "unbounded", or "" where nothing waits that has not been started
    SHARE          (optional) the share of a workload's jobs that is enough, if all of them would take minutes

and has an async function for each shape of work that it does by nature:

    submit(limits, job, items)         run job(item) for all items and wait for the last, without the results
    run(limits, job, items)            one after another: run job(item), wait for its result
    submit_await(limits, job, items)   the same by way of a handle: start job(item), then await the handle
    batch(limits, job, batches)        for each batch, a list of the results in order
    map_unordered, map_ordered(limits, job, items)   a stream of results, consumed
    first(limits, job)                 run one job with everything new; returns an async function that closes it

or for threads, each a call that is made in the loop and returns what threads use:

    FromThreads(limits, job, loop)     its send(item) starts job(item), its ask(item) returns the result of it, and
                                       when `await close()` returns, everything has ended
    Executor(limits, job, loop)        the same without ask, of something to which functions are submitted

Each function makes what it needs and cleans it up, so that a measurement is of the whole use.
"""

from __future__ import annotations

import importlib
from typing import Any, Callable, Coroutine, NamedTuple

Job = Callable[[Any], Coroutine[Any, Any, Any]]
Rival = Any  # a module of this package

TITLES = {
    "ours": "nb_aiopool",
    "original": "nb_aiopool 1.0",
    "gather": "create_task, gather",
    "taskgroup": "TaskGroup",
    "semaphore": "Semaphore",
    "workers": "worker tasks",
    "aiojobs": "aiojobs",
    "asyncio_pool": "asyncio-pool",
    "aiometer": "aiometer",
    "aiostream": "aiostream",
    "streamable": "streamable",
    "anyio": "anyio limiter",
    "threadsafe": "run_coroutine_threadsafe",
    "threadsafe_queue": "awaited queue put",
    "thread_pool": "ThreadPoolExecutor",
    "bare": "no pool",
}


class Limits(NamedTuple):
    running: int = 100
    waiting: int = 1000


class Unavailable(Exception):
    """This rival cannot be measured here; the message says why."""


def load(name: str) -> Rival:
    """Import the module of a rival, or raise Unavailable."""
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ImportError as error:
        raise Unavailable(str(error)) from error


def version(rival: Rival) -> str:
    """Tell which release is measured."""
    # Samples of memory should not begin with megabytes of modules that only this needs.
    import platform  # noqa: PLC0415
    from importlib import metadata  # noqa: PLC0415

    if not rival.REQUIREMENT:
        return f"Python {platform.python_version()}"
    name, _, pinned = rival.REQUIREMENT.partition("==")
    return pinned or metadata.version(name)
