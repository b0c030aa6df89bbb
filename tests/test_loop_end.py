"""A loop that ends as asyncio.run does, over a pool that has work: what runs may clean up, the rest is closed."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, accounting, counts, is_closed, turns, value

Run = Callable[[Any], Any]
IDLE = {"running": 0, "queued": 0, "waiting": 0}


class Worker:
    def __init__(self) -> None:
        self.log: List[str] = []

    def in_order(self) -> List[str]:
        """What was begun, then what was cleaned up: the jobs of a loop that ends are cancelled in any order."""
        return sorted(self.log, key=lambda entry: (entry.split(" ", 1)[1], entry))

    async def job(self, name: str) -> None:
        try:
            self.log.append("%s begun" % name)
            await asyncio.sleep(3600)
        finally:
            await turns(3)
            await asyncio.sleep(0.001)
            self.log.append("%s cleaned up" % name)


def test_running_jobs_are_cancelled_and_finish_their_cleanup_and_queued_ones_are_closed(
    run_loop: Run,
) -> None:
    pool, worker = NbAioPool(2, 3), Worker()
    coros = [worker.job(name) for name in "abcde"]
    jobs: List[Any] = []

    async def main() -> str:
        jobs.extend([await pool.submit(coro) for coro in coros])
        await turns(2)
        return "early"

    assert run_loop(main()) == "early"
    assert worker.in_order() == ["a begun", "b begun", "a cleaned up", "b cleaned up"]
    assert all(job.cancelled() for job in jobs) and all(is_closed(coro) for coro in coros)
    assert counts(pool) == IDLE and accounting(pool) == (5, 0, 0, 5, 0, 0)
    assert run_loop(pool.run(value("usable"))) == "usable"


def test_jobs_that_were_only_accepted_are_cancelled_and_closed(run_loop: Run) -> None:
    pool, worker = NbAioPool(2, 3), Worker()
    coros = [worker.job(name) for name in "abcde"]

    async def main() -> List[Any]:
        return [pool.submit_nowait(coro) for coro in coros]

    jobs = run_loop(main())
    # The slots are given already: the jobs in them may have taken a step while the loop came to its end.
    assert worker.in_order() in ([], ["a begun", "b begun", "a cleaned up", "b cleaned up"])
    assert all(job.cancelled() for job in jobs) and all(is_closed(coro) for coro in coros)
    assert counts(pool) == IDLE


def test_callers_in_line_are_cancelled_and_their_coroutines_closed(run_loop: Run) -> None:
    pool, worker = NbAioPool(1, 1), Worker()
    coros = [worker.job("running"), value(), value(), value(), value(), value()]
    tasks: List[Any] = []

    async def main() -> None:
        for coro in coros[:2]:
            await pool.submit(coro)
        calls = [
            pool.submit(coros[2]),
            pool.run(coros[3]),
            pool.batch_submit([coros[4]]),
            pool.batch_run([coros[5]]),
        ]
        tasks.extend(asyncio.ensure_future(call) for call in calls)
        await turns(3)
        assert pool.waiting == 4

    run_loop(main())
    assert worker.log == ["running begun", "running cleaned up"]
    assert all(task.cancelled() for task in tasks) and all(is_closed(coro) for coro in coros)
    assert counts(pool) == IDLE


def test_calls_of_run_are_cancelled_with_their_jobs(run_loop: Run) -> None:
    pool, worker = NbAioPool(2, 2), Worker()
    tasks: List[Any] = []

    async def main() -> None:
        tasks.extend(asyncio.ensure_future(pool.run(worker.job(name))) for name in "abc")
        await turns(3)

    run_loop(main())
    assert worker.in_order() == ["a begun", "b begun", "a cleaned up", "b cleaned up"]
    assert all(task.cancelled() for task in tasks)
    assert accounting(pool) == (3, 0, 0, 3, 0, 0)


def test_a_main_that_fails_ends_its_jobs_too(run_loop: Run) -> None:
    pool, worker = NbAioPool(1, 1), Worker()

    async def main() -> None:
        await pool.submit(worker.job("a"))
        await turns(2)
        raise LookupError("main")

    with pytest.raises(LookupError, match="main"):
        run_loop(main())
    assert worker.log == ["a begun", "a cleaned up"] and counts(pool) == IDLE


def test_jobs_that_give_way_all_the_time_end_too(run_loop: Run) -> None:
    pool, steps = NbAioPool(3, 3), []  # type: ignore[var-annotated]

    async def spin() -> None:
        while True:
            steps.append(1)
            await turns()

    async def main() -> List[Any]:
        jobs = [await pool.submit(spin()) for _ in range(6)]
        await turns(5)
        return jobs

    assert all(job.cancelled() for job in run_loop(main()))
    assert steps and counts(pool) == IDLE


def test_a_job_that_refuses_to_be_cancelled_is_waited_for(run_loop: Run) -> None:
    pool = NbAioPool(1, 1)

    async def work() -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await turns(5)
        return "stayed"

    async def main() -> Any:
        job = await pool.submit(work())
        await turns(2)
        return job

    assert run_loop(main()).result() == "stayed"


def test_jobs_of_several_pools_end_together(run_loop: Run) -> None:
    pools, worker = [NbAioPool(1, 1) for _ in range(3)], Worker()

    async def wait_for(job: Any) -> None:
        await job

    async def main() -> None:
        inner = await pools[0].submit(worker.job("inner"))
        await pools[1].submit(wait_for(inner))
        await pools[2].submit(worker.job("other"))
        await turns(3)

    run_loop(main())
    assert sorted(worker.log) == ["inner begun", "inner cleaned up", "other begun", "other cleaned up"]
    assert [counts(pool) for pool in pools] == [IDLE] * 3


def test_a_pool_that_drains_is_ended_too(run_loop: Run) -> None:
    pool, worker = NbAioPool(1, 1), Worker()

    async def main() -> None:
        await pool.submit(worker.job("a"))
        await pool.submit(worker.job("b"))
        await turns(2)
        await pool.shutdown(wait=False, timeout=3600)

    run_loop(main())
    assert worker.log == ["a begun", "a cleaned up"] and counts(pool) == IDLE and pool.closed


async def cancel_all_tasks(callers_first: bool) -> None:
    """What asyncio.run does at its end, in an order of one's own: all_tasks() has none."""
    others = sorted(
        asyncio.all_tasks() - {asyncio.current_task()},
        key=lambda task: isinstance(task, asyncio.Task) is not callers_first,
    )
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def in_a_block(pool: NbAioPool, coros: List[Any]) -> None:
    async with pool:
        for coro in coros[:2]:
            await pool.submit(coro)


