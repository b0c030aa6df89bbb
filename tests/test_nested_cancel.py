"""Cancellations, timeouts and exceptions of jobs that wait for work of their pool, and of that work."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List

import pytest

from nested import Nest
from support import Gate, accounting, append, counts, is_closed, outcome, turns, value

if TYPE_CHECKING:
    from nb_aiopool import NbAioPool

pytestmark = pytest.mark.limit(10)

# How a parent may wait for one child that is cancelled together with it.
WAITS: Dict[str, Callable[[NbAioPool, Any], Any]] = {}


def wait(function: Callable[[NbAioPool, Any], Any]) -> Callable[[NbAioPool, Any], Any]:
    WAITS[function.__name__] = function
    return function


@wait
async def submit(pool: NbAioPool, coro: Any) -> Any:
    return await (await pool.submit(coro))


@wait
async def gather(pool: NbAioPool, coro: Any) -> Any:
    return (await asyncio.gather(await pool.submit(coro)))[0]


@wait
async def run(pool: NbAioPool, coro: Any) -> Any:
    return await pool.run(coro)


@wait
async def batch_run(pool: NbAioPool, coro: Any) -> Any:
    return (await pool.batch_run([coro]))[0]


@wait
async def task(pool: NbAioPool, coro: Any) -> Any:
    return await asyncio.ensure_future(pool.run(coro))


@wait
async def wait_for(pool: NbAioPool, coro: Any) -> Any:
    return await asyncio.wait_for(pool.run(coro), 3600)


@wait
async def mapped(pool: NbAioPool, coro: Any) -> Any:
    async def itself(one: Any) -> Any:
        return await one

    results = pool.map(itself, [coro])
    try:
        return (await results.collect())[0]
    finally:
        await results.aclose()


in_each_way = pytest.mark.parametrize("name", list(WAITS))


async def chain(nest: Nest, name: str, depth: int, gate: Gate) -> Any:
    """A job that waits for a job that waits ... for one that waits at the gate."""
    await nest.step()
    if depth == 0:
        return await nest.held(gate, "deepest")
    return await WAITS[name](nest.pool, chain(nest, name, depth - 1, gate))


@in_each_way
@pytest.mark.parametrize("depth", [1, 5])
async def test_cancelling_a_parent_cancels_what_it_waits_for(name: str, depth: int) -> None:
    nest, gate = Nest(1, 1), Gate()
    job = nest.pool.submit_nowait(chain(nest, name, depth, gate))
    await gate.reached(1)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert job.cancelled() and nest.peak == 1
    await nest.pool.join()
    assert accounting(nest.pool).cancelled == depth + 1
    nest.at_rest()


@in_each_way
async def test_cancelling_the_caller_of_run_cancels_all_of_it(name: str) -> None:
    nest, gate = Nest(1, 1), Gate()
    caller = asyncio.ensure_future(nest.pool.run(chain(nest, name, 3, gate)))
    await gate.reached(1)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await nest.pool.join()
    assert accounting(nest.pool).cancelled == 4 and nest.peak == 1
    nest.at_rest()


@in_each_way
async def test_a_parent_may_survive_the_cancellation_of_its_child(name: str) -> None:
    nest = Nest(1, 1)

    async def parent() -> Any:
        with pytest.raises(asyncio.CancelledError):
            await WAITS[name](nest.pool, nest.fails(asyncio.CancelledError()))
        await nest.step()
        return await WAITS[name](nest.pool, nest.leaf("second"))

    assert await nest.pool.run(parent()) == "second"
    assert nest.peak == 1 and accounting(nest.pool).cancelled == 1
    nest.at_rest()


@in_each_way
async def test_an_exception_of_a_child_reaches_its_parent(name: str) -> None:
    nest, error = Nest(1, 1), LookupError("mine")

    async def parent(depth: int) -> Any:
        await nest.step()
        if depth == 0:
            raise error
        return await WAITS[name](nest.pool, parent(depth - 1))

    with pytest.raises(LookupError) as caught:
        await nest.pool.run(parent(4))
    assert caught.value is error
    assert accounting(nest.pool) == (5, 0, 5, 0, 0, 0) and nest.peak == 1
    nest.at_rest()


@in_each_way
async def test_a_child_that_refuses_to_be_cancelled(name: str) -> None:
    nest, gate, cleanup = Nest(1, 1), Gate(), Gate()

    async def stubborn() -> Any:
        try:
            await nest.held(gate)
        except asyncio.CancelledError:
            await nest.held(cleanup)
        return "stubborn"

    async def parent() -> Any:
        await nest.step()
        found = await WAITS[name](nest.pool, stubborn())
        await nest.step()
        return found

    job = nest.pool.submit_nowait(parent())
    await gate.reached(1)
    job.cancel()
    await cleanup.reached(1)
    cleanup.open()
    await asyncio.wait([job])
    await nest.pool.join()
    assert nest.peak == 1
    stats = accounting(nest.pool)
    assert stats.succeeded + stats.cancelled == 2 and stats.failed == 0
    nest.at_rest()


@pytest.mark.parametrize("order", ["parent first", "child first"])
async def test_both_are_cancelled_at_once(order: str) -> None:
    nest, gate = Nest(1, 3), Gate()
    children: List[Any] = []

    async def parent() -> None:
        children.append(await nest.pool.submit(nest.held(gate)))
        await children[0]

    jobs = [nest.pool.submit_nowait(parent())]
    other = nest.pool.submit_nowait(nest.leaf("other"))
    await gate.reached(1)
    jobs += children
    for job in jobs if order == "parent first" else jobs[::-1]:
        job.cancel()
    assert await other == "other"
    assert all(job.cancelled() for job in jobs)
    assert accounting(nest.pool) == (3, 1, 0, 2, 0, 0) and nest.peak == 1
    nest.at_rest()


async def test_one_of_several_lent_children_is_cancelled() -> None:
    nest, gate = Nest(1, 5), Gate()
    children: List[Any] = []

    async def parent() -> Any:
        children.extend(nest.pool.submit_nowait(nest.held(gate, i)) for i in range(4))
        return await asyncio.gather(*children, return_exceptions=True)

    job = nest.pool.submit_nowait(parent())
    await gate.reached(1)
    children[0].cancel()  # it runs
    children[2].cancel()  # it is queued
    await gate.reached(2)
    gate.open()
    found = await job
    assert found[1::2] == [1, 3]
    assert all(isinstance(one, asyncio.CancelledError) for one in found[::2])
    assert accounting(nest.pool) == (5, 3, 0, 2, 0, 0) and nest.peak == 1
    nest.at_rest()


@pytest.mark.parametrize("keeps", [False, True])
async def test_a_timeout_of_a_parent(keeps: bool) -> None:
    """wait_for cancels the child and waits for it: the parent has its slot back; shielded, the child goes on."""
    nest, gate = Nest(1, 1), Gate()

    async def parent() -> Any:
        child = await nest.pool.submit(nest.held(gate, "child"))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(child) if keeps else child, 0.01)
        await nest.step(2)
        return child

    child = await nest.pool.run(parent())
    assert counts(nest.pool) == {"running": int(keeps), "queued": 0, "waiting": 0}
    gate.open()
    await asyncio.wait([child])
    assert outcome(child) == (("result", "child") if keeps else ("cancelled", None))
    assert nest.peak == (2 if keeps else 1)
    nest.at_rest()


@pytest.mark.skipif(not hasattr(asyncio, "timeout"), reason="since 3.11")
@in_each_way
async def test_a_timeout_block_around_nested_work(name: str) -> None:
    nest, gate, limits = Nest(1, 1), Gate(), []

    async def parent() -> Any:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as limit:
                limits.append(limit)
                await chain_below(nest, name, gate)
        await nest.step(2)
        return await WAITS[name](nest.pool, nest.leaf("second"))

    caller = asyncio.ensure_future(nest.pool.run(parent()))
    await gate.reached(1)  # all of the chain has begun
    limits[0].reschedule(asyncio.get_running_loop().time())
    assert await caller == "second"
    assert accounting(nest.pool).cancelled == 3 and nest.peak == 1
    nest.at_rest()


async def chain_below(nest: Nest, name: str, gate: Gate) -> Any:
    return await WAITS[name](nest.pool, chain(nest, name, 2, gate))


async def submitter_that_waits(nest: Nest, gate: Gate) -> Any:
    """A job that has submitted to a full pool, and waits for a slot to go on; what it submitted is at the gate."""
    coro = nest.held(gate, "child")

    async def parent() -> Any:
        await nest.step()
        return await nest.pool.submit(coro)

    job = nest.pool.submit_nowait(parent())
    queued = nest.pool.submit_nowait(nest.leaf("queued"))
    return job, queued, coro


async def test_the_job_of_a_cancelled_submitter_is_cancelled_if_it_has_begun() -> None:
    nest, gate = Nest(1, 1), Gate()
    job, queued, coro = await submitter_that_waits(nest, gate)
    await gate.reached(1)
    assert accounting(nest.pool) == (3, 0, 0, 0, 1, 2)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert await queued == "queued"
    assert accounting(nest.pool) == (3, 1, 0, 2, 0, 0) and nest.peak == 1 and is_closed(coro)
    nest.at_rest()


@pytest.mark.parametrize("survives", [False, True])
async def test_a_cancelled_submitter_whose_job_has_not_begun_has_submitted_nothing(survives: bool) -> None:
    nest, stop = Nest(4, 1), asyncio.Event()
    coro = value("never")

    async def gives_way() -> None:
        while not stop.is_set():
            await nest.step()

    async def parent() -> Any:
        await nest.step(5)
        others = [nest.pool.submit_nowait(nest.leaf("first")), nest.pool.submit_nowait(nest.leaf("queued"))]
        time.sleep(0.002)  # noqa: ASYNC251  # the pass starts one more job, and this one submits behind it
        jobs[-1].cancel()
        try:
            await nest.pool.submit(coro)
        except asyncio.CancelledError:
            assert is_closed(coro)
            if not survives:
                raise
            await nest.step(3)
        finally:
            stop.set()
        return await asyncio.gather(*others)

    jobs = [nest.pool.submit_nowait(job) for job in (gives_way(), gives_way(), parent())]
    await asyncio.wait(jobs)
    await nest.pool.join()
    assert outcome(jobs[-1]) == (("result", ["first", "queued"]) if survives else ("cancelled", None))
    assert accounting(nest.pool) == (5, 4 + survives, 0, 1 - survives, 0, 0) and nest.peak <= 4
    nest.at_rest()


@pytest.mark.parametrize("end", ["close", "throw"])
async def test_a_submit_that_is_dropped_while_it_waits_for_a_slot_has_submitted_nothing(end: str) -> None:
    nest = Nest(1, 1)
    coro = value("never")

    async def parent() -> Any:
        await nest.step()
        call = nest.pool.submit(coro)
        call.send(None)  # its first step, by hand
        if end == "close":
            call.close()
        else:
            with pytest.raises(LookupError):
                call.throw(LookupError())
        assert is_closed(coro)
        await nest.step(3)
        return await nest.pool.run(nest.leaf("went on"))

    job, queued = nest.pool.submit_nowait(parent()), nest.pool.submit_nowait(nest.leaf("queued"))
    assert await asyncio.gather(job, queued) == ["went on", "queued"]
    assert accounting(nest.pool) == (3, 3, 0, 0, 0, 0) and nest.peak == 1
    nest.at_rest()


async def test_a_queued_grandchild_is_dropped_with_its_waiting_parent() -> None:
    nest, gate = Nest(1, 5), Gate()
    log: List[Any] = []

    async def parent() -> None:
        mine = [nest.pool.submit_nowait(nest.held(gate)), nest.pool.submit_nowait(append(log, "never"))]
        await asyncio.gather(*mine)

    job = nest.pool.submit_nowait(parent())
    await gate.reached(1)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await turns(3)
    assert log == [] and accounting(nest.pool) == (3, 0, 0, 3, 0, 0) and nest.peak == 1
    nest.at_rest()


async def test_a_parent_that_has_failed_leaves_its_other_children_to_go_on() -> None:
    nest, gate = Nest(1, 5), Gate()
    log: List[Any] = []

    async def parent() -> None:
        mine = [nest.pool.submit_nowait(nest.fails(LookupError("first")))]
        mine += [nest.pool.submit_nowait(append(log, i)) for i in range(3)]
        await asyncio.gather(*mine)

    with pytest.raises(LookupError, match="first"):
        await nest.pool.run(parent())
    await nest.pool.join()
    assert log == [0, 1, 2] and not gate.arrived and nest.peak <= 1
    assert accounting(nest.pool) == (5, 3, 2, 0, 0, 0)
    nest.at_rest()


async def test_a_child_is_cancelled_whose_tasks_have_just_called_run() -> None:
    nest = Nest(1, 20)
    leaves = [nest.leaf(i) for i in range(2)]

    async def child() -> None:
        for task in [asyncio.ensure_future(nest.pool.run(leaf)) for leaf in leaves]:
            await task

    async def parent() -> None:
        job = await nest.pool.submit(child())
        gathered = asyncio.gather(job, return_exceptions=True)
        asyncio.get_running_loop().call_soon(job.cancel)
        await gathered

    async def root() -> None:
        await asyncio.shield(asyncio.gather(*[await nest.pool.submit(c) for c in (parent(), nest.leaf())]))

    await nest.pool.run(root())
    await nest.pool.join()
    leaves[0].close()  # its task was cancelled before it began
    assert is_closed(leaves[1]) and nest.peak == 1
    nest.at_rest()
