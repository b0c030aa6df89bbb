"""Ten loops in ten threads, each with a pool of its own that does nested work, at the same time."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any, Callable, Iterator, List

import pytest

from nb_aiopool import NbAioPool
from nested import WAYS, Nest, tree_size
from support import accounting
from threads import at_once

THREADS = 10
pytestmark = pytest.mark.limit(60)


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def in_threads(make_main: Callable[[int], Any], new_loop: Callable[[], Any]) -> List[Any]:
    """Run ``make_main(0)``, ``make_main(1)``, ... at the same time, each in a loop; their results."""

    def work(number: int) -> Any:
        loop = new_loop()
        try:
            return loop.run_until_complete(make_main(number))
        finally:
            loop.close()

    return at_once(THREADS, work)


@pytest.mark.parametrize("part", range(3))
def test_trees_in_every_way(part: int, loop_factory: Callable[[], Any]) -> None:
    names = list(WAYS)[part::3]

    async def main(number: int) -> List[Any]:
        found = []
        for name in names[number % len(names) :] + names[: number % len(names)]:
            nest = Nest(1 + number % 2, 1)
            assert await (await nest.pool.submit(nest.tree(WAYS[name], 2, 3))) == tree_size(2, 3)
            found.append(
                (name, await nest.pool.run(WAYS[name](nest.pool, [nest.leaf((number, i)) for i in range(3)])))
            )
            assert nest.peak <= 1 + number % 2, name
            nest.at_rest()
        return found

    for number, found in enumerate(in_threads(main, loop_factory)):
        assert sorted(found) == sorted((name, [(number, i) for i in range(3)]) for name in names)


def test_all_calls_mixed_with_failures_and_cancellations(loop_factory: Callable[[], Any]) -> None:
    async def main(number: int) -> Any:
        nest = Nest(1 + number % 3, number % 4)
        pool = nest.pool

        async def leaf(i: int) -> Any:
            await nest.step()
            if i % 5 == 3:
                raise LookupError((number, i))
            return (number, i)

        async def parent(i: int) -> Any:
            await nest.step()
            job = await pool.submit(leaf(i))
            several = await asyncio.gather(pool.run(leaf(i)), job, return_exceptions=True)
            mapped = await pool.map(leaf, range(i), return_exceptions=True).collect()
            dropped = await pool.submit(nest.leaf())
            dropped.cancel()
            await asyncio.wait([dropped])
            await nest.step()
            return repr([*several, *mapped])

        found = await pool.batch_run(parent(i) for i in range(20))
        nest.at_rest()
        stats = accounting(pool)
        assert stats.failed == sum(2 * (i % 5 == 3) + len(range(3, i, 5)) for i in range(20))
        return found, nest.peak <= pool.max_concurrency

    def expected(number: int, i: int) -> str:
        things = [i, i, *range(i)]
        return repr([LookupError((number, j)) if j % 5 == 3 else (number, j) for j in things])

    for number, found in enumerate(in_threads(main, loop_factory)):
        assert found == ([expected(number, i) for i in range(20)], True)


def test_a_job_that_waits_for_one_of_the_next_thread_and_so_on_round_the_ring(
    loop_factory: Callable[[], Any],
) -> None:
    """The second time round, the only slot of each pool belongs to an ancestor in the same thread."""
    pools, loops = [NbAioPool(1, 1) for _ in range(THREADS)], [None] * THREADS
    known, left = threading.Barrier(THREADS), threading.Barrier(THREADS)

    async def visit(at: int, hops: int) -> int:
        await asyncio.sleep(0)
        if hops == 0:
            return 0
        following = (at + 1) % THREADS
        call = pools[following].run(visit(following, hops - 1))
        told = asyncio.run_coroutine_threadsafe(call, loops[following])  # type: ignore[arg-type]
        return 1 + await asyncio.wrap_future(told)

    async def main(number: int) -> int:
        loop: Any = asyncio.get_running_loop()
        loops[number] = loop
        known.wait()
        hops = await pools[0].run(visit(0, 2 * THREADS)) if number == 0 else 0
        await loop.run_in_executor(None, left.wait)  # until nobody asks this loop for anything
        await pools[number].join()
        accounting(pools[number])
        return hops

    assert in_threads(main, loop_factory)[0] == 2 * THREADS
    assert all((pool.running, pool.queued, pool.waiting) == (0, 0, 0) for pool in pools)
    assert sum(accounting(pool).succeeded for pool in pools) == 2 * THREADS + 1
