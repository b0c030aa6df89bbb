"""A job that has lent its slot and is woken: by the work that has the slot, or by anything else."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict, List

import pytest

from nested import Nest
from support import Gate, append, counts, turns, value


async def itself(awaitable: Any) -> Any:
    return await awaitable


FOREIGN: Dict[str, Callable[[Any], Any]] = {
    "await": itself,
    "gather": asyncio.gather,
    "wait": lambda job: asyncio.wait([job]),
    "shield": asyncio.shield,
    "wait_for": lambda job: asyncio.wait_for(job, 3600),
    "task": lambda job: asyncio.ensure_future(itself(job)),
}


async def test_a_job_woken_by_its_borrower_goes_on_with_its_slot() -> None:
    nest, gate = Nest(1, 3), Gate()
    seen: List[Any] = []

    async def parent() -> None:
        for _ in range(3):
            await (await nest.pool.submit(nest.leaf()))
            seen.append((nest.pool.running, nest.pool.queued))
            await nest.step(3)

    job = nest.pool.submit_nowait(parent())
    others = [nest.pool.submit_nowait(nest.held(gate)) for _ in range(2)]
    await job
    assert gate.arrived <= 1
    assert seen == [(1, 2)] * 3 and nest.peak == 1
    gate.open()
    await asyncio.gather(*others)
    nest.at_rest()


async def test_between_jobs_that_it_waits_for_its_slot_goes_to_nobody_else() -> None:
    nest = Nest(1, 10)
    log: List[Any] = []

    async def parent() -> None:
        mine = [nest.pool.submit_nowait(append(log, "mine")) for _ in range(4)]
        for job in mine:
            await asyncio.shield(job)
        await asyncio.gather(*[nest.pool.run(append(log, "mine")) for _ in range(4)])
        log.append("parent")

    job = nest.pool.submit_nowait(parent())
    others = [nest.pool.submit_nowait(append(log, "other")) for _ in range(5)]
    await asyncio.gather(job, *others)
    assert log == ["mine"] * 8 + ["parent"] + ["other"] * 5
    nest.at_rest()


async def test_a_timeout_wakes_the_lender_at_once_and_the_limit_holds_again_when_the_borrower_ends() -> None:
    nest, gate, more = Nest(1, 3), Gate(), Gate()

    async def parent() -> Any:
        child = await nest.pool.submit(nest.held(gate, "child"))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(child), 0.01)
        await nest.held(more)
        return child

    job = nest.pool.submit_nowait(parent())
    await more.reached(1)
    assert (gate.arrived, nest.inside) == (1, 2)
    other = nest.pool.submit_nowait(nest.leaf("other"))
    more.open()
    child = await job
    await turns(10)
    assert not other.done()  # the child has the one slot
    gate.open()
    assert await asyncio.gather(child, other) == ["child", "other"]
    assert nest.peak == 2
    nest.at_rest()


async def test_the_borrower_may_end_first() -> None:
    nest, gate, more = Nest(1, 3), Gate(), Gate()

    async def parent() -> Any:
        child = await nest.pool.submit(nest.held(gate, "child"))
        await asyncio.wait([child], timeout=0.01)
        await nest.held(more)
        return await child

    job = nest.pool.submit_nowait(parent())
    await more.reached(1)
    other = nest.pool.submit_nowait(nest.leaf("other"))
    gate.open()
    await turns(10)
    assert not other.done()  # the parent has the one slot
    more.open()
    assert await asyncio.gather(job, other) == ["child", "other"]
    assert nest.peak == 2
    nest.at_rest()


async def test_an_event_of_its_own_wakes_the_lender_at_once() -> None:
    nest, gate, event = Nest(1, 3), Gate(), asyncio.Event()

    async def parent() -> Any:
        child = await nest.pool.submit(nest.held(gate, "child"))
        own = asyncio.ensure_future(event.wait())
        await asyncio.wait([child, own], return_when=asyncio.FIRST_COMPLETED)
        assert event.is_set() and not child.done()
        await nest.step(3)
        return await child

    job = nest.pool.submit_nowait(parent())
    await gate.reached(1)
    event.set()
    await turns(10)
    assert nest.peak == 2 and not job.done()
    gate.open()
    assert await job == "child"
    nest.at_rest()


async def test_a_cancellation_wakes_the_lender_at_once() -> None:
    nest, gate, cleanup = Nest(1, 3), Gate(), Gate()

    async def parent(child: Any) -> None:
        try:
            await asyncio.shield(child)
        finally:
            await nest.held(cleanup)

    async def start() -> Any:
        return await parent(await nest.pool.submit(nest.held(gate, "child")))

    job = nest.pool.submit_nowait(start())
    await gate.reached(1)
    job.cancel()
    await cleanup.reached(1)
    assert nest.inside == 2
    cleanup.open()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert counts(nest.pool) == {"running": 1, "queued": 0, "waiting": 0}
    other = nest.pool.submit_nowait(nest.leaf("other"))
    await turns(10)
    assert not other.done()
    gate.open()
    assert await other == "other"
    assert nest.peak == 2
    nest.at_rest()


async def test_the_excess_does_not_grow_while_the_borrower_goes_on() -> None:
    """The lender gives up again and again, and each time waits anew for work of its own."""
    nest, gate = Nest(1, 3), Gate()

    async def parent() -> Any:
        child = await nest.pool.submit(nest.held(gate, "child"))
        for _ in range(5):
            await asyncio.wait([child], timeout=0.001)
            await nest.step()
            await nest.pool.run(nest.leaf())
            await (await nest.pool.submit(nest.leaf()))
        gate.open()
        return await child

    assert await nest.pool.run(parent()) == "child"
    assert nest.peak == 2
    nest.at_rest()


async def test_work_that_is_waited_for_from_outside_as_well_is_no_reason_to_deadlock() -> None:
    nest = Nest(1, 5)
    shared: List[Any] = []

    async def first() -> Any:
        shared.append(nest.pool.submit_nowait(nest.leaf("shared")))
        await nest.step(2)
        return await shared[0]

    async def second() -> Any:
        return await shared[0]

    jobs = [nest.pool.submit_nowait(first()), nest.pool.submit_nowait(second())]
    assert await asyncio.gather(*jobs) == ["shared", "shared"]
    assert nest.peak == 1
    nest.at_rest()


async def test_a_job_may_wait_for_one_that_it_did_not_submit() -> None:
    nest = Nest(1, 5)
    jobs: List[Any] = []

    async def waits() -> Any:
        await nest.step()
        return [await job for job in jobs[1:]]

    jobs.append(nest.pool.submit_nowait(waits()))
    jobs += [nest.pool.submit_nowait(nest.leaf(i)) for i in range(3)]
    assert await jobs[0] == [0, 1, 2]
    assert nest.peak == 1
    nest.at_rest()


@pytest.mark.parametrize("name", list(FOREIGN))
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.limit(5)
async def test_a_job_may_wait_in_whatever_way_for_one_that_it_did_not_submit(name: str, nested: bool) -> None:
    nest = Nest(1, 5)
    jobs: List[Any] = []

    async def waits() -> Any:
        await nest.step()
        await FOREIGN[name](jobs[1])
        return jobs[1].result()

    async def start() -> Any:
        jobs.append(nest.pool.submit_nowait(waits()))
        jobs.append(nest.pool.submit_nowait(nest.leaf("sibling")))
        return await jobs[0]

    assert await (nest.pool.run(start()) if nested else start()) == "sibling"
    assert nest.peak == 1
    nest.at_rest()


async def test_siblings_may_wait_for_each_other() -> None:
    nest = Nest(1, 5)

    async def parent() -> Any:
        jobs: List[Any] = []

        async def sibling(i: int) -> int:
            await nest.step()
            below: int = await jobs[i - 1] if i > 0 else 0
            await nest.step()
            return below + i

        jobs += [nest.pool.submit_nowait(sibling(i)) for i in range(4)]
        return await asyncio.gather(*reversed(jobs))

    assert await nest.pool.run(parent()) == [6, 3, 1, 0]
    assert nest.peak == 1
    nest.at_rest()


async def test_a_lender_that_raises_at_once_gives_its_slot_back() -> None:
    nest, gate = Nest(1, 3), Gate()

    async def parent() -> None:
        child = await nest.pool.submit(nest.held(gate, "child"))
        await asyncio.wait_for(asyncio.shield(child), 0.01)

    with pytest.raises(asyncio.TimeoutError):
        await nest.pool.run(parent())
    assert counts(nest.pool) == {"running": 1, "queued": 0, "waiting": 0}
    gate.open()
    assert await nest.pool.run(value("usable")) == "usable"
    assert nest.peak == 1
    nest.at_rest()
