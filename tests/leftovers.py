"""Programs that leave a pool behind in one state or another; each takes the kind of event loop as its argument."""

from __future__ import annotations

import textwrap

PRELUDE = """
import asyncio, atexit, gc, sys
from nb_aiopool import NbAioPool, PoolError

async def sleeper(text="job"):
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        print(text, "cancelled")
        await asyncio.sleep(0)
        print(text, "cleaned up")
        raise

async def spin():
    while True:
        await asyncio.sleep(0)

async def value(result=None):
    return result

def run(main):
    loop = new_loop()
    try:
        return loop.run_until_complete(main)
    except BaseException:
        main.close()
        raise

def new_loop():
    kind = sys.argv[1]
    if kind == "uvloop":
        import uvloop
        return uvloop.new_event_loop()
    # A loop that nobody closes has to be finalised before its sockets: no collection may come between the two.
    gc.collect()
    loop = asyncio.new_event_loop()
    loop.set_debug(kind == "debug")
    if kind == "eager":
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop
"""

# What is left of a loop that was never closed, nor ended as asyncio.run ends one.
STATES = {
    "never used": "pool = NbAioPool(1, 1)",
    "idle": "pool = NbAioPool(1, 1); run(pool.run(value()))",
    "stopped": "pool = NbAioPool(1, 1); run(pool.shutdown())",
    "running": """
        pool = NbAioPool(2, 2)
        async def main():
            for _ in range(2):
                await pool.submit(sleeper())
            await asyncio.sleep(0.01)
        run(main())
        """,
    "accepted only": """
        pool = NbAioPool(2, 2)
        async def main():
            for _ in range(4):
                pool.submit_nowait(value())
        loop = new_loop()
        loop.call_soon(loop.stop)
        loop.call_soon(lambda: [pool.submit_nowait(value()) for _ in range(4)])
        loop.run_forever()
        """,
    "running and queued": """
        pool = NbAioPool(1, 3)
        jobs = []
        async def main():
            for _ in range(4):
                jobs.append(await pool.submit(sleeper()))
            await asyncio.sleep(0.01)
        run(main())
        """,
    "giving way": """
        pool = NbAioPool(2, 3)
        async def main():
            for _ in range(4):
                await pool.submit(spin())
            await asyncio.sleep(0.01)
        run(main())
        """,
    "failed and unseen": """
        pool = NbAioPool(1, 1)
        async def fail():
            raise ValueError
        async def main():
            job = await pool.submit(fail())
            await asyncio.wait([job])
            job.exception()
        run(main())
        """,
    "cancelled and not told": """
        pool = NbAioPool(1, 1)
        jobs = []
        async def main():
            for _ in range(2):
                jobs.append(await pool.submit(sleeper()))
            await asyncio.sleep(0.01)
            for job in jobs:
                job.cancel()
        loop = new_loop()
        task = loop.create_task(main())
        task.add_done_callback(lambda _: loop.stop())
        loop.run_forever()
        """,
    "closed loop": """
        pool = NbAioPool(1, 3)
        async def main():
            for _ in range(3):
                await pool.submit(sleeper())
            await asyncio.sleep(0.01)
        loop = new_loop()
        loop.run_until_complete(main())
        loop.close()
        """,
    "draining": """
        pool = NbAioPool(1, 3)
        async def main():
            for _ in range(3):
                await pool.submit(sleeper())
            await asyncio.sleep(0.01)
            await pool.shutdown(wait=False, timeout=3600)
        run(main())
        """,
    "in a cycle": """
        pool = NbAioPool(1, 3)
        class Holder: pass
        async def hold(holder):
            await sleeper()
        async def main():
            holder = Holder()
            holder.pool, holder.holder = pool, holder
            holder.jobs = [await pool.submit(hold(holder)) for _ in range(3)]
            await asyncio.sleep(0.01)
        run(main())
        """,
    "only jobs are left": """
        jobs = []
        async def main():
            pool = NbAioPool(1, 3)
            for _ in range(3):
                jobs.append(await pool.submit(sleeper()))
            await asyncio.sleep(0.01)
        run(main())
        del main
        """,
    "many pools": """
        pools = [NbAioPool(1, 2) for _ in range(20)]
        async def main():
            for pool in pools:
                for _ in range(3):
                    await pool.submit(sleeper())
            await asyncio.sleep(0.01)
        run(main())
        """,
    "an iterator half way": """
        pool = NbAioPool(1, 2)
        drawn = []
        def coros():
            while True:
                drawn.append(1)
                yield value()
        async def main():
            task = asyncio.ensure_future(pool.batch_submit(coros()))
            task._log_destroy_pending = False
            await asyncio.sleep(0)
        run(main())
        """,
}


def program(body: str) -> str:
    """The program with this body, which may use what the prelude has."""
    return PRELUDE + textwrap.dedent(body)
