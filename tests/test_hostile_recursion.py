"""The pool used where hardly any recursion is left: a RecursionError may come out, but nothing breaks or is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

# A crash is to end this process and not that of the tests.
PRELUDE = """
import asyncio, sys, warnings
warnings.filterwarnings("ignore", "coroutine '(NbAioPool|MapRun)")  # a task for it could not be made
sys.path.insert(0, sys.argv[1])
from nb_aiopool import NbAioPool, PoolError
from recursion import Coroutines, balanced, deepest, sink, sink_async

ROOM = range(45)  # frames that are left for a call
errors = 0

async def value(result=None):
    return result

async def twice(result=None):
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return result

async def all_done(jobs):
    # Not by callbacks: those of an asyncio future are lost, too, if its loop cannot be told of them.
    while not all(job.done() for job in jobs):
        await asyncio.sleep(0)

async def usable(pool):
    assert await asyncio.gather(pool.run(value(1)), *[await pool.submit(twice(i)) for i in range(5)]) == [1, *range(5)]
    balanced(pool)

def silent(loop, context):
    # What a callback raises is reported by the loop, if it has the room to do so.
    # Without an exception it is about a task whose gather has not been told of it.
    assert isinstance(context.get("exception", RecursionError()), RecursionError), context

def run(main):
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(silent)
    try:
        return loop.run_until_complete(asyncio.wait_for(main, 5))
    finally:
        loop.close()

sys.setrecursionlimit(300)
"""

# What is called with hardly any room, from a job of a pool that is full, while others wait; `made` makes jobs.
CALLS = {
    "submit_nowait": "pool.submit_nowait(coro)",
    "submit_nowait with a free slot": "other.submit_nowait(coro)",
    "cancel of itself": "asyncio.current_task().cancel()",
    "add_done_callback": "queued.add_done_callback(called.append)",
    "add_done_callback of an ended job": "ended.add_done_callback(called.append)",
    "remove_done_callback": "queued.remove_done_callback(called.append)",
    "limits": "setattr(pool, 'max_concurrency', 3), setattr(pool, 'max_queue_size', 3)",
    "stats": "pool.stats(), pool.running, pool.queued, pool.waiting, pool.closed",
    "repr": "repr(pool), repr(queued), repr(running)",
    "get_stack": "running.get_stack(), queued.get_stack()",
    "result": "ended.result(), ended.exception(), ended.done()",
    "map": "pool.map(value, [1, 2])",
    "shutdown": "pool.shutdown(wait=False).send(None)",
}


@pytest.mark.limit(60)
@pytest.mark.parametrize("call", CALLS)
def test_a_call_from_a_job_without_room(call: str, script: Any) -> None:
    script(
        PRELUDE
        + """
async def main(room):
    global errors
    made, called, found = Coroutines(), [], []
    pool, other = NbAioPool(2, 3), NbAioPool(2, 3)
    ended = await pool.submit(value("ended"))
    await ended

    async def job():
        global errors
        coro = made.make(twice) if "coro" in sys.argv[2] else None
        levels = deepest() - room
        try:
            found.append(sink(levels, lambda: (CALL)))
        except RecursionError:
            errors += 1
        except StopIteration:
            found.append(None)
        except PoolError:
            found.append(None)
        await asyncio.sleep(0)
        return "job"

    first = pool.submit_nowait(made.make(job))
    running, queued = pool.submit_nowait(made.make(twice)), pool.submit_nowait(made.make(twice))
    jobs = [first, running, queued, pool.submit_nowait(made.make(twice))]
    await all_done(jobs)
    assert len(found) + errors > 0
    for each in (pool, other):
        await each.join()
        balanced(each)
    for job in jobs:
        assert job.cancelled() or job.exception() is None, job
    assert first.cancelled() or first.result() == "job"
    await asyncio.sleep(0)
    if not pool.closed:
        await usable(pool)
    await usable(other)
    if not found:
        made.close_untouched()  # those with which the call did not even begin
    assert not made.open(), made.open()
    return len(found)

