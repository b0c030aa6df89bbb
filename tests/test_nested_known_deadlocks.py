"""Programs that hang other pools, as published in their issue trackers: here each of them ends, within the limit.

The issue is named beside each pattern. The code is not theirs: it does the same with this pool.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any, Awaitable, Callable, List

import pytest

from nested import Nest
from support import Gate, accounting, append

pytestmark = pytest.mark.limit(10)
with_one_slot_and_two = pytest.mark.parametrize("limit", [1, 2])


def done(nest: Nest, limit: int) -> None:
    assert nest.peak == limit
    nest.at_rest()


# -- A worker waits for work of its own pool -----------------------------------------------------------------------


@with_one_slot_and_two
async def test_every_worker_waits_for_a_future_of_its_pool(limit: int) -> None:
    """The example in the documentation of concurrent.futures (CPython gh-141617)."""
    nest = Nest(limit, 0)

    async def wait_on_future() -> Any:
        await nest.step()
        return await (await nest.pool.submit(nest.leaf(pow(5, 2))))

    jobs = [nest.pool.submit_nowait(wait_on_future()) for _ in range(limit)]
    assert await asyncio.gather(*jobs) == [25] * limit
    done(nest, limit)


@with_one_slot_and_two
async def test_loops_inside_of_parallel_loops(limit: int) -> None:
    """bshoshany/thread-pool #95: each block of the outer loop waits for the blocks of an inner one."""
    nest = Nest(limit, 4)

    async def outer(i: int) -> int:
        await nest.step()
        inner = [await nest.pool.submit(nest.leaf(i * j)) for j in range(8)]
        return sum([await block for block in inner])

    blocks = [await nest.pool.submit(outer(i)) for i in range(8)]
    assert sum([await block for block in blocks]) == 28 * 28
    done(nest, limit)


@with_one_slot_and_two
async def test_groups_inside_of_groups(limit: int) -> None:
    """alitto/pond #56: a hundred tasks of a group, each of which waits for a group of ten, in one pool."""
    nest = Nest(limit, 1_000_000)

    async def of_group_a(i: int) -> List[int]:
        await nest.step()
        group_b = [nest.pool.submit_nowait(nest.leaf((i, j))) for j in range(10)]
        return list(await asyncio.gather(*group_b))

    group_a = [nest.pool.submit_nowait(of_group_a(i)) for i in range(100)]
    assert await asyncio.gather(*group_a) == [[(i, j) for j in range(10)] for i in range(100)]
    done(nest, limit)


