"""One pool, several event loops: one after another while it is idle, and never two at a time."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, accounting, counts, fill, is_closed, turns, value

Run = Callable[[Any], Any]


def test_one_pool_serves_several_loops_one_after_another(run_loop: Run) -> None:
    pool = NbAioPool(2, 2)

    async def main(i: int) -> Any:
        futures = [await pool.submit(value((i, j))) for j in range(5)]
        return [*await asyncio.gather(*futures), await pool.run(value((i, 5)))]

    for i in range(4):
        assert run_loop(main(i)) == [(i, j) for j in range(6)]
    assert accounting(pool) == (24, 24, 0, 0, 0, 0)


def test_one_pool_serves_loops_of_different_kinds() -> None:
    from loops import KINDS, run_and_close

    pool = NbAioPool(1, 1)
    for make_loop in KINDS.values():
        assert run_and_close(make_loop(), pool.run(value("result"))) == "result"
        assert run_and_close(make_loop(), pool.batch_run([value(1), value(2), value(3)])) == [1, 2, 3]


def test_an_idle_pool_may_change_between_loops_that_are_both_open(loop_factory: Callable[[], Any]) -> None:
    pool, one, other = NbAioPool(1, 1), loop_factory(), loop_factory()
    for i in range(3):
        for loop in (one, other):
            assert loop.run_until_complete(pool.run(value(i))) == i
            assert loop.run_until_complete(pool.batch_run([value(i)])) == [i]
            loop.run_until_complete(pool.join())
    one.close()
    other.close()


def test_a_loop_that_is_run_again_goes_on_with_the_jobs(loop_factory: Callable[[], Any]) -> None:
    pool, loop = NbAioPool(1, 1), loop_factory()

    async def begin() -> Any:
        gate = Gate()
        jobs = fill(pool, gate)
        await gate.reached(1)
        return gate, jobs

    gate, jobs = loop.run_until_complete(begin())
    assert counts(pool) == {"running": 1, "queued": 1, "waiting": 0}
    gate.open()
    assert [loop.run_until_complete(job) for job in jobs] == [0, 1]
    loop.run_until_complete(pool.shutdown())
    loop.close()


def test_a_pool_that_was_busy_elsewhere_may_be_used_once_it_is_idle(loop_factory: Callable[[], Any]) -> None:
    pool, one, other = NbAioPool(1, 1), loop_factory(), loop_factory()

    async def begin() -> Any:
        gate = Gate()
        return gate, fill(pool, gate)

    gate, jobs = one.run_until_complete(begin())
    for _ in range(2):
        with pytest.raises(RuntimeError, match="loop"):
            other.run_until_complete(pool.run(value()))
    gate.open()
    one.run_until_complete(asyncio.wait(jobs))
    assert other.run_until_complete(pool.run(value("usable"))) == "usable"
    assert one.run_until_complete(pool.run(value("here too"))) == "here too"
    one.close()
    other.close()


@pytest.mark.parametrize("name", ["join", "shutdown"])
def test_a_pool_busy_elsewhere_cannot_be_waited_for(name: str, loop_factory: Callable[[], Any]) -> None:
    pool, one, other = NbAioPool(1, 1), loop_factory(), loop_factory()

    async def begin() -> Any:
        gate = Gate()
        return gate, fill(pool, gate)

    gate, jobs = one.run_until_complete(begin())
    with pytest.raises(RuntimeError, match="loop"):
        other.run_until_complete(getattr(pool, name)())
    assert not pool.closed and counts(pool) == {"running": 1, "queued": 1, "waiting": 0}
    gate.open()
    assert [one.run_until_complete(job) for job in jobs] == [0, 1]
    one.close()
    other.close()


def test_a_pool_busy_in_another_thread_refuses_and_goes_on_there(run_loop: Run) -> None:
    pool, begun, end, results = NbAioPool(1, 5), threading.Event(), threading.Event(), []  # type: ignore[var-annotated]
    kept: List[Any] = []

    def elsewhere() -> None:
        async def main() -> None:
            async def work() -> str:
                begun.set()
                await asyncio.get_running_loop().run_in_executor(None, end.wait)
                return "elsewhere"

            kept.append(await pool.submit(work()))
            results.append(await kept[0])

        asyncio.run(main())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    begun.wait()

    async def intrude() -> None:
        coro = value()
        for _ in range(3):
            with pytest.raises(RuntimeError, match="loop"):
                await pool.run(coro)
        assert is_closed(coro)

    run_loop(intrude())
    end.set()
    thread.join()
    assert results == ["elsewhere"]
    assert run_loop(pool.run(value("here"))) == "here"
    assert accounting(pool) == (2, 2, 0, 0, 0, 0)


class Leftovers:
    """A pool with a job that runs, one in the queue and callers in line, in a loop that was closed over them."""

    def __init__(self, loop: Any) -> None:
        self.pool, self.log = NbAioPool(1, 1), []  # type: ignore[var-annotated]
        self.coros = [self.running(), value("queued"), value("in line"), value("in line")]
        self.jobs = loop.run_until_complete(self.begin())
        loop.close()

    async def running(self) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except GeneratorExit:
            self.log.append("closed")
            raise

    async def begin(self) -> Any:
        jobs = [self.pool.submit_nowait(coro) for coro in self.coros[:2]]
        callers = [
            asyncio.ensure_future(call)
            for call in (self.pool.submit(self.coros[2]), self.pool.run(self.coros[3]))
        ]
        await turns(3)
        assert counts(self.pool) == {"running": 1, "queued": 1, "waiting": 2}
        for task in callers:
            task._log_destroy_pending = False  # it is the loop's owner who has left them, not the pool
        self.callers = callers
        return jobs


def test_what_a_closed_loop_has_left_is_closed_when_the_pool_is_used_again(
    loop_factory: Callable[[], Any],
) -> None:
    left = Leftovers(loop_factory())
    loop = loop_factory()
    assert loop.run_until_complete(left.pool.run(value("usable"))) == "usable"
    assert all(is_closed(coro) for coro in left.coros) and left.log == ["closed"]
    assert all(job.cancelled() for job in left.jobs)
    assert accounting(left.pool) == (3, 1, 0, 2, 0, 0)
    assert loop.run_until_complete(left.pool.batch_run([value(i) for i in range(9)])) == list(range(9))
    loop.close()


def test_what_a_closed_loop_has_left_goes_away_with_the_pool(loop_factory: Callable[[], Any]) -> None:
    left = Leftovers(loop_factory())
    reference = weakref.ref(left.pool)
    del left
    for _ in range(3):
        gc.collect()
    assert reference() is None


def test_a_job_of_a_closed_loop_may_still_be_cancelled(loop_factory: Callable[[], Any]) -> None:
    left = Leftovers(loop_factory())
    running, queued = left.jobs
    for job in (queued, running):
        try:
            job.cancel()
        except RuntimeError as error:
            assert "closed" in str(error)
    loop = loop_factory()
    assert loop.run_until_complete(left.pool.run(value("usable"))) == "usable"
    assert running.cancelled() and queued.cancelled()
    loop.close()


def test_a_pool_whose_loop_was_closed_can_be_shut_down_in_another(
    run_loop: Run, loop_factory: Callable[[], Any]
) -> None:
    left = Leftovers(loop_factory())
    run_loop(left.pool.shutdown())
    assert left.pool.closed and counts(left.pool) == {"running": 0, "queued": 0, "waiting": 0}
    assert all(is_closed(coro) for coro in left.coros)


def test_a_coroutine_that_refuses_to_be_closed_does_not_keep_the_pool_from_its_next_loop(
    loop_factory: Callable[[], Any], unraisables: List[str], reports: List[Any]
) -> None:
    pool, loop = NbAioPool(1, 1), loop_factory()

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            raise LookupError("on closing")

    async def begin() -> None:
        pool.submit_nowait(work())
        await turns(2)

    loop.run_until_complete(begin())
    loop.close()
    loop = loop_factory()
    assert loop.run_until_complete(pool.run(value("usable"))) == "usable"
    assert accounting(pool) == (2, 1, 0, 1, 0, 0)
    loop.close()


def test_a_finished_job_can_be_awaited_in_another_loop(run_loop: Run) -> None:
    pool = NbAioPool(1, 1)

    async def make() -> Any:
        job = await pool.submit(value("result"))
        await job
        return job

    job = run_loop(make())

    async def use() -> Any:
        return await job

    assert run_loop(use()) == "result"


def test_a_job_of_another_loop_cannot_be_awaited(loop_factory: Callable[[], Any]) -> None:
    pool, one, other = NbAioPool(1, 1), loop_factory(), loop_factory()

    async def begin() -> Any:
        gate = Gate()
        return gate, pool.submit_nowait(gate.hold("result"))

    async def use(job: Any) -> Any:
        return await job

    gate, job = one.run_until_complete(begin())
    with pytest.raises(RuntimeError, match="different loop"):
        other.run_until_complete(use(job))
    gate.open()
    assert one.run_until_complete(job) == "result"
    one.close()
    other.close()


def test_a_pool_that_is_idle_does_not_keep_a_closed_loop_busy(loop_factory: Callable[[], Any]) -> None:
    pool, loop = NbAioPool(1, 1), loop_factory()
    loop.run_until_complete(pool.run(value()))
    assert not asyncio.all_tasks(loop)
    loop.close()
    assert counts(pool) == {"running": 0, "queued": 0, "waiting": 0}
    pool.max_concurrency, pool.max_queue_size = 5, 5
    assert repr(pool).startswith("<NbAioPool open")


def test_a_job_may_stop_its_loop_and_goes_on_when_that_is_run_again(loop_factory: Callable[[], Any]) -> None:
    pool, loop, steps = NbAioPool(1, 1), loop_factory(), []  # type: ignore[var-annotated]

    async def work() -> str:
        for i in range(6):
            await turns()
            steps.append(i)
            if i == 2:
                loop.stop()
        return "end"

    async def main() -> Any:
        return await (await pool.submit(work()))

    task = loop.create_task(main())
    with pytest.raises(RuntimeError, match="stopped before"):
        loop.run_until_complete(task)
    assert 2 in steps and not task.done() and pool.running == 1
    assert loop.run_until_complete(task) == "end"
    assert steps == list(range(6))
    loop.close()
