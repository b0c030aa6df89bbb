"""Jobs are tasks to whoever asks: asyncio's own tools, cancel scopes and task groups work on them and in them."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, accounting, fill, raises, turns, value

since_3_11 = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="asyncio.timeout and TaskGroup are there from 3.11 on"
)


async def test_gather_keeps_the_order_of_jobs_tasks_and_coroutines() -> None:
    pool = NbAioPool(2, 4)
    jobs = [pool.submit_nowait(value(i)) for i in range(4)]
    mixed = [
        jobs[0],
        asyncio.ensure_future(value("task")),
        jobs[1],
        value("coroutine"),
        jobs[3],
        jobs[2],
        jobs[0],
    ]
    assert await asyncio.gather(*mixed) == [0, "task", 1, "coroutine", 3, 2, 0]


async def test_cancelling_a_gather_cancels_its_jobs() -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    jobs = fill(pool, gate)
    gathered = asyncio.gather(*jobs)
    await gate.reached(2)
    gathered.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gathered
    await pool.join()
    assert all(job.cancelled() for job in jobs)


async def test_a_gather_takes_the_exceptions_of_jobs_as_results() -> None:
    pool, error = NbAioPool(2, 2), LookupError("mine")
    jobs = [pool.submit_nowait(raises(error)), pool.submit_nowait(value(1)), pool.submit_nowait(value(2))]
    jobs[2].cancel()
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert results[:2] == [error, 1] and isinstance(results[2], asyncio.CancelledError)


async def test_wait_and_as_completed_take_jobs() -> None:
    pool, gate = NbAioPool(2, 4), Gate()
    held = pool.submit_nowait(gate.hold("held"))
    jobs = [pool.submit_nowait(value(i)) for i in range(3)]
    done, pending = await asyncio.wait([held, *jobs], return_when=asyncio.FIRST_COMPLETED)
    assert done and held in pending and held not in done
    assert sorted([await one for one in asyncio.as_completed(jobs)]) == [0, 1, 2]
    failing = pool.submit_nowait(raises(LookupError()))
    done, pending = await asyncio.wait([held, failing], return_when=asyncio.FIRST_EXCEPTION)
    assert (done, pending) == ({failing}, {held})
    failing.exception()
    done, pending = await asyncio.wait([held], timeout=0)
    assert (done, pending) == (set(), {held})
    gate.open()
    assert await asyncio.wait([held, *jobs]) == ({held, *jobs}, set())


async def test_wait_for_cancels_a_job_that_takes_too_long() -> None:
    pool, gate, log = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]

    async def work() -> None:
        try:
            await gate.wait()
        finally:
            await turns(2)
            log.append("cleaned up")

    job = pool.submit_nowait(work())
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(job, 0.01)
    assert job.cancelled() and log == ["cleaned up"]
    assert await asyncio.wait_for(pool.submit_nowait(value("in time")), 10) == "in time"
    assert await asyncio.wait_for(await pool.submit(value("in time")), None) == "in time"


async def test_wait_for_drops_a_job_that_does_not_begin_in_time() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    held, queued = fill(pool, gate)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(queued, 0.01)
    assert queued.cancelled() and pool.queued == 0
    gate.open()
    await held


async def test_shield_protects_a_job() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    job = pool.submit_nowait(gate.hold("kept"))
    shield = asyncio.shield(job)
    await gate.reached(1)
    shield.cancel()
    await turns(2)
    assert not job.done()
    gate.open()
    assert await job == "kept"
    assert await asyncio.shield(job) == "kept"


async def test_inside_a_job_wait_for_times_out_only_what_it_waits_for() -> None:
    pool, gate = NbAioPool(2, 2), Gate()

    async def work(i: int) -> Any:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(gate.wait(), 0.01)
        await turns()
        return i, await asyncio.wait_for(value("in time"), 10)

    assert await pool.batch_run(work(i) for i in range(4)) == [(i, "in time") for i in range(4)]


async def test_inside_a_job_gather_shield_and_wait_work() -> None:
    pool = NbAioPool(2, 2)

    async def work() -> Any:
        gathered = await asyncio.gather(value(1), turns(2), asyncio.shield(value(2)))
        done, _ = await asyncio.wait([asyncio.ensure_future(value(3))])
        return [*gathered, *[task.result() for task in done]]

    assert await (await pool.submit(work())) == [1, None, 2, 3]


async def test_a_job_may_run_a_subprocess_of_its_own_streams_and_timers() -> None:
    pool, seen = NbAioPool(2, 2), []  # type: ignore[var-annotated]

    async def echo(reader: Any, writer: Any) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def client(port: int, text: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text)
        answer: bytes = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    seen = await pool.batch_run(client(port, b"line %d\n" % i) for i in range(5))
    assert seen == [b"line %d\n" % i for i in range(5)]
    server.close()
    await server.wait_closed()


@since_3_11
async def test_inside_a_job_timeout_times_out_its_block_alone() -> None:
    pool, gate = NbAioPool(2, 2), Gate()

    async def work() -> Any:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):  # type: ignore[attr-defined]
                await gate.wait()
        await turns()
        async with asyncio.timeout(10):  # type: ignore[attr-defined]
            await turns()
        me: Any = asyncio.current_task()
        return me.cancelling()

    assert await (await pool.submit(work())) == 0
    assert await pool.run(work()) == 0


@since_3_11
async def test_inside_a_job_an_outer_timeout_is_told_from_an_inner_one() -> None:
    pool, log = NbAioPool(1, 1), []  # type: ignore[var-annotated]

    async def work() -> str:
        try:
            async with asyncio.timeout(0.01):  # type: ignore[attr-defined]
                try:
                    async with asyncio.timeout(3600):  # type: ignore[attr-defined]
                        await asyncio.sleep(3600)
                except TimeoutError:
                    log.append("inner")
        except TimeoutError:
            log.append("outer")
        return "end"

    assert await (await pool.submit(work())) == "end"
    assert log == ["outer"]


@since_3_11
async def test_inside_a_job_a_timeout_does_not_swallow_a_cancellation() -> None:
    pool, gate = NbAioPool(1, 1), Gate()

    async def work() -> None:
        async with asyncio.timeout(3600):  # type: ignore[attr-defined]
            await gate.wait()

    job = await pool.submit(work())
    await gate.reached(1)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert job.cancelled()


@since_3_11
async def test_inside_a_job_a_task_group_works_and_fails_as_anywhere() -> None:
    pool, gate = NbAioPool(2, 2), Gate()

    async def work(error: Any) -> Any:
        async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined]
            tasks = [group.create_task(value(i)) for i in range(3)]
            if error is not None:
                group.create_task(gate.hold())
                group.create_task(raises(error))
        return [task.result() for task in tasks]

    error = LookupError("mine")
    assert await (await pool.submit(work(None))) == [0, 1, 2]
    for call in (pool.submit_nowait(work(error)), pool.run(work(error))):
        try:
            await call
        except BaseException as group:
            assert type(group).__name__ == "ExceptionGroup" and group.exceptions == (error,)  # type: ignore[attr-defined]
        else:
            pytest.fail("no exception")


@since_3_11
async def test_cancelling_a_job_cancels_its_task_group() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    tasks: List[Any] = []

    async def work() -> None:
        async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined]
            tasks.extend(group.create_task(gate.hold()) for _ in range(3))

    job = await pool.submit(work())
    await gate.reached(3)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert all(task.cancelled() for task in tasks)


@since_3_11
async def test_a_pool_may_be_fed_from_a_task_group() -> None:
    pool = NbAioPool(2, 2)

    async def feed(i: int) -> Any:
        return await (await pool.submit(value(i)))

    async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined]
        tasks = [group.create_task(feed(i)) for i in range(20)]
        calls = [group.create_task(pool.run(value(i))) for i in range(20)]
    assert [task.result() for task in tasks] == [task.result() for task in calls] == list(range(20))
    assert accounting(pool) == (40, 40, 0, 0, 0, 0)
