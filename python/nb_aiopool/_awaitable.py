"""Other ways to await."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Awaitable, Generator, NoReturn, TypeVar

if TYPE_CHECKING:
    from nb_aiopool._core import Job

T = TypeVar("T")


async def wrap(awaitable: Awaitable[T]) -> T:
    """Await the object: its `__await__` is called when the job begins, not before."""
    return await awaitable


def await_after_raising(job: Job[T], interrupt: BaseException) -> Generator[Any, None, T]:
    """Have the loop raise what a step of a pool's job has raised for its caller, before the awaiter goes on."""
    job.get_loop().call_soon(_raise, interrupt)
    return _await_next_turn(job).__await__()


def _raise(interrupt: BaseException) -> NoReturn:
    raise interrupt


async def _await_next_turn(job: Job[T]) -> T:
    await asyncio.sleep(0)
    return await job
