"""Inside a job: its own context, a current task that is its own, and what it raises."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, accounting, counts, fill, park, raises, turns, value

VAR: Any = contextvars.ContextVar("VAR", default="unset")


async def read() -> Any:
    return VAR.get()


async def write(text: str) -> Any:
    VAR.set(text)
    await turns(2)
    return VAR.get()


async def test_a_job_sees_the_context_of_its_submission() -> None:
    pool, gate = NbAioPool(1, 3), Gate()
    VAR.set("first")
    held, early = pool.submit_nowait(gate.hold()), pool.submit_nowait(read())
    VAR.set("second")
    late = await pool.submit(read())
    VAR.set("third")
    gate.open()
    assert await asyncio.gather(early, late) == ["first", "second"]
    await held


async def test_a_job_that_waited_for_room_sees_the_context_of_its_submitter() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)

    async def produce(text: str) -> Any:
        VAR.set(text)
        return await (await pool.submit(read()))

    producers = [asyncio.ensure_future(produce(text)) for text in "abc"]
    await turns(2)
    VAR.set("main")
    gate.open()
    assert await asyncio.gather(*producers) == ["a", "b", "c"]
    await asyncio.gather(*jobs)


async def test_what_a_job_sets_is_seen_by_nobody_else() -> None:
    pool = NbAioPool(2, 10)
    VAR.set("main")
    jobs = [pool.submit_nowait(write(str(i))) for i in range(5)]
    readers = [pool.submit_nowait(read()) for _ in range(2)]
    assert await asyncio.gather(*jobs) == list("01234")
    assert await asyncio.gather(*readers) == ["main", "main"]
    assert VAR.get() == "main"
    assert [job.get_context()[VAR] for job in jobs] == list("01234")  # type: ignore[attr-defined]


async def test_a_job_keeps_its_context_over_every_kind_of_suspension() -> None:
    pool, loop, seen = NbAioPool(1, 1), asyncio.get_running_loop(), []  # type: ignore[var-annotated]

    async def work() -> None:
        VAR.set("mine")
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        for waiting in (
            asyncio.sleep(0),
            asyncio.sleep(0.001),
            future,
            loop.run_in_executor(None, int),
            turns(),
        ):
            await waiting
            seen.append(VAR.get())
        loop.call_soon(lambda: seen.append("callback: %s" % VAR.get()))
        await turns(2)
        seen.append(await asyncio.ensure_future(read()))

    VAR.set("main")
    await pool.submit_nowait(work())
    assert seen == ["mine"] * 5 + ["callback: mine", "mine"]
    assert VAR.get() == "main"


async def test_a_nested_job_gets_a_copy_of_the_submitting_jobs_context() -> None:
    pool = NbAioPool(2, 2)

    async def outer() -> Any:
        VAR.set("outer")
        inner = await pool.submit(write("inner"))
        return await inner, VAR.get(), await pool.run(read())

    VAR.set("main")
    job = await pool.submit(outer())
    assert await job == ("inner", "outer", "outer")
    assert VAR.get() == "main"


async def test_a_cancelled_job_cleans_up_in_its_own_context() -> None:
    pool, gate, seen = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]

    async def work() -> None:
        VAR.set("mine")
        try:
            await gate.wait()
        finally:
            seen.append(VAR.get())

    job = pool.submit_nowait(work())
    await gate.reached(1)
    job.cancel()
    await asyncio.wait([job])
    assert seen == ["mine"]


async def test_the_current_task_of_a_submitted_job_is_the_job_in_every_step() -> None:
    pool, seen = NbAioPool(1, 1), []  # type: ignore[var-annotated]

    async def work() -> None:
        for _ in range(3):
            seen.append(asyncio.current_task())
            await turns()
        await asyncio.sleep(0.001)
        seen.append(asyncio.current_task())

    caller = asyncio.current_task()
    job = await pool.submit(work())
    await job
    assert len(seen) == 4 and all(task is job for task in seen)
    assert asyncio.current_task() is caller


async def test_no_two_unfinished_jobs_share_their_current_task() -> None:
    pool, gate, seen = NbAioPool(5, 5), Gate(), []  # type: ignore[var-annotated]

    async def work() -> None:
        seen.append(asyncio.current_task())
        await gate.wait()
        seen.append(asyncio.current_task())

    jobs = [await pool.submit(work()) for _ in range(10)]
    await gate.reached(5)
    assert len(set(seen)) == 5 and None not in seen
    gate.open()
    await asyncio.gather(*jobs)
    assert len(seen) == 20 and set(seen) == set(jobs)


@pytest.mark.parametrize("name", ["run", "batch_run"])
async def test_the_current_task_is_never_none_and_the_callers_afterwards(name: str) -> None:
    pool, seen = NbAioPool(1, 1), []  # type: ignore[var-annotated]

    async def work() -> None:
        seen.append(asyncio.current_task())
        await turns(2)
        seen.append(asyncio.current_task())

    caller = asyncio.current_task()
    await getattr(pool, name)([work()] if name == "batch_run" else work())
    assert len(seen) == 2 and seen[0] is seen[1] and seen[0] is not None
    assert asyncio.current_task() is caller


async def test_tasks_that_a_job_creates_have_their_own_current_task() -> None:
    pool = NbAioPool(1, 1)

    async def child() -> Any:
        mine = asyncio.current_task()
        await turns()
        assert asyncio.current_task() is mine
        return mine

    async def work() -> Any:
        mine = asyncio.current_task()
        task = asyncio.get_running_loop().create_task(child())  # with eager tasks it runs here and now
        assert asyncio.current_task() is mine
        return mine, task, await task

    job = await pool.submit(work())
    mine, task, seen = await job
    assert mine is job and seen is task


async def test_the_current_task_is_restored_after_a_job_that_failed() -> None:
    pool, loop, seen = NbAioPool(1, 1), asyncio.get_running_loop(), []  # type: ignore[var-annotated]
    job = pool.submit_nowait(raises(LookupError()))
    job.add_done_callback(lambda _: seen.append(asyncio.current_task(loop)))
    with pytest.raises(LookupError):
        await job
    await turns()
    assert seen == [None]


async def test_a_cancelled_error_raised_by_a_job_cancels_its_future_and_frees_its_slot() -> None:
    pool = NbAioPool(1, 1)
    for step in range(3):

        async def work(step: int = step) -> None:
            await turns(step)
            raise asyncio.CancelledError("by itself")

        job = await pool.submit(work())
        follower = await pool.submit(value("next"))
        with pytest.raises(asyncio.CancelledError) as caught:
            await job
        assert job.cancelled()
        assert caught.value.args == ("by itself",)
        assert await follower == "next"
    assert accounting(pool) == (6, 3, 0, 3, 0, 0)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("steps", [0, 1])
def test_interrupts_reach_the_future_and_then_the_loops_caller(
    kind: Any, steps: int, loop_factory: Callable[[], Any]
) -> None:
    loop, pool, error = loop_factory(), NbAioPool(1, 2), kind("stop")
    jobs: List[Any] = []

    async def interrupt() -> None:
        await turns(steps)
        raise error

    async def start() -> Any:
        jobs.extend([pool.submit_nowait(interrupt()), pool.submit_nowait(value("next"))])
        return await jobs[1]

    task = loop.create_task(start())
    with pytest.raises(kind) as caught:
        loop.run_until_complete(task)
    assert caught.value is error
    assert jobs[0].done() and jobs[0].exception() is error
    assert loop.run_until_complete(task) == "next"
    assert accounting(pool) == (2, 1, 1, 0, 0, 0)
    loop.close()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_out_of_run_reaches_the_caller(kind: Any, loop_factory: Callable[[], Any]) -> None:
    loop, pool = loop_factory(), NbAioPool(1, 2)

    async def call() -> None:
        await pool.run(raises(kind("stop")))

    task = loop.create_task(call())
    with pytest.raises(kind, match="stop"):
        loop.run_until_complete(task)
    assert isinstance(task.exception(), kind)
    assert accounting(pool) == (1, 0, 1, 0, 0, 0)
    assert loop.run_until_complete(pool.run(value("usable"))) == "usable"
    loop.close()


class Unusual(BaseException):
    pass


@pytest.mark.parametrize("kind", [Unusual, GeneratorExit])
async def test_other_base_exceptions_reach_the_future_only(kind: Any) -> None:
    pool, error = NbAioPool(1, 1), kind("unusual")
    job = await pool.submit(raises(error))
    follower = await pool.submit(value("next"))
    with pytest.raises(kind) as caught:
        await job
    assert caught.value is error
    assert await follower == "next"
    assert accounting(pool) == (2, 1, 1, 0, 0, 0)


async def test_a_job_may_use_threads_and_asynchronous_generators() -> None:
    pool, loop, log = NbAioPool(2, 2), asyncio.get_running_loop(), []  # type: ignore[var-annotated]

    async def numbers() -> Any:
        try:
            for i in range(10):
                yield i
                await turns()
        finally:
            log.append("closed")

    async def work() -> Any:
        total = 0
        generator = numbers()
        async for i in generator:
            total += await loop.run_in_executor(None, lambda i=i: i * i)
            if i == 3:
                break
        await generator.aclose()
        return total

    assert await (await pool.submit(work())) == 14
    assert log == ["closed"]


async def test_jobs_may_share_locks_queues_and_events() -> None:
    pool, lock, queue, event = NbAioPool(3, 10), asyncio.Lock(), asyncio.Queue(), asyncio.Event()  # type: ignore[var-annotated]
    inside: List[int] = []

    async def locked(i: int) -> None:
        await event.wait()
        async with lock:
            inside.append(i)
            assert len(inside) == 1
            await turns(2)
            inside.remove(i)
        await queue.put(i)

    jobs = [await pool.submit(locked(i)) for i in range(6)]
    await turns(3)
    event.set()
    assert sorted([await queue.get() for _ in range(6)]) == [0, 1, 2, 3, 4, 5]
    await asyncio.gather(*jobs)


async def test_jobs_may_submit_to_and_wait_for_other_jobs_while_there_is_room() -> None:
    pool = NbAioPool(3, 3)

    async def leaf(i: int) -> int:
        await turns()
        return i

    async def work() -> List[int]:
        futures = [await pool.submit(leaf(0)), pool.submit_nowait(leaf(1))]
        return [*await asyncio.gather(*futures), await pool.run(leaf(2))]

    assert await (await pool.submit(work())) == [0, 1, 2]
    assert counts(pool) == {"running": 0, "queued": 0, "waiting": 0}


async def test_a_producer_in_line_is_woken_in_its_own_task_and_context() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    seen = []

    async def produce() -> None:
        VAR.set("producer")
        me = asyncio.current_task()
        await (await pool.submit(value()))
        seen.append((asyncio.current_task() is me, VAR.get()))

    producer = asyncio.ensure_future(produce())
    await turns()
    (other,) = await park(pool, value())
    gate.open()
    await asyncio.gather(producer, other, *jobs)
    await other.result()
    assert seen == [(True, "producer")]
