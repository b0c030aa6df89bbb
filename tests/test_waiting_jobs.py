"""Jobs that wait are small, share what they can, and cannot be told from others by it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import weakref
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool, PoolError, _core
from support import Gate, turns, value

VAR: Any = contextvars.ContextVar("VAR", default="unset")
OTHER: Any = contextvars.ContextVar("OTHER", default="unset")


def shares_contexts() -> bool:
    return not hasattr(sys, "_is_gil_enabled") or sys._is_gil_enabled()


async def read() -> Any:
    return VAR.get()


async def read_write(text: str) -> Any:
    before = VAR.get()
    VAR.set(text)
    await turns(1)
    return before, VAR.get()


@pytest.mark.skipif(sys.maxsize < 2**32, reason="the figure is for 64 bits")
def test_a_job_is_hardly_larger_than_a_future() -> None:
    assert _core.Job.__basicsize__ - asyncio.Future.__basicsize__ <= 64


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="looks at the collector")
async def test_jobs_submitted_one_after_the_other_share_a_context_while_they_wait() -> None:
    if shares_contexts():
        pool, gate = NbAioPool(1), Gate()
        held = [pool.submit_nowait(gate.hold()) for _ in range(4)]
        shared = {
            id(found)
            for job in held
            for found in gc.get_referents(job)
            if isinstance(found, contextvars.Context)
        }
        assert len(shared) == 1
        gate.open()
        await asyncio.gather(*held)


async def test_jobs_that_wait_see_neither_later_changes_nor_each_others() -> None:
    pool, gate = NbAioPool(1), Gate()
    held = pool.submit_nowait(gate.hold())
    VAR.set("a")
    first = [pool.submit_nowait(read_write("mine")) for _ in range(3)]
    VAR.set("b")
    OTHER.set("c")
    second = [pool.submit_nowait(read_write("mine")) for _ in range(3)]
    VAR.set("a")
    third = pool.submit_nowait(read())
    gate.open()
    assert await asyncio.gather(*first) == [("a", "mine")] * 3
    assert await asyncio.gather(*second) == [("b", "mine")] * 3
    assert await third == "a"
    assert VAR.get() == "a"
    await held


async def test_a_variable_that_is_reset_is_a_change_too() -> None:
    pool, gate = NbAioPool(1), Gate()
    held = pool.submit_nowait(gate.hold())
    token = VAR.set("set")
    late = [pool.submit_nowait(read())]
    VAR.reset(token)
    late.append(pool.submit_nowait(read()))
    gate.open()
    assert await asyncio.gather(*late) == ["set", "unset"]
    await held


async def test_producers_of_different_contexts_do_not_share() -> None:
    pool, gate = NbAioPool(1), Gate()
    held = pool.submit_nowait(gate.hold())

    async def produce(name: str) -> List[Any]:
        VAR.set(name)
        futures = []
        for _ in range(3):
            futures.append(await pool.submit(read()))
            await asyncio.sleep(0)
        return futures

    made = await asyncio.gather(*(produce(name) for name in "xyz"))
    gate.open()
    assert [await asyncio.gather(*futures) for futures in made] == [[name] * 3 for name in "xyz"]
    await held


async def test_what_is_done_to_the_context_of_a_waiting_job_is_seen_by_that_job_alone() -> None:
    pool, gate = NbAioPool(1), Gate()
    held = pool.submit_nowait(gate.hold())
    jobs: List[Any] = [pool.submit_nowait(read()) for _ in range(3)]
    context = jobs[1].get_context()
    assert jobs[1].get_context() is context
    context.run(VAR.set, "only here")
    late = pool.submit_nowait(read())
    gate.open()
    assert await asyncio.gather(*jobs, late) == ["unset", "only here", "unset", "unset"]
    assert jobs[1].get_context() is context
    await held


async def test_a_context_is_kept_no_longer_than_the_jobs_that_share_it_and_the_next_pass() -> None:
    class Secret:
        pass

    pool, gate = NbAioPool(1), Gate()
    held = pool.submit_nowait(gate.hold())
    secret = Secret()
    alive = weakref.ref(secret)
    VAR.set(secret)
    jobs = [pool.submit_nowait(value(number)) for number in range(3)]
    VAR.set("unset")
    del secret
    await turns(2)
    assert alive() is not None
    gate.open()
    assert await asyncio.gather(*jobs) == [0, 1, 2]
    jobs.clear()
    await held
    await turns(2)
    gc.collect()
    assert alive() is None


async def test_a_finaliser_that_submits_does_not_change_the_context_of_what_is_being_submitted() -> None:
    pool, inner = NbAioPool(1), []
    other = contextvars.copy_context()
    other.run(VAR.set, "other")

    class Submits:
        def __del__(self) -> None:
            inner.append(other.run(pool.submit_nowait, read()))

    def submit() -> None:
        VAR.set(Submits())
        pool.submit_nowait(read()).cancel()

    first = pool.submit_nowait(read())
    contextvars.copy_context().run(submit)
    VAR.set("mine")
    outer = pool.submit_nowait(read())  # which lets go of the last context
    assert len(inner) == 1 or not shares_contexts()
    assert await asyncio.gather(first, outer, *inner[:1]) == ["unset", "mine", "other"]


def test_a_context_is_not_kept_beyond_its_loop() -> None:
    class Secret:
        pass

    def submit() -> Any:
        secret = Secret()
        VAR.set(secret)
        return weakref.ref(secret), pool.sync_submit(value(1), loop=loop)

    pool = NbAioPool(1)
    loop = asyncio.new_event_loop()
    alive, future = contextvars.copy_context().run(submit)
    loop.close()  # it has never run
    asyncio.run(pool.shutdown())
    assert isinstance(future.exception(), PoolError)
    gc.collect()
    assert alive() is None


async def test_a_name_outlives_the_job_and_the_number_tells_the_order() -> None:
    pool, gate = NbAioPool(1), Gate()
    held = pool.submit_nowait(gate.hold())
    jobs: List[Any] = [pool.submit_nowait(value(1)) for _ in range(3)]
    numbers = [int(job.get_name().split("-")[1]) for job in reversed(jobs)]
    assert numbers == [numbers[-1] + 2, numbers[-1] + 1, numbers[-1]]
    jobs[0].set_name("early")
    gate.open()
    await asyncio.gather(held, *jobs)
    jobs[1].set_name("late")
    assert [job.get_name() for job in jobs] == ["early", "late", "Job-%d" % numbers[0]]


async def test_a_job_remembers_after_its_end_how_it_was_cancelled() -> None:
    pool = NbAioPool(1)
    begun = asyncio.Event()

    async def wait_for_ever() -> None:
        begun.set()
        await asyncio.get_running_loop().create_future()

    job: Any = pool.submit_nowait(wait_for_ever())
    assert job.cancelling() == 0
    await begun.wait()
    job.cancel()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert job.cancelling() == 2
    assert job.uncancel() == 1
    assert job.cancelling() == 1


async def test_jobs_beyond_the_room_that_is_kept_for_them_are_no_different() -> None:
    pool = NbAioPool(10, 0)
    for _ in range(3):
        jobs = [pool.submit_nowait(value(number)) for number in range(3000)]
        for job in jobs[::7]:
            job.cancel()
        done = await asyncio.gather(*jobs, return_exceptions=True)
        assert [found for found in done if not isinstance(found, asyncio.CancelledError)] == [
            number for number in range(3000) if number % 7
        ]


async def test_no_task_is_current_between_jobs_and_after_a_pass() -> None:
    seen: List[Any] = []

    class Watcher:
        def __del__(self) -> None:
            seen.append(asyncio.current_task())

    async def make() -> Watcher:
        return Watcher()

    pool = NbAioPool(2)
    loop = asyncio.get_running_loop()
    finished = loop.create_future()
    for _ in range(3):
        pool.submit_nowait(make())  # the result goes with the job, when its step is over

    def look() -> None:
        seen.append(asyncio.current_task())
        finished.set_result(None)

    loop.call_soon(look)
    await finished
    await pool.join()
    assert len(seen) == 4
    assert all(task is None for task in seen)
    tasks = getattr(sys.modules["_asyncio"], "_current_tasks", {})
    loop.call_soon(lambda: seen.append(loop in tasks))
    await turns(2)
    assert seen[-1] is False
