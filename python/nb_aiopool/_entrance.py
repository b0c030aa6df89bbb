"""Coming in where there was no room at first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from nb_aiopool._core import Job, Pool

__all__ = ["come_in"]

T = TypeVar("T")


async def come_in(pool: Pool, job: Job[T], admitted: asyncio.Future[None]) -> asyncio.Future[T]:
    """Wait until a job that stands in line is admitted, or leave the line if the caller is cancelled."""
    try:
        await admitted
    except BaseException:
        pool._native_leave_line(job)
        raise
    return pool._native_take_place(job)
