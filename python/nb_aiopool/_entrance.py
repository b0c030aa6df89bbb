"""Coming in where there was no room at first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    from nb_aiopool._core import Job, Pool

__all__ = ["come_in"]


async def come_in(pool: Pool, job: Job[Any], admitted: asyncio.Future[None]) -> None:
    """Wait until a job that stands in line is admitted, or leave the line if the caller is cancelled."""
    try:
        await admitted
    except BaseException:
        pool._native_leave_line(job)
        raise
    pool._native_take_place(job)
