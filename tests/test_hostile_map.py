"""A map whose jobs fail it in the middle of its own bookkeeping."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool
from support import accounting, turns, value


class Deaf(asyncio.Future):  # type: ignore[type-arg]
    """What a job is to whoever has no memory left for a callback."""

    def add_done_callback(self, *_: Any, **__: Any) -> None:
        raise MemoryError


class DeafPool(NbAioPool):
    async def submit(self, coro: Any, *_: Any, **__: Any) -> Any:
        await turns()  # so that the consumer waits already
        await super().run(coro)
        return Deaf()


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_job_that_takes_no_callback_ends_the_map(ordered: bool, reports: List[Any]) -> None:
    pool = DeafPool(2, 2)
    results = asyncio.ensure_future(pool.map(value, [1, 2], ordered=ordered).collect())
    await asyncio.wait([results])
    assert isinstance(results.exception(), MemoryError)
    accounting(pool)
    reports.clear()
