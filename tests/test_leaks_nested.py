"""Nothing is leaked by nested work: after 100,000 jobs in each way there is no more than after the first of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

# A tree has 1111 jobs. Two rounds or more show whether each leaves more than the one before, and ten whether the
# process grows: that makes 150,000 jobs. Those that wait through tasks are slower, and fewer.
SCRIPT = """
    import asyncio, sys
    sys.path.insert(0, sys.argv[1])
    from leak_check import check_rounds, resident, run
    from nb_aiopool import NbAioPool
    from nested import WAYS

    way, limits = WAYS[sys.argv[2]], (int(sys.argv[3]), int(sys.argv[4]))
    TREES, FAN_OUT, DEPTH, ROUNDS = int(sys.argv[6]), 10, 3, 10
    SIZE = sum(FAN_OUT**level for level in range(DEPTH + 1))
    END = sys.argv[5]

    async def node(pool, depth):
        await asyncio.sleep(0)
        if depth == 0:
            return 1
        count = 1 + sum(await way(pool, [node(pool, depth - 1) for _ in range(FAN_OUT)]))
        if END == "raise" and depth == DEPTH:
            raise LookupError(count)
        if END == "cancel" and depth == DEPTH:
            raise asyncio.CancelledError(count)
        return count

    async def grow_trees():
        pool = NbAioPool(*limits)
        for _ in range(TREES):
            job = await pool.submit(node(pool, DEPTH))
            await asyncio.wait([job])
            assert (END == "return") == (not job.cancelled() and job.exception() is None)
            assert END != "return" or job.result() == SIZE
        await pool.join()
        stats = pool.stats()
        assert stats.submitted >= TREES * SIZE == stats.succeeded + stats.failed + stats.cancelled, stats

    def once():
        run(grow_trees())

    check_rounds(once, TREES * SIZE)
    before = resident()
    for _ in range(ROUNDS):
        once()
    grown = resident() - before
    assert grown < 2e6, grown
"""


@pytest.mark.limit(60)
@pytest.mark.parametrize(
    ("way", "limits", "end", "trees"),
    [
        ("submit_and_await", "1 1", "return", 9),
        ("submit_and_gather", "2 2", "return", 9),
        ("submit_and_await", "2 2", "raise", 9),
        ("run_each", "1 1", "return", 9),
        ("batch_run", "1 1", "cancel", 9),
        ("gather_of_runs", "2 2", "cancel", 1),
        ("map_iterated", "1 1", "raise", 1),
        ("map_unordered", "2 2", "return", 1),
    ],
)
def test_a_hundred_thousand_nested_jobs_leave_nothing(
    way: str, limits: str, end: str, trees: int, script: Any
) -> None:
    script(SCRIPT, str(Path(__file__).parent), way, *limits.split(), end, str(trees), timeout=50)


@pytest.mark.limit(60)
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="too slow")
@pytest.mark.parametrize("cancelled", ["parent", "child"])
def test_thousands_of_cancelled_parents_and_children_leave_nothing(cancelled: str, script: Any) -> None:
    """Slots are lent when it happens; each round cancels 4000 jobs that wait for another, or that other."""
    script(
        """
        import asyncio, sys
        sys.path.insert(0, sys.argv[1])
        from leak_check import N, check
        from nb_aiopool import NbAioPool

        async def child(jobs, begun):
            jobs.append(asyncio.current_task())
            begun.set_result(None)
            await asyncio.get_running_loop().create_future()

        async def parent(pool, jobs, begun):
            jobs.append(asyncio.current_task())
            await (await pool.submit(child(jobs, begun)))

        async def main():
            pool = NbAioPool(1, 1)
            for _ in range(N):
                jobs, begun = [], asyncio.get_running_loop().create_future()
                await pool.submit(parent(pool, jobs, begun))
                await begun
                jobs[CANCELLED].cancel()
                await pool.join()
                assert [job.cancelled() for job in jobs] == [True, True]
            assert pool.stats() == (2 * N, 0, 0, 2 * N, 0, 0)

        check(main)
        """.replace("CANCELLED", str(int(cancelled == "child"))),
        str(Path(__file__).parent),
        timeout=50,
    )
