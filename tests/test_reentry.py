"""The pool while other code runs in the middle of its own calls: the collector, cleanups, a loop that is replaced."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool
from support import turns


def test_the_collector_may_free_a_waiting_run_while_the_pool_is_shut_down(script: Any) -> None:
    script(
        """
        import asyncio, gc, warnings
        from nb_aiopool import NbAioPool

        warnings.simplefilter("ignore")

        async def main(threshold):
            pool = NbAioPool(1, 1)
            gc.collect()
            gc.disable()
            gc.set_threshold(threshold)
            await pool.batch_submit(asyncio.sleep(0.001) for _ in range(2))
            waiting = []
            for _ in range(3):
                call = pool.run(asyncio.sleep(0))
                call.send(None)
                waiting.append(call)
            waiting.append(waiting)
            del call, waiting
            gc.enable()
            await pool.shutdown(cancel=True)
            stats = pool.stats()
            assert stats.submitted == stats.succeeded + stats.failed + stats.cancelled, stats

        for threshold in range(1, 60):
            asyncio.run(asyncio.wait_for(main(threshold), 10))
        """
    )


def test_a_run_that_is_left_on_a_closed_loop_may_use_the_pool_in_its_cleanup(script: Any) -> None:
    script(
        """
        import asyncio
        from nb_aiopool import NbAioPool

        pool = NbAioPool(2, 2)

        async def value():
            return 1

        async def job():
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                pool.submit_nowait(value())

        old = asyncio.new_event_loop()
        call = pool.run(job())
        task = old.create_task(call)
        old.call_later(0.01, old.stop)
        old.run_forever()
        old.close()

        async def main():
            call.close()
            await pool.join()
            stats = pool.stats()
            assert (stats.submitted, stats.succeeded, stats.cancelled) == (2, 1, 1), stats

        new = asyncio.new_event_loop()
        new.run_until_complete(main())
        new.close()
        task._log_destroy_pending = False
        """
    )


async def test_jobs_that_only_give_way_do_not_keep_others_from_beginning() -> None:
    pool = NbAioPool(10, 10)
    begun: List[bool] = []

    async def spin() -> None:
        while not begun:
            for _ in range(20_000):
                pass
            await asyncio.sleep(0)

    async def begin() -> None:
        begun.append(True)

    spinners = [pool.submit_nowait(spin()) for _ in range(5)]
    await turns(2)
    await pool.submit(begin())
    await asyncio.gather(*spinners)
    assert begun == [True]


async def test_a_call_that_is_closed_counts_as_cancelled() -> None:
    pool = NbAioPool(2, 2)

    async def held() -> None:
        await asyncio.get_running_loop().create_future()

    call = pool.run(held())
    call.send(None)
    call.close()
    assert pool.stats()[:4] == (1, 0, 0, 1)


@pytest.mark.parametrize("kind", ["task", "job"])
async def test_a_given_future_must_be_one_that_can_be_set(kind: str) -> None:
    pool = NbAioPool(2, 2)
    given: Any = (
        asyncio.ensure_future(asyncio.sleep(0)) if kind == "task" else pool.submit_nowait(asyncio.sleep(0))
    )
    with pytest.raises(TypeError, match="create_future"):
        await pool.submit(asyncio.sleep(0), future=given)
    await given
    await pool.join()
