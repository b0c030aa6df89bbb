"""One task object serves loops one after another, and at the same time in threads, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from types import SimpleNamespace
from typing import Any, Callable, List

import pytest
from task_support import Notes, Workshop, eventually

from nb_aiopool.contrib.nb_aio_task import aio_task


@pytest.fixture(params=["memory", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    return "memory://" if request.param == "memory" else request.getfixturevalue("redis_server").url


def test_a_task_serves_several_runs_one_after_another(run_loop: Any, url: str) -> None:
    seen: List[int] = []

    async def note(x: int) -> int:
        seen.append(x)
        return x

    workshop = Workshop(url)
    task = workshop.task(note, result_ttl=60)

    async def produce(x: int) -> Any:
        return await task.submit(x)

    async def consume() -> None:
        await workshop.work_off(task)

    handles = [run_loop(produce(i)) for i in range(3)]
    run_loop(consume())
    assert seen == [0, 1, 2]

    async def results() -> List[int]:
        return [await handle.result() for handle in handles]

    assert run_loop(results()) == [0, 1, 2]
    run_loop(workshop.close())


def test_a_run_that_ends_while_it_consumes_is_cancelled_and_the_next_goes_on(run_loop: Any, url: str) -> None:
    workshop = Workshop(url)
    seen: List[int] = []

    async def note(x: int) -> None:
        seen.append(x)
        if len(seen) == 3:
            raise LookupError

    task = workshop.task(note, max_concurrency=1, max_retries=1, retry_delay=0.001)

    async def some(count: int) -> None:
        await task.submit_many(((i,), {}) for i in range(5))
        consumer = asyncio.ensure_future(task.consume())
        while len(seen) < count:
            await asyncio.sleep(0.001)
        del consumer  # the end of the run cancels it

    run_loop(some(1))

    async def rest() -> None:
        await workshop.work_off(task)
        assert await task.stats() == (0, 0, 0, 0)

    run_loop(rest())
    assert sorted(seen) in ([0, 1, 2, 3, 4, x] for x in range(5)) or sorted(seen) == sorted(
        [*range(5), seen[2]]
    )


@pytest.mark.loop("asyncio", "uvloop")
def test_what_was_kept_for_ended_loops_is_let_go(loop_factory: Callable[[], Any], url: str) -> None:
    task = Workshop(url).task(plain, result_ttl=60)
    ended = []
    for _ in range(8):
        loop = loop_factory()
        try:
            loop.run_until_complete(use(task))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
        ended.append(weakref.ref(loop))
        del loop
    # The thread that kept the leases lets go of the last worker when it gets round to it.
    while sum(reference() is not None for reference in ended) > 1:
        gc.collect()
        time.sleep(0.005)
    assert len(task._links._links) <= 1


async def plain(x: int = 0) -> int:
    return x


async def use(task: Any) -> None:
    handle = await task.submit(1)
    await task._consume(burst=True)
    assert await handle.result() == 1
    await task.stats()


def test_a_task_serves_two_threads_at_the_same_time(loop_factory: Callable[[], Any], url: str) -> None:
    lock, seen = threading.Lock(), []

    async def note(thread: int, x: int) -> int:
        with lock:
            seen.append((thread, x))
        await asyncio.sleep(0)
        return x

    workshop = Workshop(url)
    task = workshop.task(note, max_concurrency=5, result_ttl=60)
    failures: List[BaseException] = []
    both = threading.Barrier(2, timeout=20)

    async def main(thread: int) -> None:
        both.wait()
        consumer = asyncio.ensure_future(task.consume())
        handles = await asyncio.gather(*(task.submit(thread, x) for x in range(100)))
        assert await asyncio.gather(*(handle.result() for handle in handles)) == list(range(100))
        # close() stops the consumers of all loops.
        await asyncio.get_running_loop().run_in_executor(None, both.wait)
        consumer.cancel()
        await asyncio.gather(consumer, return_exceptions=True)
        await task.close()

    def run(thread: int) -> None:
        loop = loop_factory()
        try:
            loop.run_until_complete(main(thread))
            loop.run_until_complete(loop.shutdown_asyncgens())
        except BaseException as error:
            failures.append(error)
        finally:
            loop.close()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(25)
    assert failures == []
    assert sorted(seen) == sorted((thread, x) for thread in range(2) for x in range(100))


@pytest.mark.loop("asyncio")
async def test_consumers_share_all_connections_but_their_own(redis_workshop: Workshop, client: Any) -> None:
    before = {entry["id"] for entry in client.client_list()}
    notes = Notes()
    tasks = [redis_workshop.task(notes.function()) for _ in range(5)]
    async with redis_workshop.consuming(*tasks):
        await asyncio.gather(*(task.submit(i) for i, task in enumerate(tasks)))
        await notes.reached(5)
        new = [entry for entry in client.client_list() if entry["id"] not in before]
        # Two that all share; a turn, a wait and a lease for each consumer.
        assert len(new) <= 2 + 3 * len(tasks)
    for task in tasks:
        await task.close()
    await eventually(lambda: none_new(client, before))


async def none_new(client: Any, before: Any) -> bool:
    return not [entry for entry in client.client_list() if entry["id"] not in before]


PROGRAM = """
import asyncio, gc, sys
from nb_aiopool.contrib.nb_aio_task import aio_task, batch_consume

@aio_task("program", redis_url=sys.argv[1], result_ttl=60)
async def double(x):
    if x == 3:
        await double.stop()
    return 2 * x

async def submit():
    handles = [await double.submit(x) for x in range(4)]
    await double.submit_many(((x,), {}) for x in (3, 3))
    return handles

async def consume():
    await batch_consume([double])

async def results(handles):
    print([await handle.result() for handle in handles])

async def in_between():
    consumer = asyncio.ensure_future(double.consume())
    late = asyncio.ensure_future(double.submit(9))
    waiting = asyncio.ensure_future((await double.submit(8)).result())
    await asyncio.sleep(float(sys.argv[2]))

handles = asyncio.run(submit())
asyncio.run(consume())
asyncio.run(results(handles))
asyncio.run(double.clear_queue())
asyncio.run(in_between())
gc.collect()
"""


@pytest.mark.parametrize("pause", ["0", "0.001", "0.05"])
def test_a_program_that_closes_nothing_leaves_no_warning_and_no_open_socket(
    script: Any, url: str, pause: str
) -> None:
    done = script(PROGRAM, url, pause, flags=["-W", "error"])
    assert done.stdout == "[0, 2, 4, 6]\n"


class ClosesNow:
    """A loop that is closed by its own thread just after it was looked at."""

    def is_closed(self) -> bool:
        return False

    def call_soon_threadsafe(self, *_: Any) -> None:
        raise RuntimeError("Event loop is closed")


async def test_a_loop_that_is_closed_meanwhile_does_not_keep_others_from_being_stopped() -> None:
    @aio_task("q", redis_url="memory://closed-meanwhile")
    async def task() -> None:
        pass

    workers: Any = task._workers
    first, last = ClosesNow(), ClosesNow()
    workers[first] = workers_end = SimpleNamespace(stop=lambda: None)
    consumer = asyncio.ensure_future(task.consume())
    while len(workers) < 2:
        await asyncio.sleep(0)
    workers[last] = workers_end
    await task.stop()
    await consumer


def test_a_task_may_be_defined_and_called_where_no_loop_runs() -> None:
    @aio_task("q", redis_url="memory://")
    async def task(x: int) -> int:
        return x

    bound = task.options(delay=1)
    submitted = bound.submit(1)
    submitted.close()
    assert asyncio.run(task(1)) == 1
