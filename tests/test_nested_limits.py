"""Limits that are changed while slots are lent, and producers outside beside nested work."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from nested import Nest
from support import Gate, accounting, append, counts, park, turns

pytestmark = pytest.mark.limit(10)


async def parent_of(nest: Nest, *children: Any) -> List[Any]:
    """A job that waits for others."""
    await nest.step()
    found = list(await asyncio.gather(*[nest.pool.run(child) for child in children]))
    await nest.step()
    return found


async def test_a_raised_limit_gives_more_slots_to_what_is_queued() -> None:
    nest, gate = Nest(1, 5), Gate()
    job = nest.pool.submit_nowait(parent_of(nest, nest.held(gate, "child")))
    others = [nest.pool.submit_nowait(nest.held(gate, i)) for i in range(3)]
    await gate.reached(1)
    await turns(5)
    assert counts(nest.pool) == {"running": 2, "queued": 3, "waiting": 0}
    nest.pool.max_concurrency = 3
    await gate.reached(3)
    assert counts(nest.pool) == {"running": 4, "queued": 1, "waiting": 0}
    gate.open()
    assert await asyncio.gather(job, *others) == [["child"], 0, 1, 2]
    assert nest.peak == 3
    nest.at_rest()


async def test_a_lowered_limit_holds_as_soon_as_the_excess_has_ended() -> None:
    nest, gates = Nest(3, 9), [Gate() for _ in range(3)]
    jobs = [nest.pool.submit_nowait(parent_of(nest, nest.held(gate, "child"))) for gate in gates]
    later = [nest.pool.submit_nowait(parent_of(nest, nest.leaf(i))) for i in range(4)]
    for gate in gates:
        await gate.reached(1)
    nest.pool.max_concurrency = 1
    assert counts(nest.pool) == {"running": 6, "queued": 4, "waiting": 0}
    for gate in gates[:2]:
        gate.open()
    await asyncio.gather(*jobs[:2])
    await turns(10)
    assert counts(nest.pool) == {"running": 2, "queued": 4, "waiting": 0}
    nest.peak = 0
    gates[2].open()
    await asyncio.gather(*jobs, *later)
    assert nest.peak == 1
    nest.at_rest()


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_a_job_may_change_the_limit_while_its_ancestors_have_lent_their_slots(limit: int) -> None:
    nest = Nest(2, 1)

    async def level(below: int) -> int:
        await nest.step()
        nest.pool.max_concurrency = limit if below % 2 == 0 else 2
        found = 0
        if below:
            (found,) = await nest.pool.batch_run([level(below - 1)])
            await nest.step()
        return found + 1

    assert await asyncio.gather(*[nest.pool.run(level(6)) for _ in range(3)]) == [7] * 3
    assert nest.peak <= max(2, limit)
    nest.at_rest()


@pytest.mark.parametrize("order", ["before", "after"])
async def test_a_job_that_loses_its_slot_to_a_lowered_limit_is_lent_another(order: str) -> None:
    """It has not begun, and somebody waits for it already."""
    nest = Nest(2, 9)

    async def lowers() -> None:
        nest.pool.max_concurrency = 1

    jobs = [parent_of(nest, nest.leaf("child")), lowers()]
    if order == "before":
        jobs.reverse()
    started = [nest.pool.submit_nowait(job) for job in jobs]
    await asyncio.gather(*started)
    assert nest.peak == 1
    nest.at_rest()


async def test_a_job_that_loses_its_slot_while_its_submitter_waits_for_it_is_lent_another() -> None:
    nest = Nest(2, 5)

    async def parent() -> Any:
        return await (await nest.pool.submit(nest.leaf("child")))

    async def lowers() -> None:
        nest.pool.max_concurrency = 1

    job = nest.pool.submit_nowait(parent())
    nest.pool.max_concurrency = 3
    await asyncio.gather(
        job, nest.pool.submit_nowait(lowers())
    )  # both begin in one pass, and the child has yet to
    assert job.result() == "child" and nest.peak == 1
    nest.at_rest()


@pytest.mark.parametrize("queue", [1, 3, 0])
async def test_the_queue_may_be_resized_while_slots_are_lent(queue: int) -> None:
    nest, gate = Nest(1, 2), Gate()
    log: List[Any] = []
    job = nest.pool.submit_nowait(parent_of(nest, nest.held(gate, "child")))
    queued = [nest.pool.submit_nowait(append(log, i)) for i in range(2)]
    await gate.reached(1)
    await turns(5)
    producers = await park(nest.pool, *[append(log, i) for i in range(2, 5)])
    nest.pool.max_queue_size = queue
    await turns(3)
    places = 5 if queue == 0 else max(2, queue)
    assert counts(nest.pool) == {"running": 2, "queued": places, "waiting": 5 - places}
    gate.open()
    assert await job == ["child"]
    await asyncio.gather(*queued, *await asyncio.gather(*producers))
    assert log == list(range(5)) and nest.peak == 1
    nest.at_rest()


async def test_nested_work_goes_ahead_of_producers_outside_who_keep_their_order() -> None:
    nest, gate = Nest(1, 1), Gate()
    log: List[Any] = []

    async def parent() -> None:
        await nest.held(gate)
        for i in range(3):
            await nest.pool.run(append(log, ("run", i)))
            await (await nest.pool.submit(append(log, ("submit", i))))
        await nest.pool.batch_run(append(log, ("batch", i)) for i in range(3))
        log.append("parent")

    jobs = [nest.pool.submit_nowait(parent()), nest.pool.submit_nowait(append(log, 0))]
    await gate.reached(1)
    producers = await park(nest.pool, *[append(log, i) for i in range(1, 6)])
    gate.open()
    await asyncio.gather(*jobs, *await asyncio.gather(*producers))
    nested = [(way, i) for i in range(3) for way in ("run", "submit")] + [("batch", i) for i in range(3)]
    assert log == [*nested, "parent", *range(6)]
    assert nest.peak == 1
    nest.at_rest()


@pytest.mark.parametrize("limit", [1, 2])
async def test_producers_outside_are_not_starved_by_parents_without_end(limit: int) -> None:
    """Each nested family ends: then it is the turn of who has waited longest, and each has its own."""
    nest, stop = Nest(limit, 1), asyncio.Event()
    log: List[Any] = []

    async def families() -> None:
        while not stop.is_set():
            await nest.pool.run(parent_of(nest, nest.leaf(), nest.leaf()))

    busy = [asyncio.ensure_future(families()) for _ in range(4)]
    await turns(10)
    producers = [asyncio.ensure_future(nest.pool.run(append(log, i))) for i in range(8)]
    assert await asyncio.gather(*producers) == list(range(8))
    assert log == list(range(8)) and not stop.is_set()
    stop.set()
    await asyncio.gather(*busy)
    assert nest.peak == limit and accounting(nest.pool).failed == 0
    nest.at_rest()


async def test_a_producer_that_was_cancelled_in_line_leaves_nested_work_alone() -> None:
    nest, gate = Nest(1, 1), Gate()
    log: List[Any] = []
    job = nest.pool.submit_nowait(parent_of(nest, nest.held(gate, "child"), nest.leaf("second")))
    queued = nest.pool.submit_nowait(append(log, 0))
    await gate.reached(1)
    await turns(5)
    first, second = await park(nest.pool, append(log, "never"), append(log, 1))
    first.cancel()
    gate.open()
    assert await job == ["child", "second"]
    await asyncio.gather(queued, await second)
    assert log == [0, 1] and first.cancelled() and nest.peak == 1
    nest.at_rest()
