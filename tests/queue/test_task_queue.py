"""Looking at a queue and emptying it."""

from __future__ import annotations

from typing import Any

import pytest
from task_support import Notes, Workshop, eventually

from nb_aiopool.contrib.nb_aio_task import QueueStats
from support import Gate


async def test_a_new_queue_is_empty(workshop: Workshop) -> None:
    task = workshop.task(Notes().function())
    stats = await task.stats()
    assert isinstance(stats, QueueStats)
    assert stats == (0, 0, 0, 0)
    assert repr(stats) == "QueueStats(queued=0, running=0, delayed=0, dead=0)"
    assert await task.get_queue_size() == 0
    await task.clear_queue()


async def test_everything_is_counted_where_it_is(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()

    async def run(kind: str) -> None:
        if kind == "bad":
            raise LookupError
        await gate.wait()

    task = workshop.task(run, max_concurrency=1, max_queue_size=1)
    await task.submit("bad")
    await task.options(delay=1000).submit("late")
    for _ in range(5):
        await task.submit("good")
    assert await task.stats() == (6, 0, 1, 0)
    async with workshop.consuming(task):
        await gate.reached(1)
        await eventually(lambda: stats_are(task, 3, 2, 1, 1))
        assert await task.get_queue_size() == 3
        gate.open()
        await eventually(lambda: stats_are(task, 0, 0, 1, 1))


async def stats_are(task: Any, *expected: int) -> bool:
    return bool(await task.stats() == expected)


async def test_two_definitions_see_the_same_queue_and_another_name_another(workshop: Workshop) -> None:
    task = workshop.task(Notes().function())
    await task.submit(1)
    again, other = workshop.again(task, task.func), workshop.task(task.func)
    assert (await again.get_queue_size(), await other.get_queue_size()) == (1, 0)
    await other.clear_queue()
    assert await task.get_queue_size() == 1


async def test_clearing_drops_what_waits_and_leaves_what_runs(workshop: Workshop) -> None:
    gate = Gate()
    task = workshop.task(gate.hold, max_concurrency=1, max_queue_size=1, result_ttl=60)
    running = await task.options(id="running").submit("running")
    ahead = await task.submit("ahead")
    async with workshop.consuming(task):
        await gate.reached(1)
        await eventually(lambda: stats_are(task, 0, 2, 0, 0))
        await task.submit_many([((i,), {}) for i in range(10)])
        await task.options(id="queued").submit(1)
        await task.options(id="late", delay=1000).submit(1)
        await task.clear_queue()
        assert await task.stats() == (0, 2, 0, 0)
        # Ids of what was dropped are free, that of what runs is not.
        assert await (await task.options(id="running").submit(2)).status() == "running"
        assert (await task.stats()).queued == 0
        await task.options(id="queued", delay=1000).submit(2)
        await task.options(id="late", delay=1000).submit(2)
        assert (await task.stats()).delayed == 2
        gate.open()
        assert [await running.result(), await ahead.result()] == ["running", "ahead"]
    assert gate.arrived == 2


async def test_a_large_queue_with_many_ids_is_cleared(workshop: Workshop) -> None:
    task = workshop.task(Notes().function())
    await task.submit_many([((i,), {}) for i in range(3000)])
    for i in range(60):
        await task.options(id="id%d" % i).submit(i)
    await task.clear_queue()
    assert await task.stats() == (0, 0, 0, 0)
    for i in range(60):
        await task.options(id="id%d" % i).submit(i)
    assert await task.get_queue_size() == 60


@pytest.mark.loop("asyncio")
async def test_clearing_leaves_no_key_behind(redis_workshop: Workshop, client: Any) -> None:
    task = redis_workshop.task(Notes().function())
    for i in range(5):
        await task.options(id="id%d" % i, delay=None if i % 2 else 1000).submit(i)
    await task.clear_queue()
    left = [key for key in client.keys("*%s*" % task.queue_name) if b":producer:" not in key]
    assert left == []
