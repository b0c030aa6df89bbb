"""map inside a job of the same pool, and beside other work of it."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, Load, accounting, counts, turns, value

BOTH = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
LIMITS = pytest.mark.parametrize(("concurrency", "queue"), [(1, 1), (1, 0), (2, 1), (3, 10)])
IDLE = {"running": 0, "queued": 0, "waiting": 0}


class Counted:
    """Counts the code of jobs that is between two of its turns: a job that waits for others is not at work."""

    def __init__(self, pool: Any, ordered: bool) -> None:
        self.pool, self.ordered, self.load = pool, ordered, Load()

    async def leaf(self, i: int) -> int:
        return int(await self.load.job(3, i))

    async def node(self, depth: int) -> int:
        """The number of leaves of a tree, each of whose nodes is a job that maps over its children."""
        if depth == 0:
            return await self.leaf(1)
        total = 0
        async for leaves in self.pool.map(self.node, [depth - 1] * 3, ordered=self.ordered):
            total += leaves
        return total


@BOTH
@LIMITS
async def test_a_map_inside_a_job_of_the_same_pool_works_and_keeps_the_limit(
    concurrency: int, queue: int, ordered: bool
) -> None:
    pool = NbAioPool(concurrency, queue)
    counted = Counted(pool, ordered)

    async def outer() -> List[int]:
        return sorted(await pool.map(counted.leaf, range(10), ordered=ordered).collect())

    assert await pool.run(outer()) == list(range(10))
    assert await (await pool.submit(outer())) == list(range(10))
    assert counted.load.peak <= concurrency and counts(pool) == IDLE


@BOTH
@pytest.mark.parametrize("depth", [2, 3])
async def test_maps_inside_of_jobs_of_maps_work_and_keep_the_limit(depth: int, ordered: bool) -> None:
    pool = NbAioPool(1, 1)
    counted = Counted(pool, ordered)
    assert await counted.node(depth) == 3**depth
    assert counted.load.peak == 1 and counts(pool) == IDLE


@BOTH
async def test_an_exception_inside_comes_out_and_leaves_nothing(ordered: bool) -> None:
    pool = NbAioPool(1, 1)

    async def fails(i: int) -> int:
        await turns(2)
        if i == 3:
            raise LookupError(i)
        return i

    async def outer(i: int) -> List[int]:
        return await pool.map(fails, range(9), ordered=ordered).collect()

    with pytest.raises(LookupError, match="3"):
        await pool.map(outer, range(3), ordered=ordered).collect()
    assert counts(pool) == IDLE
    assert accounting(pool).failed >= 1


@BOTH
async def test_cancelling_the_outer_map_ends_the_inner_ones(ordered: bool) -> None:
    pool, gate = NbAioPool(2, 2), Gate()

    async def outer(i: int) -> List[Any]:
        return await pool.map(gate.hold, range(9), ordered=ordered).collect()

    task = asyncio.ensure_future(pool.map(outer, range(5), ordered=ordered).collect())
    await gate.reached(1)
    await turns(10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert counts(pool) == IDLE
    assert await pool.map(value, range(3)).collect() == [0, 1, 2]


@BOTH
async def test_all_calls_may_be_used_side_by_side(ordered: bool) -> None:
    pool, load = NbAioPool(2, 2), Load()

    async def job(i: int) -> int:
        return int(await load.job(1, i))

    mapped, batch, single, futures = await asyncio.gather(
        pool.map(job, range(30), ordered=ordered).collect(),
        pool.batch_run(job(i) for i in range(30)),
        asyncio.gather(*(pool.run(job(i)) for i in range(30))),
        pool.batch_submit([job(i) for i in range(30)]),
    )
    assert sorted(mapped) == batch == list(single) == await asyncio.gather(*futures) == list(range(30))
    assert load.peak == 2 and accounting(pool).succeeded == 120


@BOTH
async def test_the_results_of_a_map_may_be_the_input_of_another(ordered: bool) -> None:
    pool = NbAioPool(1, 1)

    async def add(i: int) -> int:
        await turns(i % 3)
        return i + 1

    results: Any = range(20)
    for _ in range(4):
        results = pool.map(add, results, ordered=ordered)
    assert len(results) == 20
    seen = await results.collect()
    assert sorted(seen) == list(range(4, 24)) and (seen == sorted(seen) or not ordered)


@BOTH
async def test_closing_the_last_of_a_chain_of_maps_closes_all_of_them(ordered: bool) -> None:
    pools, gate = [NbAioPool(2, 2) for _ in range(3)], Gate()
    results: Any = range(100)
    for i, pool in enumerate(pools):
        results = pool.map(gate.hold if i == 2 else value, results, ordered=ordered)
    step = asyncio.ensure_future(results.__anext__())
    await gate.reached(2)
    await turns(20)
    await results.aclose()
    with pytest.raises(StopAsyncIteration):
        await step
    assert [counts(pool) for pool in pools] == [IDLE] * 3


@BOTH
async def test_leaving_the_pool_by_an_exception_in_the_loop_body_leaves_nothing(ordered: bool) -> None:
    with pytest.raises(LookupError):
        async with NbAioPool(2, 2) as pool:
            async for _ in pool.map(value, range(10**6), ordered=ordered):
                raise LookupError
    await turns(5)
    assert counts(pool) == IDLE and accounting(pool).submitted < 20


@BOTH
async def test_a_cancelled_block_ends_the_map_in_it(ordered: bool) -> None:
    pool, gate = NbAioPool(2, 2), Gate()

    async def block() -> None:
        async with pool:
            async for _ in pool.map(gate.hold, range(9), ordered=ordered):
                pytest.fail("nothing ends")

    task = asyncio.ensure_future(block())
    await gate.reached(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert counts(pool) == IDLE


@BOTH
@pytest.mark.parametrize("way", ["submit", "run", "batch_run"])
@pytest.mark.parametrize(("concurrency", "queue"), [(1, 1), (1, 0), (2, 1)])
async def test_a_map_may_be_begun_outside_of_a_job_and_gone_on_with_inside_of_one(
    concurrency: int, queue: int, way: str, ordered: bool
) -> None:
    pool = NbAioPool(concurrency, queue)
    counted = Counted(pool, ordered)
    results = pool.map(counted.leaf, range(20), ordered=ordered)

    async def two() -> List[int]:
        return [await results.__anext__(), await results.__anext__()]

    async def rest() -> List[int]:
        return [result async for result in results]

    found = await two()
    for part in (two, two, rest):
        if way == "run":
            found += await pool.run(part())
        elif way == "submit":
            found += await (await pool.submit(part()))
        else:
            found += (await pool.batch_run([part(), value(0)]))[0]
        if part is two:
            found += await two()  # and outside again
    assert sorted(found) == list(range(20))
    assert counted.load.peak <= concurrency and counts(pool) == IDLE


@BOTH
async def test_jobs_may_take_turns_at_one_map(ordered: bool) -> None:
    pool = NbAioPool(1, 1)
    counted = Counted(pool, ordered)
    results = pool.map(counted.leaf, range(20), ordered=ordered)

    async def one() -> int:
        return await results.__anext__()

    found = [await pool.run(one()) if i % 2 else await (await pool.submit(one())) for i in range(20)]
    assert sorted(found) == list(range(20))
    assert counted.load.peak <= 1
    await results.aclose()
    assert counts(pool) == IDLE
