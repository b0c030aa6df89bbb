"""close() while others submit: they are told so, and not cancelled, as if they had been asked to end."""

from __future__ import annotations

import asyncio
import socket

import pytest

from nb_aiopool.contrib.nb_aio_task import QueueError, aio_task


def unused_url() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return "redis://127.0.0.1:%d/0" % found.getsockname()[1]


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.loop("asyncio", "uvloop")
async def test_who_submits_through_an_outage_is_told() -> None:
    pytest.importorskip("redis")

    @aio_task("closed-submits", redis_url=unused_url())
    async def work() -> None:
        pass

    first, second = (asyncio.ensure_future(work.submit()) for _ in range(2))
    await turns(3)
    first.cancel()  # it was sending for both: from now on a task does
    with pytest.raises(asyncio.CancelledError):
        await first
    await turns(3)
    await work.close()
    with pytest.raises(QueueError, match="may be queued, or not"):
        await second
