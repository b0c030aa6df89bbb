"""What a worker takes, in which order it starts it, and when it tells that it is done."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from typing import Any, List

import pytest
from task_support import Notes, Workshop, eventually

from support import Gate


async def stats_are(task: Any, *expected: int) -> bool:
    return bool(await task.stats() == expected)


@pytest.mark.parametrize(
    ("max_concurrency", "max_queue_size", "room"),
    [(1, 1000, 2), (5, 1000, 6), (20, 1000, 22), (20, 1, 21), (20, 0, 22), (100, 1000, 110)],
)
async def test_a_full_worker_has_taken_its_slots_and_its_read_ahead(
    workshop: Workshop, max_concurrency: int, max_queue_size: int, room: int
) -> None:
    gate = Gate()
    task = workshop.task(gate.hold, max_concurrency=max_concurrency, max_queue_size=max_queue_size)
    await task.submit_many([((), {})] * 200)
    seen: List[int] = []
    async with workshop.consuming(task):
        await gate.reached(max_concurrency)
        await eventually(lambda: stats_are(task, 200 - room, room, 0, 0))
        for _ in range(60):
            gate.release(3)
            seen.append((await task.stats()).running)
            await asyncio.sleep(0)
        assert gate.arrived - gate.passed <= max_concurrency
        gate.open()
        await eventually(lambda: stats_are(task, 0, 0, 0, 0))
    assert max(seen) <= room
    assert gate.passed == 200


async def test_two_workers_share_what_there_is(workshop: Workshop) -> None:
    gate = Gate()
    task = workshop.task(gate.hold, max_concurrency=3)
    again = workshop.again(task, gate.hold, max_concurrency=3)
    await task.submit_many([((), {})] * 20)
    async with workshop.consuming(task, again):
        await gate.reached(6)
        await eventually(lambda: stats_are(task, 12, 8, 0, 0))
        gate.open()
        await eventually(lambda: stats_are(task, 0, 0, 0, 0))
    assert gate.passed == 20


@pytest.mark.parametrize("max_concurrency", [1, 7])
async def test_tasks_start_in_the_order_in_which_they_were_queued(
    workshop: Workshop, max_concurrency: int
) -> None:
    started: List[int] = []

    async def note(i: int) -> None:
        started.append(i)
        await asyncio.sleep(0.001 * (i % 3))

    task = workshop.task(note, max_concurrency=max_concurrency)
    await task.submit_many(((i,), {}) for i in range(100))
    await workshop.work_off(task)
    assert started == list(range(100))


async def test_an_idle_worker_starts_what_comes_in_order(workshop: Workshop) -> None:
    notes = Notes()
    task = workshop.task(notes.function(), max_concurrency=3)
    async with workshop.consuming(task):
        for i in range(30):
            await task.submit(i)
            if i % 3 == 0:
                await notes.reached(i + 1)
        await notes.reached(30)
    assert notes.calls == list(range(30))


async def test_what_is_done_is_told_of_while_others_run_on(workshop: Workshop) -> None:
    gate = Gate()

    async def either(hold: bool) -> None:
        if hold:
            await gate.wait()

    task = workshop.task(either, max_concurrency=100)
    await task.submit(True)
    async with workshop.consuming(task):
        await gate.reached(1)
        await task.submit_many([((False,), {})] * 10)
        await eventually(lambda: stats_are(task, 0, 1, 0, 0))
        gate.open()
        await eventually(lambda: stats_are(task, 0, 0, 0, 0))


@pytest.mark.loop("asyncio")
async def test_what_is_done_leaves_the_hash_of_the_worker(redis_workshop: Workshop, client: Any) -> None:
    gate = Gate()
    task = redis_workshop.task(gate.hold, max_concurrency=10)
    await task.submit_many([((), {})] * 2)
    async with redis_workshop.consuming(task):
        await gate.reached(2)
        (inflight,) = client.keys("{%s}:inflight:*" % task.queue_name)
        assert client.hlen(inflight) == 2
        gate.release(1)
        await eventually(lambda: hash_is(client, inflight, 1))
        gate.release(1)
        await eventually(lambda: hash_is(client, inflight, 0))


async def hash_is(client: Any, key: bytes, length: int) -> bool:
    return bool(client.hlen(key) == length)


@pytest.mark.loop("asyncio")
async def test_a_worker_that_has_ended_leaves_nothing_in_redis(
    redis_workshop: Workshop, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail_once(i: int) -> None:
        if i == 7:
            raise LookupError

    task = redis_workshop.task(fail_once, result_ttl=0.05)
    await task.submit_many(((i,), {}) for i in range(50))
    await task.options(id="a").submit(1)
    await task.options(delay=0.01).submit(2)
    await redis_workshop.work_off(task)
    await task.delete_dead()
    await asyncio.sleep(0.06)
    left = [key for key in client.keys("*%s*" % task.queue_name) if b":producer:" not in key]
    assert left == []


@pytest.mark.loop("asyncio")
async def test_the_memory_of_a_worker_does_not_grow_with_what_it_has_done(workshop: Workshop) -> None:
    async def nothing(x: int) -> None: ...

    task = workshop.task(nothing, max_concurrency=100)

    async def some(count: int) -> None:
        await task.submit_many(((i,), {}) for i in range(count))
        while await task.get_queue_size():
            await asyncio.sleep(0.01)

    async with workshop.consuming(task):
        await some(3000)
        gc.collect()
        tracemalloc.start()
        try:
            await some(3000)
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            await some(9000)
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
    assert grown < 500_000, grown  # some are still on their way
