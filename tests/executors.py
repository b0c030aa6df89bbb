"""Async functions to submit to an executor, and what scripts about one begin with."""

from __future__ import annotations

import asyncio
import inspect
import textwrap
from typing import Any

HEAD = """
import asyncio, atexit, concurrent.futures, os, signal, sys, threading, time, warnings
from nb_aiopool import AsyncPoolExecutor, PoolStopped

warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of fork in a process with threads


def new_loop():
    kind = sys.argv[1] if len(sys.argv) > 1 else "asyncio"
    if kind == "uvloop":
        import uvloop
        return uvloop.new_event_loop()
    loop = asyncio.new_event_loop()
    loop.set_debug(kind == "debug")
    return loop


async def write(x, seconds=0.01):
    await asyncio.sleep(seconds)
    print(x, flush=True)
    return x


async def fail():
    raise LookupError("nobody asks")
"""


async def power(base: int, exponent: int) -> int:
    await asyncio.sleep(0)
    return int(base**exponent)


async def divmod_of(x: int, y: int) -> Any:
    return divmod(x, y)


async def doze(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


async def current_loop() -> Any:
    return asyncio.get_running_loop()


class AsyncCallable:
    async def __call__(self, x: int = 1) -> int:
        return x + 1


def said_to_be_async(function: Any) -> Any:
    """Mark a function that is not async, as compilers do."""
    if hasattr(inspect, "markcoroutinefunction"):  # 3.12
        return inspect.markcoroutinefunction(function)
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return function


def program(body: str) -> str:
    """Return a script that begins with the above; its first argument is a kind of loop."""
    return HEAD + "\n\n" + textwrap.dedent(body)
