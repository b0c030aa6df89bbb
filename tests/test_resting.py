"""A producer that rests, though there is room: nobody takes the pool for full because of it."""

from __future__ import annotations

import asyncio

import pytest

from nb_aiopool import NbAioPool, PoolFull
from support import Gate, accounting, append, fill, park, value


@pytest.mark.parametrize("queue", [0, 100_000])
@pytest.mark.parametrize("way", ["submit_nowait", "submit", "run", "batch_submit", "batch_run"])
async def test_who_cannot_wait_is_not_refused_while_another_producer_rests(way: str, queue: int) -> None:
    pool, ran = NbAioPool(10, queue), []

    async def produce() -> None:
        for _ in range(2000):
            await pool.submit(value())

    busy = asyncio.ensure_future(produce())
    count = 0
    while not busy.done():
        if way == "submit_nowait":
            pool.submit_nowait(append(ran, count))
        elif way.startswith("batch"):
            await getattr(pool, way)([append(ran, count)], block=False)
        else:
            await getattr(pool, way)(append(ran, count), block=False)
        count += 1
        await asyncio.sleep(0)
    await pool.join()
    assert sorted(ran) == list(range(count)) and accounting(pool)[1] == 2000 + count


async def test_those_in_line_come_in_first_if_there_is_room_for_all() -> None:
    pool, gate, ran = NbAioPool(1, 3), Gate(), []
    jobs = fill(pool, gate)
    producers = await park(pool, append(ran, "first"), append(ran, "second"))
    for job in jobs[1:]:
        job.cancel()  # room for three, and two wait for it
    last = pool.submit_nowait(append(ran, "last"))
    with pytest.raises(PoolFull):
        pool.submit_nowait(append(ran, "too much"))
    gate.open()
    for producer in producers:
        await (await producer)
    await last
    assert ran == ["first", "second", "last"]


async def test_room_that_those_in_line_need_is_not_given_away() -> None:
    pool, gate, ran = NbAioPool(1, 2), Gate(), []
    jobs = fill(pool, gate)
    producers = await park(pool, append(ran, "first"), append(ran, "second"))
    for job in jobs[1:]:
        job.cancel()
    for refused in (pool.submit(value(), block=False), pool.batch_submit([value()], block=False)):
        with pytest.raises(PoolFull):
            await refused
    gate.open()
    for producer in producers:
        await (await producer)
    assert ran == ["first", "second"]


async def test_a_producer_that_was_let_in_early_may_still_be_cancelled() -> None:
    pool, gate, ran = NbAioPool(1, 2), Gate(), []
    jobs = fill(pool, gate)
    (producer,) = await park(pool, append(ran, "never"))
    for job in jobs[1:]:
        job.cancel()
    last = pool.submit_nowait(append(ran, "last"))
    producer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await producer
    gate.open()
    await last
    await pool.join()
    assert ran == ["last"] and pool.stats().submitted == 4