async def in_a_full_block(pool: NbAioPool, coros: List[Any]) -> None:
    async with pool:
        for coro in coros:
            await pool.submit(coro)


async def in_a_batch(pool: NbAioPool, coros: List[Any]) -> None:
    await pool.batch_run(coros)


async def in_a_fitting_batch(pool: NbAioPool, coros: List[Any]) -> None:
    await pool.batch_run(coros[:2])


async def in_a_call(pool: NbAioPool, coros: List[Any]) -> None:
    await pool.run(coros[0])


async def in_a_shutdown(pool: NbAioPool, coros: List[Any]) -> None:
    await pool.submit(coros[0])
    await pool.shutdown()


@pytest.mark.parametrize("callers_first", [True, False], ids=["callers first", "jobs first"])
@pytest.mark.parametrize(
    "caller", [in_a_block, in_a_full_block, in_a_batch, in_a_fitting_batch, in_a_call, in_a_shutdown]
)
def test_callers_that_are_cancelled_along_do_not_disturb_the_cleanup(
    caller: Any, callers_first: bool, run_loop: Run
) -> None:
    pool, worker = NbAioPool(1, 1), Worker()
    coros = [worker.job("a"), *[value() for _ in range(3)]]

    async def main() -> Any:
        task = asyncio.ensure_future(caller(pool, coros))
        await turns(4)
        assert worker.log == ["a begun"]
        await cancel_all_tasks(callers_first)
        return task

    assert run_loop(main()).cancelled()
    assert worker.log == ["a begun", "a cleaned up"]
    assert counts(pool) == IDLE
    for coro in coros:
        coro.close()


