"""Jobs that wait for work of their own pool: counting those that execute, and the ways in which one may wait."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import Any, Awaitable, Callable, Dict, Iterator, List

from nb_aiopool import NbAioPool
from support import Gate, accounting, turns

try:
    import anyio
except ImportError:
    anyio = None  # type: ignore[assignment]


class Nest:
    """A pool, and how many of its jobs execute: a job that waits for work of its pool does so outside of ``busy``."""

    def __init__(self, max_concurrency: int = 1, max_queue_size: int = 1) -> None:
        self.pool = NbAioPool(max_concurrency, max_queue_size)
        self.inside = 0
        self.peak = 0

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """What a job does by itself, its own awaits included."""
        self.inside += 1
        self.peak = max(self.peak, self.inside)
        accounting(self.pool)
        try:
            yield
        finally:
            self.inside -= 1
            accounting(self.pool)

    async def step(self, n: int = 1) -> None:
        with self.busy():
            await turns(n)

    async def leaf(self, result: Any = None, n: int = 1) -> Any:
        """A job that needs nobody."""
        await self.step(n)
        return result

    async def held(self, gate: Gate, result: Any = None) -> Any:
        """A job that executes until the gate lets it through."""
        with self.busy():
            await gate.wait()
        return result

    async def fails(self, error: BaseException, n: int = 1) -> Any:
        await self.step(n)
        raise error

    async def tree(self, way: Way, depth: int, fan_out: int) -> int:
        """A job that waits for as many like it, and so on; how many there were."""
        await self.step()
        count = 1
        if depth > 0:
            count += sum(await way(self.pool, [self.tree(way, depth - 1, fan_out) for _ in range(fan_out)]))
            await self.step()
        return count

    def at_rest(self) -> None:
        """Nothing is left, and every slot is free."""
        stats = accounting(self.pool)
        assert (stats.queued, stats.running, self.pool.waiting, self.inside) == (0, 0, 0, 0)
        free = [self.pool.submit_nowait(turns()) for _ in range(self.pool.max_concurrency)]
        assert (self.pool.running, self.pool.queued) == (self.pool.max_concurrency, 0)
        for job in free:
            job.cancel()
        assert self.pool.running == 0


def tree_size(depth: int, fan_out: int) -> int:
    return sum(fan_out**level for level in range(depth + 1))


Way = Callable[[Any, List[Any]], Awaitable[List[Any]]]


# In all of them the limit holds: a job goes on in its slot, whatever has woken it.
WAYS: Dict[str, Way] = {}


def way(function: Way) -> Way:
    WAYS[function.__name__] = function
    return function


async def submitted(pool: Any, coros: List[Any]) -> List[Any]:
    return [await pool.submit(coro) for coro in coros]


def results(futures: List[Any]) -> List[Any]:
    return [future.result() for future in futures]


def tell(told: Any, ended: Any) -> None:
    """Hand a result on, unless whoever waited for it has been cancelled."""
    if not told.done():
        told.set_result(ended.result())


def tasks_of(coros: List[Any]) -> List[Any]:
    return [asyncio.ensure_future(coro) for coro in coros]


# -- The pool's own calls ----------------------------------------------------------------------------------------------


@way
async def submit_and_await(pool: Any, coros: List[Any]) -> List[Any]:
    return [await job for job in await submitted(pool, coros)]


@way
async def submit_and_await_backwards(pool: Any, coros: List[Any]) -> List[Any]:
    return [await job for job in reversed(await submitted(pool, coros))][::-1]


@way
async def submit_and_gather(pool: Any, coros: List[Any]) -> List[Any]:
    return list(await asyncio.gather(*await submitted(pool, coros)))


@way
async def gather_of_gathers(pool: Any, coros: List[Any]) -> List[Any]:
    jobs = await submitted(pool, coros)
    first, rest = await asyncio.gather(asyncio.gather(*jobs[:1]), asyncio.gather(*jobs[1:]))
    return [*first, *rest]


@way
async def run_each(pool: Any, coros: List[Any]) -> List[Any]:
    return [await pool.run(coro) for coro in coros]


@way
async def gather_of_runs(pool: Any, coros: List[Any]) -> List[Any]:
    return list(await asyncio.gather(*[pool.run(coro) for coro in coros]))


@way
async def gather_of_submits(pool: Any, coros: List[Any]) -> List[Any]:
    jobs = await asyncio.gather(*[pool.submit(coro) for coro in coros])
    return list(await asyncio.gather(*jobs))


@way
async def batch_submit(pool: Any, coros: List[Any]) -> List[Any]:
    return [await job for job in await pool.batch_submit(coros)]


@way
async def batch_run(pool: Any, coros: List[Any]) -> List[Any]:
    return list(await pool.batch_run(coros))


@way
async def batch_run_of_an_async_iterable(pool: Any, coros: List[Any]) -> List[Any]:
    async def draw() -> Any:
        for coro in coros:
            await turns()
            yield coro

    return list(await pool.batch_run(draw()))


@way
async def submit_with_future(pool: Any, coros: List[Any]) -> List[Any]:
    loop = asyncio.get_running_loop()
    futures = [await pool.submit(coro, future=loop.create_future()) for coro in coros]
    return [await future for future in futures]


@way
async def run_with_future(pool: Any, coros: List[Any]) -> List[Any]:
    loop = asyncio.get_running_loop()
    return [await pool.run(coro, future=loop.create_future()) for coro in coros]


async def itself(coro: Any) -> Any:
    return await coro


@way
async def map_iterated(pool: Any, coros: List[Any]) -> List[Any]:
    return [result async for result in pool.map(itself, coros)]


@way
async def map_collected(pool: Any, coros: List[Any]) -> List[Any]:
    collected: List[Any] = await pool.map(itself, coros).collect()
    return collected


@way
async def map_unordered(pool: Any, coros: List[Any]) -> List[Any]:
    async def numbered(i: int, coro: Any) -> Any:
        return i, await coro

    found = {i: result async for i, result in pool.map(numbered, range(len(coros)), coros, ordered=False)}
    return [found[i] for i in range(len(coros))]


# -- What asyncio has to wait with -------------------------------------------------------------------------------------


@way
async def wait_for_all(pool: Any, coros: List[Any]) -> List[Any]:
    jobs = await submitted(pool, coros)
    await asyncio.wait(jobs)
    return results(jobs)


@way
async def wait_for_the_first_exception(pool: Any, coros: List[Any]) -> List[Any]:
    jobs = await submitted(pool, coros)
    await asyncio.wait(jobs, timeout=3600, return_when=asyncio.FIRST_EXCEPTION)
    return results(jobs)


@way
async def wait_for_the_first(pool: Any, coros: List[Any]) -> List[Any]:
    jobs = await submitted(pool, coros)
    pending = set(jobs)
    while pending:
        _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    return results(jobs)


@way
async def wait_for_each(pool: Any, coros: List[Any]) -> List[Any]:
    return [await asyncio.wait_for(job, 3600) for job in await submitted(pool, coros)]


@way
async def wait_for_a_gather(pool: Any, coros: List[Any]) -> List[Any]:
    return list(await asyncio.wait_for(asyncio.gather(*await submitted(pool, coros)), 3600))


@way
async def shield_each(pool: Any, coros: List[Any]) -> List[Any]:
    return [await asyncio.shield(job) for job in await submitted(pool, coros)]


@way
async def shield_a_gather(pool: Any, coros: List[Any]) -> List[Any]:
    return list(await asyncio.shield(asyncio.gather(*await submitted(pool, coros))))


@way
async def as_completed(pool: Any, coros: List[Any]) -> List[Any]:
    jobs = await submitted(pool, coros)
    for ended in asyncio.as_completed(jobs):
        await ended
    return results(jobs)


@way
async def tasks_one_by_one(pool: Any, coros: List[Any]) -> List[Any]:
    return [await task for task in tasks_of([pool.run(coro) for coro in coros])]


@way
async def a_chain_of_tasks(pool: Any, coros: List[Any]) -> List[Any]:
    async def outermost() -> Any:
        return await asyncio.ensure_future(inner())

    async def inner() -> Any:
        return await asyncio.gather(*[asyncio.ensure_future(pool.run(coro)) for coro in coros])

    return list(await asyncio.ensure_future(outermost()))


if hasattr(asyncio, "TaskGroup"):

    @way
    async def task_group(pool: Any, coros: List[Any]) -> List[Any]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(pool.run(coro)) for coro in coros]
        return results(tasks)

    @way
    async def task_group_that_submits(pool: Any, coros: List[Any]) -> List[Any]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(pool.submit(coro)) for coro in coros]
        return list(await asyncio.gather(*results(tasks)))


if anyio is not None:

    @way
    async def anyio_task_group(pool: Any, coros: List[Any]) -> List[Any]:
        found: Dict[int, Any] = {}

        async def child(i: int, coro: Any) -> None:
            found[i] = await pool.run(coro)

        async with anyio.create_task_group() as group:
            for i, coro in enumerate(coros):
                group.start_soon(child, i, coro)
        return [found[i] for i in range(len(coros))]


# -- What other tasks and callbacks tell -------------------------------------------------------------------------------


@way
async def an_event(pool: Any, coros: List[Any]) -> List[Any]:
    """A task sets it when the work has been done; the lender cannot be known to wait for that."""
    event = asyncio.Event()

    async def work() -> Any:
        found = await asyncio.gather(*[pool.run(coro) for coro in coros])
        event.set()
        return found

    task = asyncio.ensure_future(work())
    await event.wait()
    return list(await task)


@way
async def a_queue(pool: Any, coros: List[Any]) -> List[Any]:
    queue: Any = asyncio.Queue()

    async def work(i: int, coro: Any) -> None:
        await queue.put((i, await pool.run(coro)))

    tasks = [asyncio.ensure_future(work(i, coro)) for i, coro in enumerate(coros)]
    found = dict([await queue.get() for _ in coros])
    await asyncio.gather(*tasks)
    return [found[i] for i in range(len(coros))]


@way
async def a_loop_callback(pool: Any, coros: List[Any]) -> List[Any]:
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in coros]
    tasks: List[Any] = []

    def start(i: int, coro: Any) -> None:
        task = loop.create_task(pool.run(coro))
        task.add_done_callback(functools.partial(tell, futures[i]))
        tasks.append(task)

    for i, coro in enumerate(coros):
        loop.call_soon(start, i, coro)
    found = [await future for future in futures]
    await asyncio.gather(*tasks)
    return found


@way
async def a_done_callback(pool: Any, coros: List[Any]) -> List[Any]:
    loop, found = asyncio.get_running_loop(), []
    for job in await submitted(pool, coros):
        told = loop.create_future()
        job.add_done_callback(functools.partial(tell, told))
        found.append(await told)
    return found


@way
async def a_second_pool(pool: Any, coros: List[Any]) -> List[Any]:
    """Its jobs call back into the first one."""
    other = NbAioPool(1, 1)

    async def visitor(coro: Any) -> Any:
        return await pool.run(coro)

    found = await other.batch_run([visitor(coro) for coro in coros])
    accounting(other)
    return list(found)
