"""The garbage collector at every allocation, and pools in cycles with jobs that lend and borrow."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.limit(90)
def test_nested_work_and_maps_with_a_collection_at_every_allocation(script: Any) -> None:
    script(
        """
        import asyncio, gc, random
        from nb_aiopool import NbAioPool

        async def leaf(i):
            gc.collect(0)
            await asyncio.sleep(0)
            return i

        async def nested(pool, depth):
            if depth == 0:
                return await leaf(1)
            if depth % 4 == 0:
                return 1 + await pool.run(nested(pool, depth - 1))
            if depth % 4 == 1:
                return 1 + await (await pool.submit(nested(pool, depth - 1)))
            if depth % 4 == 2:
                return sum(await pool.batch_run([nested(pool, depth - 1), leaf(2)]))
            return sum(await pool.map(lambda d: nested(pool, d), [depth - 1, 0]).collect())

        async def main():
            pool, results = NbAioPool(2, 4), set()
            for _ in range(6):
                results.update(await asyncio.gather(*[pool.run(nested(pool, 7)) for _ in range(5)]))
                tasks = [asyncio.ensure_future(pool.run(nested(pool, 7))) for _ in range(5)]
                for _ in range(random.randrange(20)):
                    await asyncio.sleep(0)
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
            assert len(results) == 1, results
            await pool.shutdown()
            stats = pool.stats()
            assert stats.submitted == stats.succeeded + stats.failed + stats.cancelled, stats

        random.seed(1)
        gc.set_threshold(1)
        asyncio.run(main())
        """,
        timeout=80,
    )


@pytest.mark.parametrize("how", ["held", "lender", "gatherer", "runner"])
def test_a_pool_in_a_cycle_with_lenders_and_borrowers_is_collected(how: str, script: Any) -> None:
    script(
        """
        import asyncio, gc, sys, weakref
        from nb_aiopool import NbAioPool

        class Pool(NbAioPool):
            pass

        closed = []

        async def held(pool, cell, depth=0):
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                closed.append("held")

        async def lender(pool, cell, depth=2):
            if depth == 0:
                return await held(pool, cell)
            try:
                await (await pool.submit(lender(pool, cell, depth - 1)))
            finally:
                closed.append("lender")

        async def gatherer(pool, cell, depth=2):
            if depth == 0:
                return await held(pool, cell)
            try:
                await asyncio.gather(*[await pool.submit(gatherer(pool, cell, depth - 1)) for _ in range(2)])
            finally:
                closed.append("gatherer")

        async def runner(pool, cell, depth=2):
            if depth == 0:
                return await held(pool, cell)
            try:
                await pool.run(runner(pool, cell, depth - 1))
            finally:
                closed.append("runner")

        async def main():
            for _ in range(3):
                pool, cell = Pool(2, 8), []
                cell += [pool.submit_nowait(globals()[sys.argv[1]](pool, cell)) for _ in range(3)]
                cell.append(pool)
                for _ in range(12):
                    await asyncio.sleep(0)
                seen = [weakref.ref(thing) for thing in cell]
                closed.clear()
                del pool, cell
                for _ in range(3):
                    gc.collect()
                    await asyncio.sleep(0)
                assert [ref() for ref in seen] == [None] * 4
                assert len(closed) >= 2, closed

        asyncio.run(main())
        """,
        how,
    )
