"""Run a coroutine on a kind of event loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Callable, Coroutine, Dict, TypeVar

T = TypeVar("T")


def uvloop_loop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415 - only some runs want it, and not every machine has it

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


FACTORIES: Dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop_loop,
}


def run(kind: str, coro: Coroutine[Any, Any, T]) -> T:
    """Do what ``asyncio.run`` does, on a loop of this kind and on every Python."""
    try:
        loop = FACTORIES[kind]()
    except BaseException:
        coro.close()
        raise
    with contextlib.closing(loop):
        asyncio.set_event_loop(loop)
        try:
            return loop.run_until_complete(coro)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            asyncio.set_event_loop(None)
