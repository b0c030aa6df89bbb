"""Programs that stall other pools for good by a slot, a place or a stop that gets lost; here nothing is lost.

The issue in which each was published is named beside it. The code is not theirs: it does the same with this pool.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool, PoolFull, PoolStopped
from nested import Nest
from support import Gate, accounting, is_closed, turns, value

pytestmark = pytest.mark.limit(10)
with_one_slot_and_two = pytest.mark.parametrize("limit", [1, 2])


@with_one_slot_and_two
async def test_a_producer_alone_fills_slots_queue_and_line(limit: int) -> None:
    """aiojobs #290 and #98: once the pending limit is reached, nothing is ever started again."""
    nest = Nest(limit, 1)
    assert [await (await nest.pool.submit(nest.leaf(i))) for i in range(3)] == [0, 1, 2]
    spawned = [asyncio.ensure_future(nest.pool.submit(nest.leaf(i))) for i in range(200)]
    assert await asyncio.gather(*await asyncio.gather(*spawned)) == list(range(200))
    assert nest.peak == limit
    nest.at_rest()


@with_one_slot_and_two
async def test_a_place_is_not_lost_with_whoever_was_just_given_it(limit: int) -> None:
    """anyio #947 and aiohttp #9670: a waiter is cancelled in the very turn in which it is granted a token."""
    nest, gate = Nest(limit, 0), Gate()
    nest.pool.max_queue_size = 1

    async def parent(i: int) -> Any:
        with nest.busy():
            await gate.wait()
        return await (await nest.pool.submit(nest.leaf(i)))

    held = [await nest.pool.submit(parent(i)) for i in range(limit + 1)]
    await gate.reached(limit)
    coros = [nest.leaf(i) for i in range(6)]
    line = [asyncio.ensure_future(nest.pool.submit(coro)) for coro in coros]
    await turns(2)
    gate.open()
    for waiter in line[:5]:
        waiter.cancel()
        await turns()
    assert await asyncio.gather(*held) == list(range(limit + 1))
    assert await (await line[5]) == 5
    await asyncio.gather(*line, return_exceptions=True)
    await nest.pool.join()
    assert all(is_closed(coro) for coro in coros)
    assert nest.peak == limit
    nest.at_rest()


@with_one_slot_and_two
async def test_a_timeout_while_waiting_for_a_place_hands_it_on(limit: int) -> None:
    """aiohttp #9670 again: everybody after one that has timed out waits for ever."""
    nest, gate = Nest(limit, 1), Gate()
    held = [nest.pool.submit_nowait(nest.held(gate)) for _ in range(limit + 1)]
    late = [asyncio.ensure_future(asyncio.wait_for(nest.pool.run(nest.leaf()), 0.01)) for _ in range(5)]
    patient = [asyncio.ensure_future(nest.pool.run(nest.leaf(i))) for i in range(5)]
    ends = await asyncio.gather(*late, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.TimeoutError] * 5
    gate.open()
    assert await asyncio.gather(*patient) == list(range(5))
    await asyncio.gather(*held)
    assert nest.peak == limit
    nest.at_rest()


@with_one_slot_and_two
async def test_a_pool_is_cancelled_with_tasks_in_its_queue(limit: int) -> None:
    """alitto/pond #61 and #115: stopping waits for ever for tasks and producers that nobody serves any more."""
    nest, gate = Nest(limit, 5), Gate()

    async def parent() -> Any:
        with nest.busy():
            await gate.wait()
        return await (await nest.pool.submit(nest.held(Gate())))

    jobs = [nest.pool.submit_nowait(parent()) for _ in range(limit + 5)]
    line = [asyncio.ensure_future(nest.pool.submit(value())) for _ in range(5)]
    await gate.reached(limit)
    gate.release(1)
    await turns(5)
    await nest.pool.shutdown(cancel=True)
    assert all(job.cancelled() for job in jobs)
    refused = await asyncio.gather(*line, return_exceptions=True)
    assert [type(error) for error in refused] == [PoolStopped] * 5
    assert (nest.inside, nest.pool.running, nest.pool.queued, nest.pool.waiting) == (0, 0, 0, 0)
    accounting(nest.pool)


@with_one_slot_and_two
async def test_a_token_is_not_granted_twice(limit: int) -> None:
    """anyio #1170: between a release and the waiter's next step somebody else takes the same token."""
    nest, gate = Nest(limit, 1), Gate()
    held = [nest.pool.submit_nowait(nest.held(gate)) for _ in range(limit + 1)]
    line = [asyncio.ensure_future(nest.pool.submit(nest.held(gate))) for _ in range(4)]
    snatched: List[Any] = []

    def snatch(_: Any) -> None:
        with contextlib.suppress(PoolFull):
            snatched.append(nest.pool.submit_nowait(nest.held(gate)))

    for job in held:
        job.add_done_callback(snatch)
    await gate.reached(limit)
    gate.open()
    await asyncio.gather(*held)
    await asyncio.gather(*await asyncio.gather(*line))
    await nest.pool.join()
    assert accounting(nest.pool).succeeded == len(held) + len(line) + len(snatched)
    assert nest.peak == limit
    nest.at_rest()


@with_one_slot_and_two
async def test_the_slow_head_of_an_ordered_map_waits_for_those_behind_it(limit: int) -> None:
    """aiostream #89: what comes after the head is not started before the head has ended."""
    pool, behind = NbAioPool(limit + 1, 1), Gate()

    async def job(i: int) -> int:
        if i == 0:
            await behind.reached(limit + 1)
        else:
            await behind.wait()
        return i

    behind.open()
    assert await pool.map(job, range(10)).collect() == list(range(10))
    assert accounting(pool).succeeded == 10
