"""The server that a command looks at: where it is, and what to say if it cannot be used."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Awaitable, Callable, TypeVar

from .failure import UNUSABLE, Failure

if TYPE_CHECKING:
    import argparse

URL_VARIABLE = "NB_AIO_TASK_URL"
DEFAULT_URL = "redis://localhost:6379/0"
PATIENCE = 5.0
"""How many seconds a server may take for one answer, before it counts as not to be reached."""

_T = TypeVar("_T")


def add_url(parser: argparse.ArgumentParser) -> None:
    """Add the option that says which server is meant."""
    parser.add_argument(
        "--url",
        default=os.environ.get(URL_VARIABLE) or DEFAULT_URL,
        metavar="URL",
        help="the server, as the tasks' redis_url= names it; default: the environment variable"
        f" {URL_VARIABLE}, else {DEFAULT_URL}",
    )


def look(url: str, main: Callable[[Patient], Awaitable[_T]]) -> _T:
    """
    Run `main` in an event loop, and return what it returns.

    Raises Failure with one clear line if the URL makes no sense, redis-py is missing, or the server cannot be reached
    or refuses.
    """
    name = _checked(url)
    from nb_aiopool.contrib.nb_aio_task.errors import QueueError  # noqa: PLC0415 -- `--help` needs none of it

    async def run() -> _T:
        return await main(Patient(name))

    try:
        return asyncio.run(run())
    except QueueError as error:
        raise Failure(f"{name}: {error}") from None
    except ImportError as error:
        raise Failure(str(error)) from None


class Patient:
    """Waits for the answers of one server, but not for ever."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, answer: Awaitable[_T]) -> _T:
        try:
            return await asyncio.wait_for(answer, PATIENCE)
        except asyncio.TimeoutError:
            raise Failure(f"{self.name} has not answered within {PATIENCE:g} s") from None


def _checked(url: str) -> str:
    """The server's name for messages: without user, password and options."""
    from nb_aiopool.contrib.nb_aio_task.outages import name_of  # noqa: PLC0415
    from nb_aiopool.contrib.nb_aio_task.redis_url import check_url  # noqa: PLC0415

    if url.startswith("memory:"):
        raise Failure(
            "--url: memory:// queues live inside their process, and cannot be seen from here", UNUSABLE
        )
    try:
        check_url("--url", url)
    except ValueError as error:
        raise Failure(str(error), UNUSABLE) from None
    return name_of(url)