def test_a_pool_that_became_idle_and_busy_again_is_ended_too(run_loop: Run) -> None:
    pool, worker = NbAioPool(1, 1), Worker()

    async def main() -> None:
        for _ in range(3):
            await pool.run(value())
            await pool.join()
            await (await pool.submit(value()))
            await turns(2)
        await pool.submit(worker.job("last"))
        await turns(2)

    for i in range(2):
        run_loop(main())
        assert worker.log == ["last begun", "last cleaned up"] * (i + 1)
    assert counts(pool) == IDLE


def test_cancelling_all_tasks_and_going_on_leaves_a_pool_that_works(run_loop: Run) -> None:
    pool, worker = NbAioPool(1, 2), Worker()

    async def main() -> Any:
        for name in "ab":
            await pool.submit(worker.job(name))
        await turns(2)
        await cancel_all_tasks(callers_first=False)
        assert counts(pool) == IDLE
        await pool.submit(worker.job("c"))
        await turns(2)
        return await asyncio.wait_for(pool.join(), 0.01)

    with pytest.raises(asyncio.TimeoutError):
        run_loop(main())
    assert worker.log == ["a begun", "a cleaned up", "c begun", "c cleaned up"]


def test_the_end_of_the_loop_waits_for_a_job_that_is_held_by_another(run_loop: Run) -> None:
    pool = NbAioPool(2, 2)
    gates: List[Gate] = []

    async def opens_late() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await turns(10)
            gates[0].open()

    async def main() -> List[Any]:
        gates.append(Gate())

        async def patient() -> str:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                return await gates[0].hold("released")
            return "never"

        jobs = [await pool.submit(patient()), await pool.submit(opens_late())]
        await turns(2)
        return jobs

    patient, late = run_loop(main())
    assert patient.result() == "released" and late.cancelled()


def test_jobs_that_nothing_can_wake_and_nobody_holds_are_collected_in_silence(run_loop: Run) -> None:
    log: List[Any] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            log.append("closed")

    async def main() -> None:
        pool = NbAioPool(2, 3)
        for _ in range(4):
            await pool.submit(work())
        await turns(2)
        del pool
        for _ in range(3):
            gc.collect()
            await turns()

    run_loop(main())
    assert log == ["closed"] * 2


@pytest.mark.skipif(not hasattr(asyncio, "Runner"), reason="asyncio.Runner is there from Python 3.11 on")
def test_a_runner_that_is_closed_ends_the_jobs_of_all_its_runs() -> None:
    pool, worker = NbAioPool(2, 2), Worker()

    async def submit(name: str) -> Any:
        job = await pool.submit(worker.job(name))
        await turns(2)
        return job

    with asyncio.Runner() as runner:  # type: ignore[attr-defined]
        jobs = [runner.run(submit("a")), runner.run(submit("b"))]
        assert worker.log == ["a begun", "b begun"]
        assert pool.running == 2
    assert sorted(worker.log[2:]) == ["a cleaned up", "b cleaned up"]
    assert all(job.cancelled() for job in jobs)


@pytest.mark.loop(
    "asyncio", "eager", "uvloop"
)  # in debug mode the jobs are tasks, and asyncio itself cancels each
def test_asyncio_run_ends_though_a_job_waits_for_itself_through_a_gather(
    run_loop: Any, reports: List[Any]
) -> None:
    pool, jobs = NbAioPool(1), []  # type: ignore[var-annotated]

    async def waits_for_itself() -> None:
        await asyncio.gather(jobs[0], return_exceptions=True)

    async def main() -> None:
        jobs.append(await pool.submit(waits_for_itself()))
        await turns(3)

    run_loop(main())
    assert accounting(pool)[4:] == (0, 0)
    reports.clear()
