"""How long things live: what an ended job, an idle pool and a loop that is gone keep alive, which is nothing."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import weakref
from pathlib import Path
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, turns, value

COMMON = """
    import asyncio, sys
    sys.path.insert(0, sys.argv[1])
    from nb_aiopool import NbAioPool
    from leak_check import check_rounds, held

    LOOPS = 200
"""
CASES = {
    "loops that end early": """
        def check_all():
            def once():
                for i in range(LOOPS):
                    pool = NbAioPool(1, 0)
                    async def main():
                        for _ in range(5):
                            pool.submit_nowait(held())
                        await asyncio.sleep(0)
                    asyncio.run(main())
            check_rounds(once, 5 * LOOPS)
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
                for i in range(LOOPS):
                    asyncio.run(main())
            check_rounds(once, 5 * LOOPS)
        check_all()
    """,
    "loops that are closed with work left": """
        def check_all():
            def once():
                for i in range(LOOPS):
                    pool = NbAioPool(1, 0)
                    loop = asyncio.new_event_loop()
                    async def main():
                        for _ in range(5):
                            pool.submit_nowait(held())
                        await asyncio.sleep(0)
                    loop.run_until_complete(main())
                    loop.close()
            check_rounds(once, 5 * LOOPS)
        check_all()
    """,
}


@pytest.mark.limit(90)
@pytest.mark.parametrize("case", CASES)
def test_nothing_is_left_by_hundreds_of_loops(case: str, script: Any) -> None:
    # A case is indented twice in this file, the common part once.
    source = CASES[case].replace("\n    ", "\n")
    script(COMMON + source, str(Path(__file__).parent), timeout=80)


class Thing:
    pass


async def holds(thing: Any) -> None:
    assert thing is not None


async def ends_well(thing: Any) -> None:
    pass


async def fails(thing: Any) -> None:
    raise LookupError


async def goes_on(thing: Any) -> None:
    await asyncio.get_running_loop().create_future()


async def kept_by_ended(start: Callable[[Any], Any], body: Callable[[Any], Any]) -> bool:
    """Whether the future of a job that has ended keeps what the job had as its argument."""
    thing = Thing()
    seen = weakref.ref(thing)
    job = start(body(thing))
    await turns(2)
    job.cancel()
    del thing
    await asyncio.wait([job])
    if not job.cancelled():
        job.exception()
    gc.collect()
    return seen() is not None


@pytest.mark.parametrize("body", [ends_well, fails, goes_on], ids=lambda body: body.__name__)
async def test_an_ended_job_keeps_no_more_than_a_task(body: Any) -> None:
    kept = await kept_by_ended(NbAioPool(1, 5).submit_nowait, body)
    # A job keeps the CancelledError that ended it, with its traceback, as a task does from 3.9 on.
    allowed = await kept_by_ended(asyncio.ensure_future, body) or (
        sys.version_info < (3, 9) and body is goes_on
    )
    assert kept <= allowed
    assert not (kept and body is ends_well)


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


async def test_a_pool_that_nobody_holds_ends_its_jobs_all_the_same() -> None:
    gate, pool = Gate(), NbAioPool(1, 5)
    seen = weakref.ref(pool)
    ended: List[int] = []

    async def job(number: int) -> None:
        await gate.wait()
        ended.append(number)

    for number in range(3):
        await pool.submit(job(number))
    await gate.reached(1)
    del pool
    gc.collect()
    gate.open()
    for _ in range(100):
        await turns()
    assert ended == [0, 1, 2]
    gc.collect()
    assert seen() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer keeps what was freed")
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


@pytest.mark.parametrize("way", ["submit", "run", "batch_submit", "batch_run", "map"])
async def test_the_pool_holds_whoever_stands_in_line(way: str) -> None:
    pool, gate, done = NbAioPool(1, 1), Gate(), []

    async def job() -> None:
        done.append(way)

    async def wait_in_line() -> None:
        if way in ("submit", "run"):
            await getattr(pool, way)(job())
        elif way == "map":
            await pool.map(lambda _: job(), [0]).collect()
        else:
            await getattr(pool, way)([job()])
        done.append("went on")

    await pool.batch_submit([gate.wait(), value(1)])
    task = asyncio.get_running_loop().create_task(wait_in_line())
    while pool.waiting == 0:
        await asyncio.sleep(0)
    seen = weakref.ref(task)
    del task
    gc.collect()
    assert seen() is not None
    gate.open()
    while "went on" not in done:
        await asyncio.sleep(0)
    assert way in done or way.endswith("submit")
    await pool.join()
    assert way in done


async def test_a_call_that_is_dropped_in_a_circle_leaves_the_line() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    await pool.batch_submit([gate.wait(), value(1)])
    for start in (pool.submit, pool.run):
        call: Any = start(value(2))
        call.send(None)
        circle = [call]
        circle.append(circle)
    assert pool.waiting == 2
    del call, circle
    gc.collect()
    assert pool.waiting == 0
    gate.open()
    await pool.join()
    assert pool.stats().submitted == 2
