"""What a wait brings while a worker talks to its broker: every task runs once, and is told of as itself."""

from __future__ import annotations

import asyncio
from typing import Any, List

from nb_aiopool.contrib.nb_aio_task import aio_task
from support import turns


async def test_what_comes_during_an_exchange_is_not_taken_for_what_comes_after_it() -> None:
    ran: List[str] = []
    two = asyncio.Event()
    answered = asyncio.Event()

    @aio_task("waited", redis_url="memory://")
    async def note(name: str) -> None:
        ran.append(name)
        if len(ran) == 2:
            two.set()

    consumer = asyncio.ensure_future(note.consume())
    loop = asyncio.get_running_loop()
    while loop not in note._workers or not note._workers[loop]._listener.listening:
        await turns()
    worker = note._workers[loop]
    broker: Any = worker._broker
    exchange = broker.exchange

    async def slow(*args: Any, **options: Any) -> Any:
        broker.exchange = exchange
        reply = await exchange(*args, **options)
        await note.submit("first")
        while worker._listener.listening:
            await turns()
        answered.set()
        return reply

    broker.exchange = slow
    worker._alarm.set()
    await answered.wait()
    while not (ran or worker._listener.listening):
        await turns()
    await note.submit("second")
    await two.wait()
    assert ran == ["first", "second"]
    while sum(await note.stats()):
        await turns()
    consumer.cancel()
    await asyncio.wait([consumer])
    assert ran == ["first", "second"]
    await note.close()