ended = sum(run(main(room)) for room in ROOM)
assert ended and ended + errors == len(ROOM), (ended, errors)
""".replace("CALL", CALLS[call]),
        str(Path(__file__).parent),
        CALLS[call],
        flags=["-W", "error"],
    )


# What is awaited with hardly any room, by a job of a full pool of one slot; and with how many coroutines, if not one.
NUMBERS = {
    "shutdown": 0,
    "a sleep": 0,
    "gather": 2,
    "batch_run": 2,
    "batch_submit": 2,
    "map": 2,
    "map, unordered": 2,
}
WAITS = {
    "submit": "await pool.submit(coros[0])",
    "submit and await": "await (await pool.submit(coros[0]))",
    "run": "await pool.run(coros[0])",
    "run with a future": "await pool.run(coros[0], future=new_future())",
    "gather": "await asyncio.gather(pool.run(coros[0]), pool.run(coros[1]))",
    "batch_run": "await pool.batch_run(coros[0:2])",
    "batch_submit": "await pool.batch_submit(coros[0:2])",
    "map": "await pool.map(coros.__getitem__, range(2)).collect()",
    "map, unordered": "[i async for i in pool.map(coros.__getitem__, range(2), ordered=False)]",
    "shutdown": "await pool.shutdown(wait=False)",
    "a sleep": "await asyncio.sleep(0)",
}


@pytest.mark.limit(60)
@pytest.mark.parametrize("wait", WAITS)
def test_a_job_that_waits_without_room(wait: str, script: Any) -> None:
    script(
        PRELUDE
        + """
async def main(room):
    made, outcomes, coros = Coroutines(), [], []
    new_future = asyncio.get_running_loop().create_future
    pool = NbAioPool(1, 1)

    async def call():
        outcomes.append("begun")
        found = WAIT
        outcomes.append("ended")
        return found

    async def job():
        coros[:] = [made.make(twice, i) for i in range(int(sys.argv[2]))]
        return await sink_async(deepest() - room, call)

    parent = pool.submit_nowait(made.make(job))
    queued = pool.submit_nowait(made.make(twice, "queued"))
    await all_done([parent, queued])
    assert queued.result() == "queued"
    assert parent.exception() is None or isinstance(parent.exception(), RecursionError), parent
    await pool.join()
    balanced(pool)
    if not pool.closed:
        await usable(pool)
    if parent.exception() is not None:
        made.close_untouched()  # those with which the call did not even begin
    assert not made.open(), made.open()
    return outcomes

ended = [run(main(room)) for room in ROOM]
assert ["begun", "ended"] in ended, ended
assert ended[0] != ["begun", "ended"], ended
""".replace("WAIT", WAITS[wait]),
        str(Path(__file__).parent),
        str(NUMBERS.get(wait, 1)),
        flags=["-W", "error"],
    )


def test_runs_inside_runs_that_submit_where_run_goes_no_deeper(script: Any) -> None:
    done = script(
        PRELUDE
        + """
deepest_run = 0

async def level(pool, depth, made):
    global deepest_run
    deepest_run = max(deepest_run, depth)
    await asyncio.sleep(0)
    try:
        return await pool.run(made.make(level, pool, depth + 1, made))
    except RecursionError:
        return await (await pool.submit(made.make(value, "bottom")))

async def main(limits):
    pool, made = NbAioPool(*limits), Coroutines()
    assert await (await pool.submit(made.make(level, pool, 0, made))) == "bottom"
    await pool.join()
    assert balanced(pool).submitted > deepest_run
    made.close_untouched()  # the deepest one, with which the call did not even begin
    assert not made.open(), made.open()
    await usable(pool)

for limits in ((1, 1), (2, 1), (1, 0)):
    run(main(limits))
print(deepest_run > 20)
""",
        str(Path(__file__).parent),
        flags=["-W", "error"],
    )
    assert done.stdout == "True\n"


@pytest.mark.parametrize(
    "way",
    [
        "await pool.run({})",
        "(await asyncio.gather(pool.run({})))[0]",
        "(await pool.batch_run([{}]))[0]",
        "(await pool.map(lambda coro: coro, [{}]).collect())[0]",
    ],
    ids=["run", "gather", "batch_run", "map"],
)
def test_a_recursion_without_end_is_an_error_or_ends_by_itself(way: str, script: Any) -> None:
    """Through tasks of their own levels do not add up, so these end at a depth of their own choosing."""
    script(
        PRELUDE
        + """
warnings.simplefilter("ignore")  # of the deepest one, with which run() did not even begin

async def level(pool, depth):
    if depth == 1000:
        raise RecursionError
    return WAY

async def main():
    pool = NbAioPool(1, 1)
    for _ in range(3):
        try:
            await pool.run(level(pool, 0))
        except RecursionError as error:
            error = None
        else:
            raise AssertionError("no error")
        await pool.join()
        stats = balanced(pool)
        assert stats.failed + stats.cancelled > 20 and stats.succeeded < 20, stats
    await usable(pool)

run(main())
""".replace("WAY", way.format("level(pool, depth + 1)")),
        str(Path(__file__).parent),
        flags=["-W", "error"],
    )
