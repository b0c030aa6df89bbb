"""A connection that is being made: no cancellation is lost on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("redis")

from nb_aiopool.contrib.nb_aio_task import redis_wire
from support import turns


class Refused:
    """Cannot be connected, which is known when `answer` is."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answered = False

    async def connect(self) -> None:
        await self.answer
        self.answered = True
        raise ConnectionRefusedError

    async def disconnect(self, *, nowait: bool) -> None:
        pass


async def test_a_cancellation_that_comes_with_a_refusal_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Refused()
    monkeypatch.setattr(redis_wire, "_made_by", lambda *_args, **_options: connection)
    wire = redis_wire.Wire("redis://localhost:1/0")
    calling: asyncio.Task[Any] = asyncio.ensure_future(wire.call("PING"))
    await turns(3)
    connection.answer.set_result(None)
    while not connection.answered:
        await asyncio.sleep(0)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    await wire.close()
