"""Whose slot nested work has: it starts in that of the job which waits for it, and the job has it back afterwards."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool, PoolFull
from nested import Nest
from support import Gate, accounting, append, counts, is_closed, outcome, turns, value

IDLE = {"running": 0, "queued": 0, "waiting": 0}


async def test_run_inside_a_job_begins_at_once_in_the_jobs_slot() -> None:
    nest, gate = Nest(1, 1), Gate()
    log: List[Any] = []

    async def parent() -> Any:
        log.append("parent")
        found = await nest.pool.run(child())
        log.append("parent again")
        return found

    async def child() -> Any:
        log.append("child")
        return await nest.held(gate, "child")

    job = nest.pool.submit_nowait(parent())
    (queued,) = [nest.pool.submit_nowait(append(log, "queued"))]
    await gate.reached(1)
    assert log == ["parent", "child"]
    assert counts(nest.pool) == {"running": 2, "queued": 1, "waiting": 0}
    gate.open()
    assert await asyncio.gather(job, queued) == ["child", "queued"]
    assert log == ["parent", "child", "parent again", "queued"]
    assert nest.peak == 1 and counts(nest.pool) == IDLE


async def test_awaiting_a_queued_job_starts_it_in_the_slot_of_the_one_that_waits() -> None:
    nest, gate = Nest(1, 5), Gate()
    log: List[Any] = []

    async def parent() -> Any:
        others = [nest.pool.submit_nowait(append(log, i)) for i in range(3)]
        mine = nest.pool.submit_nowait(nest.held(gate, "mine"))
        with nest.busy():
            await turns(3)
            assert counts(nest.pool) == {"running": 1, "queued": 4, "waiting": 0}
        log.append(await mine)
        return others

    job = nest.pool.submit_nowait(parent())
    await gate.reached(1)
    assert log == []
    assert counts(nest.pool) == {"running": 2, "queued": 3, "waiting": 0}
    gate.open()
    await asyncio.gather(*await job)
    assert log == ["mine", 0, 1, 2]
    assert nest.peak == 1
    nest.at_rest()


async def test_a_gather_starts_its_jobs_in_the_slot_one_after_another() -> None:
    nest, gates = Nest(1, 5), [Gate() for _ in range(4)]

    async def parent() -> Any:
        jobs = [nest.pool.submit_nowait(nest.held(gate, i)) for i, gate in enumerate(gates)]
        return await asyncio.gather(*jobs)

    job = nest.pool.submit_nowait(parent())
    for left in (3, 2, 1, 0):
        await gates[3 - left].reached(1)
        assert counts(nest.pool) == {"running": 2, "queued": left, "waiting": 0}
        assert sum(gate.arrived for gate in gates) == 4 - left
        gates[3 - left].open()
    assert await job == [0, 1, 2, 3]
    assert nest.peak == 1
    nest.at_rest()


async def test_a_gather_also_takes_slots_that_are_free() -> None:
    nest, gate = Nest(3, 5), Gate()

    async def parent() -> Any:
        return await asyncio.gather(*[nest.pool.submit_nowait(nest.held(gate, i)) for i in range(5)])

    job = nest.pool.submit_nowait(parent())
    await gate.reached(3)
    await turns(5)
    assert gate.arrived == 3
    assert counts(nest.pool) == {"running": 4, "queued": 2, "waiting": 0}
    gate.open()
    assert await job == list(range(5))
    assert nest.peak == 3
    nest.at_rest()


async def test_awaiting_a_job_that_runs_already_lends_nothing() -> None:
    nest, gate = Nest(2, 5), Gate()
    log: List[Any] = []

    async def parent() -> Any:
        mine = await nest.pool.submit(nest.held(gate, "mine"))
        with nest.busy():
            await gate.reached(1)
        return await mine

    job = nest.pool.submit_nowait(parent())
    await gate.reached(1)
    other = nest.pool.submit_nowait(append(log, "other"))
    await turns(10)
    assert log == [] and counts(nest.pool) == {"running": 2, "queued": 1, "waiting": 0}
    gate.open()
    assert await asyncio.gather(job, other) == ["mine", "other"]
    assert nest.peak == 2
    nest.at_rest()


async def test_awaiting_what_is_none_of_the_pools_work_lends_nothing() -> None:
    nest, gate = Nest(1, 5), Gate()

    async def parent() -> Any:
        unrelated = nest.pool.submit_nowait(nest.leaf("unrelated"))
        await nest.held(gate)
        return unrelated

    job = nest.pool.submit_nowait(parent())
    await gate.reached(1)
    await turns(20)
    assert counts(nest.pool) == {"running": 1, "queued": 1, "waiting": 0}
    gate.open()
    assert await (await job) == "unrelated"
    assert nest.peak == 1
    nest.at_rest()


async def test_submit_on_a_full_pool_starts_the_job_in_the_submitters_slot() -> None:
    nest, gate = Nest(1, 1), Gate()
    log: List[Any] = []

    async def parent() -> Any:
        await nest.held(gate)
        log.append("submits")
        child = await nest.pool.submit(append(log, "child"))
        log.append("goes on")
        assert child.done()
        await nest.step(3)
        return child

    job, queued = nest.pool.submit_nowait(parent()), nest.pool.submit_nowait(append(log, "queued"))
    gate.open()
    assert await (await job) == "child"
    await queued
    assert log == ["submits", "child", "goes on", "queued"]
    assert nest.peak == 1
    nest.at_rest()


async def test_the_submitter_goes_on_with_the_next_free_slot_ahead_of_the_queue() -> None:
    nest, own, others = Nest(2, 3), Gate(), Gate()
    log: List[Any] = []

    async def parent() -> Any:
        await nest.step()
        child = await nest.pool.submit(nest.held(own, "child"))
        log.append("goes on")
        await nest.step()
        return await child

    jobs = [nest.pool.submit_nowait(nest.held(others)), nest.pool.submit_nowait(parent())]
    jobs += [nest.pool.submit_nowait(append(log, i)) for i in range(3)]
    await own.reached(1)
    await turns(5)
    assert log == [] and counts(nest.pool) == {"running": 3, "queued": 3, "waiting": 0}
    others.open()
    await jobs[0]
    await turns(5)
    assert log[0] == "goes on" and not own.is_open
    own.open()
    assert (await asyncio.gather(*jobs))[1] == "child"
    assert log == ["goes on", 0, 1, 2]
    assert nest.peak == 2
    nest.at_rest()


async def test_what_does_not_wait_is_still_refused_by_a_full_pool() -> None:
    nest = Nest(1, 1)

    async def parent() -> Any:
        await nest.step()
        queued = nest.pool.submit_nowait(nest.leaf("queued"))
        refused = [value(i) for i in range(4)]
        with pytest.raises(PoolFull):
            nest.pool.submit_nowait(refused[0])
        with pytest.raises(PoolFull):
            await nest.pool.submit(refused[1], block=False)
        with pytest.raises(PoolFull):
            await nest.pool.batch_submit(refused[2:], block=False)
        assert all(is_closed(coro) for coro in refused)
        return await queued, await nest.pool.run(nest.leaf("run"), block=False)

    assert await nest.pool.run(parent()) == ("queued", "run")
    assert nest.peak == 1
    nest.at_rest()


async def test_batch_run_without_blocking_inside_a_job() -> None:
    nest = Nest(1, 2)

    async def parent() -> Any:
        with pytest.raises(PoolFull):
            await nest.pool.batch_run([value(i) for i in range(3)], block=False)
        return await nest.pool.batch_run([nest.leaf(i) for i in range(2)], block=False)

    assert await nest.pool.run(parent()) == [0, 1]
    assert nest.peak == 1
    nest.at_rest()


@pytest.mark.parametrize("depth", [1, 2, 7])
async def test_running_counts_lenders_and_what_they_lent_to(depth: int) -> None:
    nest, gate = Nest(1, 1), Gate()

    async def level(below: int) -> Any:
        await nest.step()
        if below == 0:
            return await nest.held(gate, "deepest")
        return await (await nest.pool.submit(level(below - 1)))

    job = nest.pool.submit_nowait(level(depth))
    await gate.reached(1)
    assert counts(nest.pool) == {"running": depth + 1, "queued": 0, "waiting": 0}
    assert accounting(nest.pool) == (depth + 1, 0, 0, 0, 0, depth + 1)
    gate.open()
    assert await job == "deepest"
    assert accounting(nest.pool) == (depth + 1, depth + 1, 0, 0, 0, 0)
    assert nest.peak == 1
    nest.at_rest()


async def own_future(nest: Nest, wrap: Any) -> Any:
    """What a job gets that awaits its own future, wrapped or not."""
    jobs: List[Any] = []

    async def work() -> Any:
        await nest.step()
        return await wrap(jobs[0])

    jobs.append(nest.pool.submit_nowait(work()))
    await asyncio.wait([jobs[0]], timeout=5)
    return outcome(jobs[0])


async def test_a_job_that_awaits_its_own_future_gets_an_error() -> None:
    nest = Nest(1, 1)
    kind, error = await own_future(nest, lambda job: job)
    assert kind == "exception" and type(error) is RuntimeError and "itself" in str(error)
    assert await nest.pool.run(value("usable")) == "usable"
    nest.at_rest()


async def test_a_job_that_has_got_that_error_may_go_on() -> None:
    nest = Nest(1, 1)

    async def survive(job: Any) -> Any:
        with pytest.raises(RuntimeError):
            await job
        return await nest.pool.run(nest.leaf("went on"))

    assert await own_future(nest, survive) == ("result", "went on")
    assert nest.peak == 1
    nest.at_rest()


async def test_a_job_may_await_one_that_has_ended_or_belongs_to_another_pool() -> None:
    nest, other = Nest(1, 1), NbAioPool(1, 1)

    async def parent() -> Any:
        child = await nest.pool.submit(nest.leaf("child"))
        first, again = await child, await child
        return first, again, await (await other.submit(value("other")))

    assert await nest.pool.run(parent()) == ("child", "child", "other")
    assert nest.peak == 1
    nest.at_rest()


async def test_a_job_that_submits_without_end_keeps_neither_loop_nor_queue_waiting() -> None:
    nest, stop = Nest(1, 1), asyncio.Event()
    log: List[Any] = []

    async def parent() -> None:
        while not stop.is_set():
            await nest.pool.submit(nest.leaf(n=0))

    job = nest.pool.submit_nowait(parent())
    asyncio.get_running_loop().call_later(0.02, stop.set)
    await job
    other = await nest.pool.submit(append(log, "other"))
    await other
    await nest.pool.join()
    assert log == ["other"] and nest.peak == 1
    nest.at_rest()
