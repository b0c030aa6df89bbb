"""The kinds of event loop that the tests run on, and running a coroutine on one as asyncio.run does."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Callable, Coroutine, Dict

try:
    import uvloop
except ImportError:
    uvloop = None


def debug_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 3600.0
    return loop


def eager_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


KINDS: Dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "debug": debug_loop,
}
if hasattr(asyncio, "eager_task_factory"):
    KINDS["eager"] = eager_loop
if uvloop is not None:
    KINDS["uvloop"] = uvloop.new_event_loop
# Some of them only, as in NB_AIOPOOL_LOOPS="asyncio uvloop", where all of them would take too long.
if os.environ.get("NB_AIOPOOL_LOOPS"):
    KINDS = {kind: make for kind, make in KINDS.items() if kind in os.environ["NB_AIOPOOL_LOOPS"].split()}


def new_loop(kind: str, exception_handler: Callable[[Any, Dict[str, Any]], None]) -> Any:
    loop = KINDS[kind]()
    loop.set_exception_handler(exception_handler)
    return loop


def run_and_close(loop: Any, main: Coroutine[Any, Any, Any]) -> Any:
    """Run ``main`` and then end the loop as asyncio.run does: cancel what is left, wait for it, close."""
    try:
        return loop.run_until_complete(main)
    finally:
        main.close()
        try:
            cancel_and_wait(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
            if hasattr(loop, "shutdown_default_executor"):
                loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


def cancel_and_wait(loop: Any) -> None:
    left = asyncio.all_tasks(loop)
    if not left:
        return
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    for task in left:
        if not task.cancelled() and task.exception() is not None:
            loop.call_exception_handler(
                {"message": "unhandled exception at the end", "exception": task.exception(), "task": task}
            )
