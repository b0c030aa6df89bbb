"""Large trees of nested work: right results, and memory for no more than the branches that are being worked on."""

from __future__ import annotations

import asyncio
import os
import sysconfig
from typing import Any, Awaitable, Callable, Dict, List

import pytest

from nb_aiopool import NbAioPool
from nested import tree_size
from support import accounting

FAN_OUT = 10
# 11,111 jobs, or 111,111 where that is quick. A loop in debug mode, a sanitizer and Pythons without a GIL (there each
# level of nested runs enters the pool's critical section anew), far slower, get smaller trees.
SLOW = "asan" in os.environ.get("LD_PRELOAD", "") or bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
DEPTHS = {"asyncio": 4, "uvloop": 4, "eager": 4, "debug": 3}
QUICK = ("submit_and_gather", "batch_run", "gather_of_runs", "run_one_by_one")


class Tree:
    """Counts the coroutines that have been made and have not ended, and the jobs that execute."""

    def __init__(self, pool: NbAioPool, way: Callable[[Tree, int, int], Awaitable[List[int]]]) -> None:
        self.pool = pool
        self.way = way
        self.alive = 0
        self.most_alive = 0
        self.inside = 0
        self.peak = 0

    def node(self, depth: int, number: int = 0) -> Any:
        self.alive += 1
        self.most_alive = max(self.most_alive, self.alive)
        return self._work(depth, number)

    async def _work(self, depth: int, number: int) -> int:
        """Return the sum of the numbers of the leaves."""
        await self._step()
        found = number
        if depth > 0:
            found = sum(await self.way(self, depth - 1, number))
            await self._step()
        self.alive -= 1
        return found

    async def _step(self) -> None:
        self.inside += 1
        self.peak = max(self.peak, self.inside)
        await asyncio.sleep(0)
        self.inside -= 1


def numbers(number: int) -> range:
    return range(number * FAN_OUT, (number + 1) * FAN_OUT)


async def submit_and_gather(tree: Tree, depth: int, number: int) -> List[int]:
    jobs = [await tree.pool.submit(tree.node(depth, i)) for i in numbers(number)]
    return list(await asyncio.gather(*jobs))


async def batch_run(tree: Tree, depth: int, number: int) -> List[int]:
    return list(await tree.pool.batch_run(tree.node(depth, i) for i in numbers(number)))


async def gather_of_runs(tree: Tree, depth: int, number: int) -> List[int]:
    return list(await asyncio.gather(*[tree.pool.run(tree.node(depth, i)) for i in numbers(number)]))


async def map_collected(tree: Tree, depth: int, number: int) -> List[int]:
    collected: List[int] = await tree.pool.map(lambda i: tree.node(depth, i), numbers(number)).collect()
    return collected


async def map_iterated(tree: Tree, depth: int, number: int) -> List[int]:
    return [found async for found in tree.pool.map(lambda i: tree.node(depth, i), numbers(number))]


async def run_one_by_one(tree: Tree, depth: int, number: int) -> List[int]:
    return [await tree.pool.run(tree.node(depth, i)) for i in numbers(number)]


async def second_pool(tree: Tree, depth: int, number: int) -> List[int]:
    """Every other level is in another pool."""
    other = NbAioPool(2, 2)

    async def visit(i: int) -> int:
        found: int = await tree.pool.run(tree.node(depth, i))
        return found

    return list(await other.batch_run(visit(i) for i in numbers(number)))


WAYS: Dict[str, Any] = {
    way.__name__: way
    for way in (
        submit_and_gather,
        batch_run,
        gather_of_runs,
        map_collected,
        map_iterated,
        run_one_by_one,
        second_pool,
    )
}


@pytest.mark.parametrize("name", list(WAYS))
@pytest.mark.parametrize("limits", [(2, 2), (1, 1)])
async def test_a_tree_of_up_to_a_hundred_thousand_jobs(name: str, limits: Any, loop_kind: str) -> None:
    depth = 3 if SLOW else DEPTHS[loop_kind]
    if not SLOW and name in QUICK and loop_kind == "asyncio":
        depth = 5
    tree = Tree(NbAioPool(*limits), WAYS[name])
    leaves = FAN_OUT**depth
    assert await (await tree.pool.submit(tree.node(depth))) == leaves * (leaves - 1) // 2
    size = tree_size(depth, FAN_OUT)
    assert accounting(tree.pool) == (size, size, 0, 0, 0, 0)
    assert tree.alive == 0
    # One branch for each slot and each place in the queue, with the siblings of all its jobs.
    assert tree.most_alive <= sum(limits) * (depth * FAN_OUT + 1)
    assert tree.peak <= limits[0]


@pytest.mark.parametrize("name", list(WAYS))
async def test_many_trees_at_once(name: str, loop_kind: str) -> None:
    depth, trees = 1 if SLOW or loop_kind == "debug" else 2, 20
    pool = NbAioPool(3, 4)
    tree = Tree(pool, WAYS[name])
    leaves = FAN_OUT**depth
    found = await pool.batch_run(tree.node(depth, i) for i in range(trees))
    assert sum(found) == leaves * trees * (leaves * trees - 1) // 2
    assert tree.alive == 0 and tree.peak <= 3
    assert tree.most_alive <= 7 * (depth * FAN_OUT + 1)
