"""Nothing is leaked: thousands of each operation leave as many blocks, objects and references as before.

Each case runs in a process of its own; what the names in it mean is in leak_check.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

COMMON = """
    import asyncio, gc, sys, weakref
    sys.path.insert(0, sys.argv[1])
    from nb_aiopool import NbAioPool, PoolFull, PoolStopped
    from leak_check import Awaitable, N, cancels, check, fails, held, twice, value
"""

CASES = {
    "submit": """
        async def main():
            pool = NbAioPool(10, 50)
            for i in range(N):
                await pool.submit(value(i))
            await pool.join()
    """,
    "submit of jobs that suspend": """
        async def main():
            async with NbAioPool(10, 50) as pool:
                for i in range(N):
                    await pool.submit(twice())
    """,
    "submit_nowait": """
        async def main():
            pool = NbAioPool(10, 0)
            jobs = [pool.submit_nowait(value(i)) for i in range(N)]
            assert await asyncio.gather(*jobs) == list(range(N))
    """,
    "run": """
        async def main():
            pool = NbAioPool(10, 50)
            for i in range(N):
                assert await pool.run(value(i)) == i
    """,
    "run of jobs that suspend": """
        async def main():
            pool = NbAioPool(2, 3)
            async def caller():
                for i in range(N // 20):
                    await pool.run(twice())
            await asyncio.gather(*(caller() for _ in range(20)))
    """,
    "run with a future": """
        async def main():
            pool = NbAioPool(2, 3)
            loop = asyncio.get_running_loop()
            for i in range(N):
                future = loop.create_future()
                assert await pool.run(value(i), True, future) == i == future.result()
    """,
    "submit with a future that is cancelled": """
        async def main():
            pool = NbAioPool(2, 0)
            loop = asyncio.get_running_loop()
            for i in range(N):
                future = loop.create_future()
                await pool.submit(twice(), True, future)
                future.cancel()
                if i % 10 == 0:
                    await asyncio.sleep(0)
            await pool.join()
    """,
    "batch_submit": """
        async def main():
            pool = NbAioPool(10, 50)
            jobs = await pool.batch_submit(value(i) for i in range(N))
            await asyncio.gather(*jobs)
    """,
    "batch_run": """
        async def main():
            pool = NbAioPool(10, 50)
            for _ in range(N // 100):
                await pool.batch_run([twice() for _ in range(100)])
    """,
    "batches of asynchronous iterables": """
        async def main():
            pool = NbAioPool(10, 50)
            async def drawn():
                for i in range(100):
                    yield value(i)
            for _ in range(N // 100):
                await pool.batch_run(drawn())
    """,
    "jobs that fail": """
        async def main():
            pool = NbAioPool(10, 50)
            for i in range(N):
                try:
                    await pool.run(fails())
                except LookupError:
                    pass
                await pool.submit(fails())
                await pool.submit(cancels())
            await pool.join()
    """,
    "awaitables that are no coroutines": """
        async def main():
            pool = NbAioPool(10, 50)
            for _ in range(N):
                await pool.submit(Awaitable())
                await pool.run(Awaitable())
            await pool.join()
    """,
    "refusals": """
        async def main():
            pool = NbAioPool(1, 1)
            hold = [pool.submit_nowait(held()) for _ in range(2)]
            for _ in range(N):
                for offer in (pool.submit_nowait, lambda coro: pool.submit_nowait(3)):
                    coro = value()
                    try:
                        offer(coro)
                    except (PoolFull, TypeError):
                        coro.close()
                try:
                    await pool.run(value(), block=False)
                except PoolFull:
                    pass
                try:
                    await pool.batch_submit([value(), value()], block=False)
                except PoolFull:
                    pass
            await pool.shutdown(cancel=True)
            for _ in range(N):
                try:
                    await pool.submit(value())
                except PoolStopped:
                    pass
    """,
    "cancellation of queued jobs": """
        async def main():
            pool = NbAioPool(1, 0)
            hold = pool.submit_nowait(held())
            for _ in range(N):
                pool.submit_nowait(twice()).cancel()
            jobs = [pool.submit_nowait(twice()) for _ in range(N)]
            for job in jobs[::2] + jobs[1::2]:
                job.cancel("message")
            hold.cancel()
            await pool.join()
    """,
    "cancellation of running jobs": """
        async def main():
            pool = NbAioPool(50, 50)
            for _ in range(N // 50):
                jobs = [pool.submit_nowait(held()) for _ in range(50)]
                await asyncio.sleep(0)
                for job in jobs:
                    job.cancel()
                await asyncio.wait(jobs)
    """,
    "cancellation of callers and producers": """
        async def main():
            pool = NbAioPool(1, 1)
            hold = [pool.submit_nowait(held()) for _ in range(2)]
            for call in (pool.submit, pool.run):
                for _ in range(N // 20):
                    tasks = [asyncio.ensure_future(call(value())) for _ in range(20)]
                    await asyncio.sleep(0)
                    for task in tasks:
                        task.cancel()
                    await asyncio.wait(tasks)
            await pool.shutdown(cancel=True)
    """,
    "callbacks, names and repr": """
        async def main():
            pool = NbAioPool(10, 0)
            for i in range(N):
                job = pool.submit_nowait(twice())
                job.add_done_callback(lambda job: None)
                job.set_name("name %d" % i)
                repr(job), job.get_stack(), job.get_context(), job.get_coro(), job.cancelling(), repr(pool)
                job.remove_done_callback(print)
            await pool.join()
    """,
    "limits, counts and errors": """
        async def main():
            pool = NbAioPool(10, 10)
            for i in range(N):
                pool.max_concurrency = 300 + i
                pool.max_queue_size = 300 + i
                pool.stats(), pool.running, pool.queued, pool.waiting, pool.closed, pool.max_concurrency
                for limit in (-5000 - i, "x", 1.5, True):
                    try:
                        pool.max_queue_size = limit
                    except (TypeError, ValueError):
                        pass
                await pool.join()
    """,
    "pools": """
        async def main():
            for _ in range(N):
                async with NbAioPool(2, 2) as pool:
                    await pool.submit(value())
    """,
    "pools that are shut down in every way": """
        async def main():
            for how in ({}, {"cancel": True}, {"timeout": 0}, {"wait": False}, {"wait": False, "cancel": True}):
                for _ in range(N // 20):
                    pool = NbAioPool(1, 4)
                    for _ in range(3):
                        pool.submit_nowait(twice())
                    tasks = [asyncio.ensure_future(pool.submit(value())) for _ in range(4)]
                    await asyncio.sleep(0)
                    await pool.shutdown(**how)
                    await asyncio.wait(tasks)
                    del pool, tasks
            await asyncio.sleep(0.01)
    """,
    "contexts": """
        import contextvars
        variable = contextvars.ContextVar("variable")
        class Thing:
            pass
        async def sets():
            variable.set(Thing())
            await asyncio.sleep(0)
            variable.set(Thing())
        async def main():
            pool = NbAioPool(10, 10)
            for _ in range(N):
                variable.set(Thing())
                await pool.submit(sets())
                await pool.run(sets())
            await pool.join()
    """,
    "pools and jobs in cycles": """
        class Thing:
            pass
        async def keeps(thing):
            await asyncio.get_running_loop().create_future()
        async def main():
            gone = []
            for i in range(N // 4):
                thing = Thing()
                thing.pool = NbAioPool(1, 5)
                thing.jobs = [thing.pool.submit_nowait(keeps(thing)) for _ in range(3)]
                thing.jobs[0].add_done_callback(lambda job, thing=thing: None)
                gone.append(weakref.ref(thing))
                await asyncio.sleep(0)
                for job in thing.jobs:
                    job.cancel()
                await thing.pool.join()
            del thing, job
            await asyncio.sleep(0)
            gc.collect()
            assert not [ref for ref in gone if ref() is not None]
    """,
}


@pytest.mark.limit(90)
@pytest.mark.parametrize("case", CASES)
def test_nothing_is_left_by_thousands_of_operations(case: str, script: Any) -> None:
    # A case is indented twice in this file, the common part once.
    source = CASES[case].replace("\n    ", "\n")
    script(COMMON + source + "\n    check(main)\n", str(Path(__file__).parent), timeout=80)
