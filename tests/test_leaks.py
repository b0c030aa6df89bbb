"""Nothing is leaked: tens of thousands of each operation leave as many blocks, objects and references as before.

Each case runs in a process of its own, in rounds: a round that adds nothing is enough, since a leak shows in each of
them, and free lists, caches and the interpreter's own growth only in some.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from typing import Any

import pytest

from nb_aiopool import NbAioPool
from support import Gate, turns, value

COMMON = """
    import asyncio, collections, gc, sys, types, weakref
    from nb_aiopool import NbAioPool, PoolFull, PoolStopped, _core

    N = 4000

    async def value(result=None):
        return result

    async def twice():
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def fails():
        raise LookupError

    async def cancels():
        raise asyncio.CancelledError

    async def held():
        await asyncio.get_running_loop().create_future()

    class Awaitable:
        def __await__(self):
            yield from asyncio.sleep(0).__await__()

    # What has no shape of its own to be seen in a leak: shared objects whose reference count would rise.
    WATCHED = {"None": None, "Job": _core.Job, "Pool": _core.Pool, "NbAioPool": NbAioPool, "value": value,
               "PoolFull": PoolFull, "LookupError": LookupError, "CancelledError": asyncio.CancelledError}

    def measure():
        for _ in range(3):
            gc.collect()
        kinds = collections.Counter(type(thing).__name__ for thing in gc.get_objects())
        counts = {name: sys.getrefcount(thing) for name, thing in WATCHED.items()}
        total = getattr(sys, "gettotalrefcount", lambda: 0)()
        return {"blocks": sys.getallocatedblocks(), "objects": sum(kinds.values()), "total": total, **counts}, kinds

    def grown(before, after):
        # Since 3.12 some shared objects are immortal and their counts are constants.
        allowance = N // 20
        return {name: after[name] - before[name] for name in after if after[name] - before[name] > allowance}

    def run(main):
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda loop, context: None)
        asyncio.set_event_loop(loop)
        try:
            return loop.run_until_complete(main)
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def check_rounds(once):
        once()
        before, kinds = measure()
        for _ in range(4):
            once()
            after, more = measure()
            left = grown(before, after), (more - kinds).most_common(8)
            if not left[0]:
                return
            before, kinds = after, more
        raise AssertionError("each round leaves more: %s" % (left,))

    def check(main):
        check_rounds(lambda: run(main()))
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
OVER_LOOPS = {
    "loops that end early": """
        def check_all():
            def once():
                for i in range(N // 20):
                    pool = NbAioPool(1, 0)
                    async def main():
                        for _ in range(5):
                            pool.submit_nowait(held())
                        await asyncio.sleep(0)
                    asyncio.run(main())
            check_rounds(once)
        check_all()
    """,
    "one pool over many loops": """
        def check_all():
            pool = NbAioPool(1, 0)
            async def main():
                for _ in range(5):
                    pool.submit_nowait(held())
                await asyncio.sleep(0)
            def once():
                for i in range(N // 20):
                    asyncio.run(main())
            check_rounds(once)
        check_all()
    """,
    "loops that are closed with work left": """
        def check_all():
            def once():
                for i in range(N // 20):
                    pool = NbAioPool(1, 0)
                    loop = asyncio.new_event_loop()
                    async def main():
                        for _ in range(5):
                            pool.submit_nowait(held())
                        await asyncio.sleep(0)
                    loop.run_until_complete(main())
                    loop.close()
            check_rounds(once)
        check_all()
    """,
}


def dedented(source: str) -> str:
    return "".join(line[4:] for line in source.splitlines(True))


@pytest.mark.limit(90)
@pytest.mark.parametrize("case", CASES)
def test_nothing_is_left_by_thousands_of_operations(case: str, script: Any) -> None:
    script(COMMON + dedented(CASES[case]) + "\n    check(main)\n", timeout=80)


@pytest.mark.limit(90)
@pytest.mark.parametrize("case", OVER_LOOPS)
def test_nothing_is_left_by_hundreds_of_loops(case: str, script: Any) -> None:
    script(COMMON + dedented(OVER_LOOPS[case]), timeout=80)


class Thing:
    pass


async def holds(thing: Any) -> None:
    assert thing is not None


@pytest.mark.parametrize("end", ["finished", "cancelled while it ran", "failed"])
async def test_an_ended_job_lets_go_of_everything_it_held(end: str) -> None:
    async def ends(thing: Any) -> None:
        if end == "failed":
            raise LookupError
        if end != "finished":
            await asyncio.get_running_loop().create_future()

    pool, thing = NbAioPool(1, 5), Thing()
    seen = weakref.ref(thing)
    job = await pool.submit(ends(thing))
    await asyncio.sleep(0)
    job.cancel()
    del thing
    await asyncio.wait([job])
    if end == "failed":
        job.exception().__traceback__ = None  # that is what keeps the frame, as with any exception
    gc.collect()
    assert seen() is None


async def test_a_dropped_job_lets_go_of_everything_with_its_future() -> None:
    pool, thing = NbAioPool(1, 5), Thing()
    seen = weakref.ref(thing)
    first = await pool.submit(value())
    dropped = await pool.submit(holds(thing))
    del thing
    dropped.cancel()
    await first
    del dropped
    assert seen() is None


async def test_an_idle_pool_goes_as_soon_as_nobody_holds_it() -> None:
    pool = NbAioPool(1, 5)
    seen = weakref.ref(pool)
    await pool.run(value())
    await (await pool.submit(value()))
    await turns(2)
    del pool
    assert seen() is None


async def test_a_pool_that_works_is_kept_by_its_jobs_only() -> None:
    gate, pool = Gate(), NbAioPool(1, 5)
    seen = weakref.ref(pool)
    jobs = [await pool.submit(gate.hold(i)) for i in range(3)]
    del pool
    gc.collect()
    gate.open()
    assert await asyncio.gather(*jobs) == [0, 1, 2]
    del jobs
    await turns(2)
    gc.collect()
    assert seen() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.limit(90)
def test_resident_memory_is_flat_over_half_a_million_jobs(script: Any) -> None:
    """What no Python allocator sees: memory that the native code takes for itself."""
    script(
        """
        import asyncio, resource
        from nb_aiopool import NbAioPool

        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * resource.getpagesize()

        async def value():
            pass

        async def main():
            pool = NbAioPool(100, 1000)
            for _ in range(100_000):
                await pool.submit(value())
            await pool.join()
            before = resident()
            for i in range(400_000):
                await pool.submit(value())
                if i % 4 == 0:
                    await pool.run(value())
            await pool.join()
            grown = resident() - before
            assert grown < 4e6, grown

        asyncio.run(main())
        """,
        timeout=80,
    )
