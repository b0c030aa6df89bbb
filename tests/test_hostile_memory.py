"""Each allocation fails in turn: no crash, books that balance, and a pool that goes on or a loop that was told."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

pytest.importorskip("_testcapi")
pytestmark = [
    pytest.mark.skipif(
        "asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer has an allocator of its own"
    ),
    pytest.mark.skipif(
        sys.version_info[:2] != (3, 11),
        reason="asyncio and the interpreter do not survive it in every version",
    ),
]

PROGRAM = """
import asyncio, gc, sys, warnings
from _testcapi import remove_mem_hooks, set_nomemory
from nb_aiopool import NbAioPool

warnings.simplefilter("ignore")  # a coroutine whose task could not be made is nobody's
sys.unraisablehook = lambda info: told.append("unraisable")
told = []
TURNS = 60


class Loop(asyncio.SelectorEventLoop):
    # Makes so many turns and stops: call_soon(loop.stop) may itself be what fails.
    turns = 0

    def _run_once(self):
        turns, self.turns = max(self.turns, 1), 0
        stop = turns > 1
        for _ in range(turns):
            self._stopping = self._stopping or stop
            super()._run_once()


def check_books(pool):
    stats = pool.stats()
    ended = stats.succeeded + stats.failed + stats.cancelled
    assert stats.submitted == ended + stats.queued + stats.running, stats


async def twice(result=None):
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return result


async def held():
    await asyncio.get_running_loop().create_future()


async def create(pool, fail):
    fail()
    made = NbAioPool(2, 2)
    made.max_concurrency = 3
    repr(made), made.stats()


async def submit_nowait(pool, fail):
    fail()
    for _ in range(5):
        pool.submit_nowait(twice())


async def submit(pool, fail):
    fail()
    for _ in range(12):
        await pool.submit(twice())


async def submit_to_future(pool, fail):
    futures = [asyncio.get_running_loop().create_future() for _ in range(3)]
    fail()
    for future in futures:
        await pool.submit(twice(), True, future)


async def run(pool, fail):
    fail()
    await asyncio.gather(*[pool.run(twice()) for _ in range(4)])


async def batch(pool, fail):
    fail()
    await pool.batch_run([twice() for _ in range(9)])
    await pool.batch_submit([twice() for _ in range(3)], block=False)


async def cancel(pool, fail):
    jobs = [pool.submit_nowait(held()) for _ in range(6)]
    await asyncio.sleep(0)
    fail()
    for job in jobs:
        job.cancel("why")


async def shut_down(pool, fail):
    for _ in range(6):
        pool.submit_nowait(held())
    await asyncio.sleep(0)
    fail()
    await pool.shutdown(cancel=True)


async def join(pool, fail):
    for _ in range(6):
        pool.submit_nowait(twice())
    fail()
    await pool.join()


async def nested_run(pool, fail, depth=4):
    fail()
    if depth:
        await pool.run(nested_run(pool, int, depth - 1))
    await asyncio.sleep(0)


async def nested_submit(pool, fail, depth=4):
    fail()
    if depth:
        await (await pool.submit(nested_submit(pool, int, depth - 1)))
    await asyncio.sleep(0)


async def nested_gather(pool, fail, depth=3):
    fail()
    if depth:
        await asyncio.gather(*[pool.run(nested_gather(pool, int, depth - 1)) for _ in range(2)])
    await asyncio.sleep(0)


async def nested_batch(pool, fail, depth=3):
    fail()
    if depth:
        await pool.batch_run([nested_batch(pool, int, depth - 1) for _ in range(2)])
    await asyncio.sleep(0)


async def map_in_order(pool, fail):
    fail()
    await pool.map(twice, range(12)).collect()


async def map_as_ready(pool, fail):
    fail()
    await pool.map(twice, range(12), ordered=False).collect()


async def nested_map(pool, fail, depth=2):
    fail()
    if depth:
        await pool.map(lambda _: nested_map(pool, int, depth - 1), range(2)).collect()
    await asyncio.sleep(0)


async def nested(pool, fail):
    await pool.run(globals()[sys.argv[1]](pool, fail))


async def settle(pool):
    for _ in range(TURNS):
        await asyncio.sleep(0)
    check_books(pool)
    waiting = asyncio.ensure_future(pool.join())
    if (await asyncio.wait([waiting], timeout=0 if told else 2))[1]:
        assert told, "%r is stuck, and nobody was told" % pool
    waiting.cancel()
    check_books(pool)
    # Room for one more, whatever holds a slot for ever: asyncio loses a task's step so, too.
    pool.max_concurrency = pool.running + 1
    pool.max_queue_size = 0
    waiting = asyncio.ensure_future(pool.run(twice("after")))
    if (await asyncio.wait([waiting], timeout=0.02 if told else 2))[1]:
        assert told, "%r does not start a job, and nobody was told" % pool
        waiting.cancel()
    check_books(pool)


def once(start):
    told.clear()
    loop = Loop()
    loop.set_exception_handler(lambda loop, context: told.append(context["message"]))
    asyncio.set_event_loop(loop)
    pool = NbAioPool(1, 2) if sys.argv[1].startswith("nested") else NbAioPool(2, 4)
    loop.run_until_complete(pool.run(twice()))
    fail = lambda: set_nomemory(start, start + 1)
    scenario = nested if sys.argv[1].startswith("nested") else globals()[sys.argv[1]]
    task = loop.create_task(scenario(pool, fail))
    loop.turns = TURNS
    try:
        loop.run_forever()
    except MemoryError:
        told.append("raised by the loop")
    finally:
        remove_mem_hooks()
    check_books(pool)
    if task.done() and not task.cancelled() and task.exception() is not None:
        told.append("raised in the task")
    if not pool.closed:
        loop.run_until_complete(settle(pool))
    loop.close()
    asyncio.set_event_loop(None)
    del loop, task
    # The next loop is a fresh start for the same pool, whatever the last one has lost.
    if not pool.closed:
        pool.max_concurrency = 2
        assert asyncio.run(asyncio.wait_for(pool.run(twice("again")), 5)) == "again"
    check_books(pool)


gc.disable()  # what one loop has lost is collected between two, not while the next one has no memory
for start in range(1, 180):
    once(start)
    if start % 20 == 0:
        gc.collect()
"""
SCENARIOS = [
    "create",
    "submit_nowait",
    "submit",
    "submit_to_future",
    "run",
    "batch",
    "cancel",
    "shut_down",
    "join",
    "map_in_order",
    "map_as_ready",
    "nested_run",
    "nested_submit",
    "nested_gather",
    "nested_batch",
    "nested_map",
]


@pytest.mark.limit(120)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_allocation_that_fails_breaks_no_pool(scenario: str, script: Any) -> None:
    # One at a time: after two in a row ContextVar.set() itself crashes in CPython 3.11.
    script(PROGRAM, scenario, timeout=100)