@with_one_slot_and_two
@pytest.mark.parametrize("ordered", [True, False])
async def test_a_map_whose_jobs_map(limit: int, ordered: bool) -> None:
    """jwiegley/async-pool #4: mapTasks inside of mapTasks."""
    nest = Nest(limit, 2)

    async def inner(i: int) -> int:
        await nest.step()
        return i

    async def outer(i: int) -> int:
        return sum(await nest.pool.map(inner, range(i), ordered=ordered).collect())

    found = await nest.pool.map(outer, range(12), ordered=ordered).collect()
    assert sorted(found) == [i * (i - 1) // 2 for i in range(12)]
    done(nest, limit)


@with_one_slot_and_two
async def test_a_recursion_that_is_deeper_than_the_queue_is_long(limit: int) -> None:
    """project-iris/iris #54: each task makes two and waits for both, as in a naive Fibonacci function."""
    nest = Nest(limit, 3)

    async def fibonacci(n: int) -> int:
        await nest.step()
        if n < 2:
            return n
        first = await nest.pool.submit(fibonacci(n - 1))
        second = await nest.pool.submit(fibonacci(n - 2))
        return int(await first) + int(await second)

    assert await (await nest.pool.submit(fibonacci(12))) == 144
    assert nest.peak <= limit
    nest.at_rest()


@with_one_slot_and_two
async def test_a_chain_each_link_of_which_starts_the_next_and_waits(limit: int) -> None:
    """zio/zio #277: more links than threads, and nothing but the last of them can end."""
    nest = Nest(limit, 1)

    async def link(left: int) -> int:
        await nest.step()
        return 1 + (await asyncio.shield(await nest.pool.submit(link(left - 1))) if left else 0)

    assert await asyncio.gather(*[nest.pool.run(link(300)) for _ in range(limit)]) == [301] * limit
    done(nest, limit)


@with_one_slot_and_two
async def test_a_result_goes_through_a_callback_that_needs_the_pool(limit: int) -> None:
    """tonivade/purefun #33 and google/guava #1109: continuations that run on the pool whose job they continue."""
    nest, loop = Nest(limit, 1), asyncio.get_running_loop()
    tasks: List[Any] = []

    def then(told: Any, job: Any) -> None:
        task = loop.create_task(nest.pool.run(nest.leaf(job.result() + 1)))
        task.add_done_callback(lambda task: told.set_result(task.result()))
        tasks.append(task)

    async def parent(i: int) -> Any:
        await nest.step()
        told = loop.create_future()
        (await nest.pool.submit(nest.leaf(i))).add_done_callback(functools.partial(then, told))
        return await told

    assert await asyncio.gather(*[nest.pool.run(parent(i)) for i in range(8)]) == list(range(1, 9))
    done(nest, limit)


# -- A worker only submits -----------------------------------------------------------------------------------------


@with_one_slot_and_two
async def test_workers_submit_to_a_full_pool_without_waiting_for_results(limit: int) -> None:
    """panjf2000/ants #197: three submits in each task, and a producer that goes on without a pause."""
    nest, ends = Nest(limit, 1), Gate()
    ends.open()

    async def task() -> None:
        await nest.step()
        for _ in range(3):
            await nest.pool.submit(ends.hold())

    for _ in range(50):
        await nest.pool.submit(task())
    await nest.pool.join()
    assert ends.passed == 150 and accounting(nest.pool).succeeded == 200
    done(nest, limit)


@with_one_slot_and_two
async def test_tasks_start_tasks_while_the_owner_waits_for_the_end(limit: int) -> None:
    """sourcegraph/conc #133: a task cannot start another once Wait has been called."""
    nest = Nest(limit, 1)
    log: List[Any] = []

    async def decode(message: int) -> None:
        await nest.step(3)
        await nest.pool.submit(append(log, ("delete", message)))
        await nest.pool.submit(append(log, ("process", message)))

    async with nest.pool:
        for message in range(5):
            await nest.pool.submit(decode(message))
    assert sorted(log) == sorted((what, message) for what in ("delete", "process") for message in range(5))
    assert nest.peak == limit and accounting(nest.pool).succeeded == 15


# -- Two limits ----------------------------------------------------------------------------------------------------


@with_one_slot_and_two
async def test_a_limit_that_is_taken_twice_by_each(limit: int) -> None:
    """trio-asyncio #143 and aiopg #113: all have the first token and wait for the second."""
    nest = Nest(limit, 0)

    async def call(i: int) -> int:
        await nest.step()
        return int(await nest.pool.run(nest.leaf(i)))

    async def many(way: Callable[[Any], Awaitable[Any]]) -> List[int]:
        return list(await asyncio.gather(*[way(call(i)) for i in range(10)]))

    async def submit(coro: Any) -> Any:
        return await (await nest.pool.submit(coro))

    assert await many(nest.pool.run) == await many(submit) == list(range(10))
    done(nest, limit)


@with_one_slot_and_two
async def test_jobs_of_one_kind_spawn_those_of_another_with_a_limit_of_their_own(limit: int) -> None:
    """agenda #1105: A, at its limit, waits for the Bs; and here each B asks for an A."""
    a, b = Nest(limit, 1), Nest(1, 1)

    async def job_a(depth: int) -> int:
        await a.step()
        return 1 + sum(await b.pool.batch_run([job_b(depth) for _ in range(3)])) if depth else 1

    async def job_b(depth: int) -> int:
        await b.step()
        return 1 + int(await a.pool.run(job_a(depth - 1)))

    assert await a.pool.batch_run([job_a(2) for _ in range(3)]) == [25] * 3
    assert b.peak == 1
    b.at_rest()
    done(a, limit)


@with_one_slot_and_two
async def test_what_holds_the_slots_needs_one_to_let_go(limit: int) -> None:
    """fastapi #5122: requests hold what only an exit function gives back, which has to wait for a worker itself."""
    nest, connections = Nest(limit, 0), asyncio.Semaphore(1)

    async def request(i: int) -> Any:
        await connections.acquire()
        try:
            return await nest.pool.run(nest.leaf(i))
        finally:
            await nest.pool.run(exit_function())

    async def exit_function() -> None:
        await nest.step()
        connections.release()

    found = await asyncio.gather(*[nest.pool.run(request(i)) for i in range(20)])
    assert found == list(range(20)) and nest.peak <= limit
    nest.at_rest()


@with_one_slot_and_two
@pytest.mark.skipif(not hasattr(asyncio, "to_thread"), reason="since 3.9")
async def test_a_thread_blocks_on_the_pool_that_waits_for_the_thread(limit: int) -> None:
    """delta-kernel-rs #1605 and #3202: block_on inside of what a blocking pool runs, to any depth."""
    nest, loop = Nest(limit, 1), asyncio.get_running_loop()

    def blocks(depth: int) -> int:
        return int(asyncio.run_coroutine_threadsafe(nest.pool.run(visit(depth)), loop).result())

    async def visit(depth: int) -> int:
        await nest.step()
        return 1 + await asyncio.to_thread(blocks, depth - 1) if depth else 0

    assert await asyncio.gather(*[nest.pool.run(visit(2)) for _ in range(limit)]) == [2] * limit
    nest.at_rest()
