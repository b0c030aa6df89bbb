"""anyio inside jobs: cancel scopes, task groups and time limits find a task of their own there."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, raises, turns, value

anyio = pytest.importorskip("anyio")

NAMES = ["submit", "run"]


async def result_of(pool: NbAioPool, name: str, coro: Any) -> Any:
    got = await getattr(pool, name)(coro)
    return await got if name == "submit" else got


@pytest.mark.parametrize("name", NAMES)
async def test_a_cancel_scope_ends_its_block_alone(name: str) -> None:
    pool, gate = NbAioPool(1, 1), Gate()

    async def work() -> Any:
        with anyio.CancelScope() as scope:
            asyncio.get_running_loop().call_soon(scope.cancel)
            await gate.wait()
        assert scope.cancel_called
        await anyio.sleep(0)
        return "went on"

    assert await result_of(pool, name, work()) == "went on"


@pytest.mark.parametrize("name", NAMES)
async def test_time_limits_end_their_blocks_alone(name: str) -> None:
    pool, gate = NbAioPool(1, 1), Gate()

    async def work() -> Any:
        with anyio.move_on_after(0.01) as scope:
            await gate.wait()
        assert scope.cancel_called
        with pytest.raises(TimeoutError), anyio.fail_after(0.01):
            await anyio.sleep(3600)
        with anyio.fail_after(3600):
            await turns(2)
        return "went on"

    assert await result_of(pool, name, work()) == "went on"


async def test_scopes_of_different_jobs_do_not_mix() -> None:
    pool = NbAioPool(10, 10)

    async def work(i: int) -> Any:
        with anyio.move_on_after(0.005 if i % 2 else 3600) as scope:
            await anyio.sleep(0.02)
        await turns(i)
        return scope.cancel_called

    assert await pool.batch_run(work(i) for i in range(20)) == [bool(i % 2) for i in range(20)]


@pytest.mark.parametrize("name", NAMES)
async def test_a_task_group_waits_for_its_tasks(name: str) -> None:
    pool, log = NbAioPool(1, 1), []  # type: ignore[var-annotated]

    async def child(i: int) -> None:
        await turns(i)
        log.append(i)

    async def work() -> Any:
        async with anyio.create_task_group() as group:
            for i in range(3):
                group.start_soon(child, i)
        return "all"

    assert await result_of(pool, name, work()) == "all"
    assert sorted(log) == [0, 1, 2]


@pytest.mark.parametrize("name", NAMES)
async def test_a_task_group_that_fails_cancels_its_tasks_and_not_the_job(name: str) -> None:
    pool, gate, cancelled = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]

    async def child() -> None:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    async def work() -> Any:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(child)
                await gate.reached(1)
                group.start_soon(raises, LookupError("mine"))
        except BaseException as error:
            assert "LookupError" in repr(getattr(error, "exceptions", error))
        await turns(2)
        return "went on"

    assert await result_of(pool, name, work()) == "went on"
    assert cancelled == [1]


async def test_cancelling_a_job_goes_through_its_scopes() -> None:
    pool, gate, log = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]

    async def work() -> None:
        with anyio.CancelScope():
            async with anyio.create_task_group() as group:
                group.start_soon(gate.wait)
                try:
                    await gate.wait()
                finally:
                    with anyio.CancelScope(shield=True):
                        await turns(2)
                        log.append("shielded cleanup")

    job = await pool.submit(work())
    await gate.reached(2)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert job.cancelled() and log == ["shielded cleanup"]


async def test_a_cancelled_scope_around_a_call_cancels_the_job() -> None:
    pool, gate, log = NbAioPool(1, 1), Gate(), []  # type: ignore[var-annotated]

    async def work() -> None:
        try:
            await gate.wait()
        finally:
            log.append("cleaned up")

    with anyio.move_on_after(0.01):
        await pool.run(work())
    assert log == ["cleaned up"]
    with anyio.move_on_after(0.01):
        async with NbAioPool(1, 1) as block:
            await block.submit(work())
    assert log == ["cleaned up"] * 2
    assert await pool.run(value("usable")) == "usable"


async def test_threads_locks_and_limiters_work_in_jobs() -> None:
    pool = NbAioPool(3, 10)
    lock, limiter, inside = anyio.Lock(), anyio.CapacityLimiter(1), []  # type: ignore[var-annotated]

    async def work(i: int) -> int:
        async with limiter, lock:
            inside.append(i)
            assert len(inside) == 1
            await anyio.sleep(0)
            inside.remove(i)
        square: int = await anyio.to_thread.run_sync(lambda: i * i)
        return square

    assert await pool.batch_run(work(i) for i in range(6)) == [i * i for i in range(6)]


async def test_what_anyio_says_of_the_current_task_is_the_job() -> None:
    pool, seen = NbAioPool(2, 2), []  # type: ignore[var-annotated]

    async def work() -> None:
        seen.append(anyio.get_current_task())
        await turns()

    jobs: List[Any] = [await pool.submit(work()) for _ in range(3)]
    await asyncio.gather(*jobs)
    assert [info.id for info in seen] == [id(job) for job in jobs]
    assert [info.name for info in seen] == [job.get_name() for job in jobs]


async def test_tools_of_anyio_that_list_tasks_work_while_a_pool_is_busy() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    job = pool.submit_nowait(gate.hold())
    await gate.reached(1)
    assert len(anyio.get_running_tasks()) >= 2
    assert not any(info.has_pending_cancellation() for info in anyio.get_running_tasks())
    await anyio.wait_all_tasks_blocked()  # the job waits, so nothing is about to happen
    gate.open()
    await job


async def test_wait_all_tasks_blocked_waits_for_jobs_that_are_about_to_go_on() -> None:
    pool, steps = NbAioPool(1, 5), []  # type: ignore[var-annotated]
    release = asyncio.get_running_loop().create_future()

    async def work(i: int) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        steps.append(i)
        if i == 2:
            await release

    jobs = [pool.submit_nowait(work(i)) for i in range(3)]
    await anyio.wait_all_tasks_blocked()
    assert steps == [0, 1, 2]
    release.set_result(None)
    await asyncio.gather(*jobs)
