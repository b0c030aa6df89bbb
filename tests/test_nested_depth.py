"""How deep work may be nested."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Callable

import pytest

from loops import KINDS
from nested import Nest

if TYPE_CHECKING:
    import subprocess

Script = Callable[..., "subprocess.CompletedProcess[str]"]
each_kind = pytest.mark.parametrize("kind", list(KINDS))

# A crash is to end this process and not that of the tests. The stack is small: whatever recurses does not fit.
PRELUDE = """
import asyncio, sys, threading
from nb_aiopool import NbAioPool

def new_loop():
    if sys.argv[1] == "uvloop":
        import uvloop
        return uvloop.new_event_loop()
    loop = asyncio.new_event_loop()
    loop.set_debug(sys.argv[1] == "debug")
    loop.slow_callback_duration = 3600.0
    if sys.argv[1] == "eager":
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop

def run(main):
    loop = new_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()

def run_with_a_small_stack(main):
    threading.stack_size(%d)
    thread = threading.Thread(target=lambda: print(run(main)))
    thread.start()
    thread.join()

inside = peak = 0

async def step():
    global inside, peak
    inside += 1
    peak = max(peak, inside)
    await asyncio.sleep(0)
    inside -= 1

async def value(result):
    return result
"""
SMALL = PRELUDE % (512 * 1024)
USUAL = PRELUDE % (8 * 1024 * 1024)


@each_kind
@pytest.mark.parametrize(
    "wait",
    [
        "await (await pool.submit({}))",
        "(await asyncio.gather(await pool.submit({})))[0]",
        "(await pool.batch_run([{}]))[0]",
        "await asyncio.shield(await pool.submit({}))",
        "await asyncio.ensure_future(pool.run({}))",
        "await (await pool.submit({}, future=asyncio.get_running_loop().create_future()))",
    ],
    ids=["submit", "gather", "batch_run", "shield", "task", "future"],
)
def test_ten_thousand_levels_in_one_slot(script: Script, kind: str, wait: str) -> None:
    done = script(
        SMALL
        + """
async def level(pool, below):
    await step()
    found = 0
    if below:
        found = 1 + WAIT
        await step()
    return found

async def main():
    pool = NbAioPool(1, 1)
    found = await (await pool.submit(level(pool, 10_000)))
    await pool.join()
    return found, peak, tuple(pool.stats())

run_with_a_small_stack(main())
""".replace("WAIT", wait.format("level(pool, below - 1)")),
        kind,
        timeout=20,
    )
    assert done.stdout == "(10000, 1, (10001, 10001, 0, 0, 0, 0))\n"


@each_kind
@pytest.mark.parametrize("end", ["raise LookupError", "raise asyncio.CancelledError"])
def test_an_end_of_another_kind_comes_up_from_as_deep(script: Script, kind: str, end: str) -> None:
    done = script(
        SMALL
        + """
async def level(pool, below):
    await step()
    if below == 0:
        END
    await (await pool.submit(level(pool, below - 1)))

async def main():
    pool = NbAioPool(1, 1)
    try:
        await (await pool.submit(level(pool, 3_000)))
    except BaseException as error:
        caught = type(error).__name__
        error = None
    await pool.join()
    stats = pool.stats()
    return caught, stats.submitted, stats.failed + stats.cancelled, await pool.run(value("usable")), peak

run_with_a_small_stack(main())
""".replace("END", end),
        kind,
        timeout=20,
    )
    name = end.replace(".", " ").split()[-1]
    assert done.stdout == "%r\n" % ((name, 3001, 3001, "usable", 1),)


@each_kind
@pytest.mark.parametrize("bottom", ["cancel the top", "cancel the bottom", "cancel all", "leave"])
def test_cancelling_from_as_deep(script: Script, kind: str, bottom: str) -> None:
    done = script(
        SMALL
        + """
async def level(pool, below):
    await step()
    if below == 0:
        jobs.append(asyncio.current_task())
        reached.set()
        await asyncio.sleep(3600)
    await (await pool.submit(level(pool, below - 1)))

async def main():
    global reached, jobs
    reached = asyncio.Event()
    pool = NbAioPool(1, 1)
    jobs = [await pool.submit(level(pool, 3_000))]
    await reached.wait()
    if sys.argv[2] == "leave":
        return "left"
    if sys.argv[2] == "cancel all":
        await pool.shutdown(cancel=True)
    else:
        jobs[sys.argv[2] == "cancel the bottom"].cancel()
        await pool.join()
    return pool.stats().cancelled, jobs[0].cancelled(), peak

if sys.argv[2] == "leave":
    threading.stack_size(8 * 1024 * 1024)
    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join()
    print("end")
else:
    run_with_a_small_stack(main())
""",
        kind,
        bottom,
        timeout=20,
    )
    assert done.stdout == ("end\n" if bottom == "leave" else "(3001, True, 1)\n")


@each_kind
@pytest.mark.parametrize("suspends", [False, True])
def test_run_inside_run_goes_as_deep_as_the_interpreter_does(
    script: Script, kind: str, suspends: bool
) -> None:
    done = script(
        USUAL
        + """
deepest = 0

async def level(pool, depth):
    global deepest
    deepest = max(deepest, depth)
    if SUSPENDS:
        await asyncio.sleep(0)
    return await pool.run(level(pool, depth + 1))

async def main():
    pool = NbAioPool(1, 1)
    for _ in range(3):
        try:
            await pool.run(level(pool, 0))
        except RecursionError:
            pass
        else:
            print("no error")
        stats = pool.stats()
        assert (stats.running, stats.queued, pool.waiting) == (0, 0, 0), stats
        assert stats.submitted == stats.failed, stats
    assert deepest > 100, deepest
    return await pool.run(value("usable"))

run_with_a_small_stack(main())
""".replace("SUSPENDS", str(suspends)),
        kind,
        timeout=20,
    )
    assert done.stdout == "usable\n"


async def test_a_job_that_submits_its_successor_for_ever_leaves_no_chain_behind() -> None:
    nest, ended = Nest(1, 1), asyncio.get_running_loop().create_future()
    most = 0

    async def link(left: int) -> Any:
        nonlocal most
        await nest.step(0)
        most = max(most, nest.pool.running)
        if left:
            nest.pool.submit_nowait(link(left - 1))
        else:
            ended.set_result("end")

    await nest.pool.submit(link(20_000))
    assert await ended == "end"
    await nest.pool.join()
    assert most == 1 and nest.peak == 1
    nest.at_rest()
