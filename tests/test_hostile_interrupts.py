"""Interrupts that strike inside the pool's own calls of the loop: they are raised, and nothing waits for ever."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any, Callable, List, Optional

import pytest

from nb_aiopool import NbAioPool
from support import Gate, accounting, turns, value


class Loop(asyncio.SelectorEventLoop):
    """A loop that is interrupted once, where it is asked to call what has `armed` in its name."""

    armed: Optional[str] = None

    def call_soon(self, callback: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        if self.armed is not None and self.armed in repr(callback):
            self.armed = None
            raise KeyboardInterrupt
        return super().call_soon(callback, *args, **kwargs)


async def producer_is_woken(loop: Loop, pool: NbAioPool) -> List[Any]:
    gate = Gate()
    jobs = [pool.submit_nowait(gate.hold()) for _ in range(2)]
    waits = asyncio.ensure_future(pool.submit(value()))
    await gate.reached(1)
    loop.armed = "task_wakeup" if sys.version_info >= (3, 10) else "TaskWakeup"
    loop.call_later(0.01, jobs[1].cancel)
    loop.call_later(0.02, gate.open)
    return [*jobs, waits]


async def pass_is_scheduled(loop: Loop, pool: NbAioPool) -> List[Any]:
    gate = Gate()
    jobs = [pool.submit_nowait(gate.hold()), pool.submit_nowait(value())]
    await gate.reached(1)
    loop.armed = "pool_pump"
    loop.call_later(0.01, gate.open)
    return jobs


async def job_gives_way(loop: Loop, pool: NbAioPool) -> List[Any]:
    gate = Gate()

    async def job() -> None:
        await gate.wait()
        loop.armed = "job_step"
        await asyncio.sleep(0)

    jobs = [pool.submit_nowait(job())]
    await gate.reached(1)
    loop.call_later(0.01, gate.open)
    return jobs


@pytest.mark.parametrize("scene", [producer_is_woken, pass_is_scheduled, job_gives_way])
def test_an_interrupt_inside_the_pool_is_for_the_caller_of_the_loop(scene: Any) -> None:
    pool, loop = NbAioPool(1, 1), Loop()
    asyncio.set_event_loop(loop)
    try:

        async def main() -> None:
            jobs = await scene(loop, pool)
            await asyncio.wait(jobs)

        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(main())
        accounting(pool)
        loop.run_until_complete(turns(10))
        accounting(pool)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(turns(3))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    # What was interrupted may be lost with its loop, as asyncio loses a task's step; the pool is not.
    assert asyncio.run(asyncio.wait_for(pool.run(value("again")), 5)) == "again"
    accounting(pool)


@pytest.mark.skipif(
    "NB_AIOPOOL_INTERRUPTS" not in os.environ,
    reason="asyncio's own run_forever() may be struck while it cleans up: set NB_AIOPOOL_INTERRUPTS to try",
)
def test_interrupts_at_any_point_leave_a_pool_that_works_in_the_next_loop(script: Any) -> None:
    script(
        """
        import asyncio, gc, random, signal, sys, time, warnings
        from nb_aiopool import NbAioPool

        warnings.simplefilter("ignore")
        sys.unraisablehook = lambda info: None
        pool = NbAioPool(3, 4)

        def interrupt(*_):
            raise KeyboardInterrupt

        signal.signal(signal.SIGALRM, interrupt)

        async def flat(_=None):
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        async def nested(depth=3):
            if depth:
                await asyncio.gather(*[pool.run(nested(depth - 1)) for _ in range(2)])
                await (await pool.submit(nested(depth - 1)))
            await asyncio.sleep(0)

        async def submits():
            while True:
                await pool.submit(flat())

        async def nests():
            while True:
                await pool.run(nested())

        async def maps():
            while True:
                await pool.map(flat, range(20)).collect()

        async def works():
            assert await pool.run(asyncio.sleep(0, 7)) == 7
            jobs = [await pool.submit(asyncio.sleep(0, i)) for i in range(10)]
            assert await asyncio.gather(*jobs) == list(range(10))
            await pool.join()

        def once(main, interval):
            # Not asyncio.run: a task whose step was interrupted before it began makes that wait for ever.
            loop = asyncio.new_event_loop()
            loop.set_exception_handler(lambda loop, context: None)
            asyncio.set_event_loop(loop)
            try:
                # Until it is raised: one that strikes in a destructor is lost.
                signal.setitimer(signal.ITIMER_REAL, random.uniform(0.001, 0.006), interval)
                loop.run_until_complete(main())
            except KeyboardInterrupt:
                pass
            finally:
                while True:
                    try:
                        signal.setitimer(signal.ITIMER_REAL, 0)
                        break
                    except KeyboardInterrupt:
                        pass
            asyncio.set_event_loop(None)
            loop.close()
            stats = pool.stats()
            ended = stats.succeeded + stats.failed + stats.cancelled
            assert stats.submitted == ended + stats.queued + stats.running, stats
            asyncio.run(asyncio.wait_for(works(), 5))
            stats = pool.stats()
            assert stats.submitted == stats.succeeded + stats.failed + stats.cancelled, stats

        asyncio.get_event_loop_policy()
        random.seed(1)
        until = time.monotonic() + 6
        while time.monotonic() < until:
            for main in (submits, nests, maps):
                once(main, 0.002)
        import logging
        logging.disable()
        gc.collect()
        """,
        timeout=25,
    )
