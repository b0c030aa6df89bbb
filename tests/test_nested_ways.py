"""A job may wait for work of its own pool in whatever way: nothing deadlocks, and the limit holds."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool
from nested import WAYS, Nest, tree_size
from support import accounting, value

pytestmark = pytest.mark.limit(10)
in_every_way = pytest.mark.parametrize("name", list(WAYS))


@in_every_way
@pytest.mark.parametrize("queue", [0, 1, 100])
async def test_with_one_slot_one_job_executes_at_a_time(name: str, queue: int) -> None:
    nest, way = Nest(1, queue), WAYS[name]
    assert await nest.pool.run(nest.tree(way, 2, 3)) == tree_size(2, 3)
    assert await (await nest.pool.submit(nest.tree(way, 2, 3))) == tree_size(2, 3)
    assert nest.peak == 1
    nest.at_rest()


@in_every_way
@pytest.mark.parametrize(("limit", "queue"), [(1, 1), (2, 0), (2, 1), (2, 2), (3, 1)])
async def test_whatever_wakes_a_job_the_limit_holds_and_there_is_no_deadlock(
    name: str, limit: int, queue: int
) -> None:
    nest, way = Nest(limit, queue), WAYS[name]
    found = await nest.pool.batch_run(nest.tree(way, 2, 3) for _ in range(5))
    assert found == [tree_size(2, 3)] * 5
    assert nest.peak == limit
    nest.at_rest()


@in_every_way
async def test_a_deep_and_narrow_tree(name: str) -> None:
    nest, way = Nest(1, 1), WAYS[name]
    assert await nest.pool.run(nest.tree(way, 60, 1)) == 61
    assert nest.peak == 1
    nest.at_rest()


@in_every_way
async def test_results_come_from_the_right_jobs(name: str) -> None:
    nest, way = Nest(1, 1), WAYS[name]

    async def parent(number: int) -> List[Any]:
        await nest.step()
        return await way(nest.pool, [nest.leaf((number, i), i % 3) for i in range(5)])

    found = await nest.pool.batch_run(parent(number) for number in range(3))
    assert found == [[(number, i) for i in range(5)] for number in range(3)]
    nest.at_rest()


@pytest.mark.parametrize("inner", list(WAYS))
@pytest.mark.parametrize("outer", ["submit_and_gather", "gather_of_runs", "map_collected", "a_second_pool"])
async def test_ways_mix(outer: str, inner: str) -> None:
    nest = Nest(1, 1)

    async def parent(number: int) -> List[Any]:
        await nest.step()
        found = await WAYS[inner](nest.pool, [nest.leaf((number, i)) for i in range(3)])
        await nest.step()
        return found

    async def grandparent() -> List[Any]:
        return await WAYS[outer](nest.pool, [parent(number) for number in range(3)])

    assert await nest.pool.run(grandparent()) == [[(number, i) for i in range(3)] for number in range(3)]
    assert nest.peak == 1
    nest.at_rest()


async def test_two_pools_of_one_slot_may_call_each_other_to_any_depth() -> None:
    nests = [Nest(1, 1), Nest(1, 1)]

    async def visit(depth: int) -> int:
        nest = nests[depth % 2]
        await nest.step()
        if depth == 0:
            return 0
        other = nests[(depth - 1) % 2].pool
        found = await asyncio.gather(
            other.run(visit(depth - 1)), other.submit(visit(depth - 1)), return_exceptions=True
        )
        deep: int = await found[1]
        await nest.step()
        assert found[0] == deep
        return 1 + deep

    assert await nests[1].pool.run(visit(5)) == 5
    for nest in nests:
        nest.at_rest()


async def test_a_job_may_be_waited_for_by_two_of_which_one_is_no_job() -> None:
    nest = Nest(1, 1)
    jobs: List[Any] = []

    async def parent() -> Any:
        jobs.append(await nest.pool.submit(nest.leaf("leaf")))
        return await jobs[0]

    job = await nest.pool.submit(parent())
    while not jobs:
        await asyncio.sleep(0)
    assert await asyncio.gather(job, jobs[0]) == ["leaf", "leaf"]
    assert nest.peak == 1
    nest.at_rest()


@pytest.mark.skipif(not hasattr(asyncio, "to_thread"), reason="since 3.9")
async def test_work_that_a_thread_asks_for_is_done() -> None:
    nest, loop = Nest(1, 1), asyncio.get_running_loop()

    def ask() -> Any:
        return asyncio.run_coroutine_threadsafe(nest.pool.run(nest.leaf("leaf")), loop).result()

    async def parent() -> Any:
        return await asyncio.to_thread(ask)

    assert await nest.pool.run(parent()) == "leaf"
    nest.at_rest()


async def test_what_nobody_waits_for_is_done_after_its_parent() -> None:
    nest = Nest(1, 1)
    log: List[Any] = []

    async def child(i: int) -> None:
        await nest.step()
        log.append(i)

    async def parent() -> None:
        await nest.step()
        await nest.pool.submit(child(0))
        await nest.step(5)
        log.append("parent")

    await nest.pool.run(parent())
    await nest.pool.join()
    assert log == ["parent", 0] and nest.peak == 1
    nest.at_rest()


async def test_a_pool_is_used_as_before_by_what_is_no_job() -> None:
    nest, way = Nest(2, 2), WAYS["submit_and_gather"]
    for way_of in WAYS.values():
        assert await way_of(nest.pool, [value(i) for i in range(5)]) == list(range(5))
    assert await way(nest.pool, [nest.tree(way, 2, 2) for _ in range(3)]) == [tree_size(2, 2)] * 3
    assert nest.peak == 2
    nest.at_rest()


async def test_every_pool_of_a_chain_lends() -> None:
    pools = [NbAioPool(1, 1) for _ in range(4)]

    async def visit(at: int, rounds: int) -> int:
        accounting(pools[at])
        if rounds == 0:
            return 1
        following = (at + 1) % len(pools)
        found = await pools[following].batch_run(visit(following, rounds - 1) for _ in range(2))
        return 1 + sum(found)

    assert await pools[0].run(visit(0, 7)) == 2**8 - 1
    assert all(pool.running == pool.queued == pool.waiting == 0 for pool in pools)
