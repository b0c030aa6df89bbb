"""Capacity: no producer and no stream of jobs, however busy, stops the loop from doing everything else.

Each test keeps the pool busy until the loop has run something of its own; a starved loop never would.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from typing import Any, AsyncIterator, Awaitable, Callable, Iterator

import pytest

from nb_aiopool import NbAioPool
from support import turns, value


class Signs:
    """What the loop has run: a timer, plain callbacks, another task, a thread's call, and I/O."""

    def __init__(self) -> None:
        self.missing = {"timer", "callback", "task", "thread", "io"}
        self.loop = asyncio.get_running_loop()
        self.loop.call_later(0.002, self.missing.discard, "timer")
        self.loop.call_soon(lambda: self.loop.call_soon(self.missing.discard, "callback"))
        self.reader, self.writer = socket.socketpair()
        self.reader.setblocking(False)
        self.tasks = [asyncio.ensure_future(self.turn()), asyncio.ensure_future(self.receive())]
        self.thread = threading.Timer(0.002, self.from_thread)
        self.thread.start()

    async def turn(self) -> None:
        await turns(20)
        self.missing.discard("task")

    async def receive(self) -> None:
        assert await self.loop.sock_recv(self.reader, 1) == b"x"
        self.missing.discard("io")

    def from_thread(self) -> None:
        self.writer.send(b"x")
        self.loop.call_soon_threadsafe(self.missing.discard, "thread")

    async def end(self) -> None:
        await asyncio.gather(*self.tasks)
        self.thread.join()
        self.reader.close()
        self.writer.close()


async def submits(pool: NbAioPool, signs: Signs) -> None:
    while signs.missing:
        await pool.submit(value())


async def runs(pool: NbAioPool, signs: Signs) -> None:
    while signs.missing:
        await pool.run(value())


async def submits_and_awaits(pool: NbAioPool, signs: Signs) -> None:
    while signs.missing:
        await (await pool.submit(value()))


async def submits_in_batches(pool: NbAioPool, signs: Signs) -> None:
    def coros() -> Iterator[Any]:
        while signs.missing:
            yield value()

    await pool.batch_submit(coros())


async def submits_in_async_batches(pool: NbAioPool, signs: Signs) -> None:
    async def coros() -> AsyncIterator[Any]:
        while signs.missing:
            yield value()

    await pool.batch_submit(coros())


async def runs_batches(pool: NbAioPool, signs: Signs) -> None:
    while signs.missing:
        await pool.batch_run([value() for _ in range(10)])


async def has_jobs_that_submit_anew(pool: NbAioPool, signs: Signs) -> None:
    async def job() -> None:
        if signs.missing:
            pool.submit_nowait(job())

    for _ in range(3):
        pool.submit_nowait(job())
    await pool.join()


async def has_jobs_that_submit_anew_from_callbacks(pool: NbAioPool, signs: Signs) -> None:
    def again(_: Any) -> None:
        if signs.missing:
            pool.submit_nowait(value()).add_done_callback(again)

    again(None)
    while signs.missing:
        await turns()
    await pool.join()


async def has_jobs_that_double(pool: NbAioPool, signs: Signs) -> None:
    async def job() -> None:
        if signs.missing and pool.queued < 1000:
            pool.submit_nowait(job())
            pool.submit_nowait(job())

    while signs.missing:
        pool.submit_nowait(job())
        await pool.join()


@pytest.mark.limit(120)  # a thread may have to wait long for the GIL while the loop never sleeps
@pytest.mark.parametrize("limits", [(1, 1), (1, 0), (10, 1000), (1000, 0)], ids=repr)
@pytest.mark.parametrize(
    "busy",
    [
        submits,
        runs,
        submits_and_awaits,
        submits_in_batches,
        submits_in_async_batches,
        runs_batches,
        has_jobs_that_submit_anew,
        has_jobs_that_submit_anew_from_callbacks,
        has_jobs_that_double,
    ],
    ids=lambda busy: busy.__name__,
)
async def test_the_loop_goes_on_while_somebody(
    busy: Callable[[NbAioPool, Signs], Awaitable[None]], limits: Any
) -> None:
    pool = NbAioPool(*limits)
    if pool.max_queue_size == 1 and "submit_anew" in busy.__name__:
        pool.max_queue_size = 10
    if pool.max_queue_size and "double" in busy.__name__:
        pool.max_queue_size = 3000
    signs = Signs()
    await busy(pool, signs)
    assert not signs.missing
    await signs.end()
    await pool.join()


async def test_several_busy_producers_all_make_progress() -> None:
    pool, done = NbAioPool(2, 10), [0, 0, 0]

    async def produce(i: int) -> None:
        while min(done) < 200:
            await pool.submit(value())
            done[i] += 1

    await asyncio.gather(*[produce(i) for i in range(3)])
    await pool.join()
    assert min(done) == 200


async def test_a_producer_of_an_unbounded_pool_lets_its_jobs_start() -> None:
    pool = NbAioPool(1, 0)
    for n in itertools.count(1):
        await pool.submit(value())
        if pool.stats().succeeded:
            break
        assert n < 3_000_000
    await pool.join()
