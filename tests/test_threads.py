"""Pools in several threads: each belongs to its loop's thread, and none disturbs another."""

from __future__ import annotations

import asyncio
import sysconfig
import threading
from typing import Any, Callable, List

from nb_aiopool import NbAioPool
from support import accounting, raises, turns, value
from threads import at_once

THREADS = 4


def in_threads(work: Callable[[int], None]) -> None:
    at_once(THREADS, work)


def test_pools_of_different_threads_work_side_by_side(loop_factory: Callable[[], Any]) -> None:
    async def cancelled(i: int) -> None:
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        await turns()

    async def main(number: int) -> None:
        async with NbAioPool(3, 5) as pool:
            for i in range(200):
                jobs = [
                    await pool.submit(make)
                    for make in (value(i), turns(2), raises(LookupError(i)), cancelled(i))
                ]
                assert await pool.run(value((number, i))) == (number, i)
                results = await asyncio.gather(*jobs, return_exceptions=True)
                assert results[:2] == [i, None] and repr(results[2]) == repr(LookupError(i))
                assert isinstance(results[3], asyncio.CancelledError)
                assert all(repr(job) for job in jobs)
        assert accounting(pool) == (1000, 600, 200, 200, 0, 0)

    def work(number: int) -> None:
        loop = loop_factory()
        loop.run_until_complete(main(number))
        loop.close()

    in_threads(work)


def test_jobs_of_different_threads_have_different_names() -> None:
    names: List[List[str]] = [[] for _ in range(THREADS)]

    async def main(number: int) -> None:
        pool = NbAioPool(1, 1)
        for _ in range(300):
            job: Any = await pool.submit(value())
            await job
            names[number].append(job.get_name())

    in_threads(lambda number: asyncio.run(main(number)))
    assert len({name for some in names for name in some}) == 300 * THREADS


def test_one_pool_may_serve_many_threads_one_after_another() -> None:
    pool, turn = NbAioPool(2, 2), threading.Lock()

    def work(number: int) -> None:
        for i in range(10):
            with turn:
                assert asyncio.run(pool.batch_run([value(i), value(number), turns(1)])) == [i, number, None]

    in_threads(work)
    assert accounting(pool) == (30 * THREADS, 30 * THREADS, 0, 0, 0, 0)


def test_a_pool_that_several_threads_fight_over_serves_or_refuses_each(script: Callable[..., Any]) -> None:
    script(
        """
        import asyncio, threading
        from nb_aiopool import NbAioPool

        pool, served, refused, errors = NbAioPool(2, 2), [], [], []
        start = threading.Barrier(4)

        async def value(result):
            await asyncio.sleep(0)
            return result

        async def call(number, i):
            if i % 2:
                return await pool.run(value((number, i)))
            return await (await pool.submit(value((number, i))))

        async def main(number):
            start.wait()
            for i in range(1000):
                try:
                    served.append(await call(number, i))
                except RuntimeError as error:
                    assert "loop" in str(error), error
                    refused.append((number, i))
                except BaseException as error:
                    errors.append(error)
                    raise
                if i % 10 == 0:
                    await asyncio.sleep(0)

        threads = [threading.Thread(target=lambda number=number: asyncio.run(main(number))) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, errors
        assert len(served) + len(refused) == 4000 == len(set(served) | set(refused))
        assert asyncio.run(pool.run(value("usable"))) == "usable"
        stats = pool.stats()
        assert stats.submitted == stats.succeeded == len(served) + 1, stats
        """
    )


def test_a_build_without_a_global_lock_stays_without_it(script: Callable[..., Any]) -> None:
    done = script(
        """
        import sys
        import nb_aiopool
        print(getattr(sys, "_is_gil_enabled", lambda: True)())
        """,
        flags=["-W", "error"],
    )
    assert done.stdout == "%s\n" % (not sysconfig.get_config_var("Py_GIL_DISABLED"))


def test_a_job_may_finish_in_a_thread_that_was_ended_while_others_look_at_it() -> None:
    pool = NbAioPool(1, 1)
    jobs: List[Any] = []

    async def main() -> None:
        for i in range(100):
            jobs.append(await pool.submit(value(i)))
            await jobs[-1]

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    while thread.is_alive():
        assert repr(pool)
        assert pool.running in (0, 1) and pool.stats().submitted <= 100
        assert all(repr(job) for job in jobs[-3:])
    thread.join()
    assert [job.result() for job in jobs] == list(range(100))
