"""Accounting: at every moment submitted == succeeded + failed + cancelled + queued + running."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool, PoolFull
from support import Gate, accounting, fill, is_closed, park, raises, turns, value


async def test_each_outcome_is_counted_where_it_belongs() -> None:
    pool = NbAioPool(1, 0)

    async def suppresses() -> str:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return "went on"
        return "not cancelled"

    async def fails_instead() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            raise LookupError("cleanup") from None

    async def counted(job: Any, cancel: bool, expected: Any) -> None:
        before = accounting(pool)
        future = pool.submit_nowait(job)
        await turns(2)
        if cancel:
            future.cancel()
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()
        after = accounting(pool)
        assert after.submitted == before.submitted + 1
        assert [new - old for new, old in zip(after[1:4], before[1:4])] == expected
        assert (after.queued, after.running) == (0, 0)

    await counted(value(), False, [1, 0, 0])
    await counted(turns(3), False, [1, 0, 0])
    await counted(raises(KeyError()), False, [0, 1, 0])
    await counted(raises(asyncio.CancelledError()), False, [0, 0, 1])
    await counted(asyncio.sleep(3600), True, [0, 0, 1])
    await counted(suppresses(), True, [1, 0, 0])
    await counted(fails_instead(), True, [0, 1, 0])


async def test_a_job_is_counted_from_the_moment_it_is_accepted() -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    jobs = []
    for i, (queued, running) in enumerate([(0, 1), (0, 2), (1, 2), (2, 2)]):
        jobs.append(pool.submit_nowait(gate.hold()))
        assert accounting(pool) == (i + 1, 0, 0, 0, queued, running)
    gate.open()
    await asyncio.gather(*jobs)
    assert accounting(pool) == (4, 4, 0, 0, 0, 0)


async def test_a_job_cancelled_in_the_queue_is_counted_as_cancelled_at_once() -> None:
    pool, gate = NbAioPool(1, 2), Gate()
    running, first, second = fill(pool, gate)
    first.cancel()
    assert accounting(pool) == (3, 0, 0, 1, 1, 1)
    second.cancel()
    second.cancel()
    assert accounting(pool) == (3, 0, 0, 2, 0, 1)
    gate.open()
    await running
    assert accounting(pool) == (3, 1, 0, 2, 0, 0)


async def test_a_cancelled_job_runs_until_its_cleanup_has_ended() -> None:
    pool, gate, cleaning = NbAioPool(1, 2), Gate(), Gate()

    async def job() -> None:
        try:
            await gate.wait()
        finally:
            await cleaning.wait()

    future = pool.submit_nowait(job())
    await gate.reached(1)
    future.cancel()
    await cleaning.reached(1)
    assert accounting(pool) == (1, 0, 0, 0, 0, 1)
    cleaning.open()
    await asyncio.wait([future])
    assert accounting(pool) == (1, 0, 0, 1, 0, 0)


async def test_what_was_not_accepted_is_in_no_count() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    (producer,) = await park(pool, value())
    assert accounting(pool) == (2, 0, 0, 0, 1, 1)
    with pytest.raises(PoolFull):
        pool.submit_nowait(value())
    with pytest.raises(TypeError):
        await pool.submit(5)  # type: ignore[arg-type]
    producer.cancel()
    await asyncio.wait([producer])
    assert accounting(pool) == (2, 0, 0, 0, 1, 1)
    gate.open()
    await asyncio.gather(*jobs)
    assert accounting(pool) == (2, 2, 0, 0, 0, 0)


async def test_run_counts_like_submit() -> None:
    pool = NbAioPool(2, 2)
    seen: List[Any] = []

    async def job() -> None:
        seen.append(accounting(pool))
        await turns()
        seen.append(accounting(pool))

    await pool.run(job())
    assert seen == [(1, 0, 0, 0, 0, 1)] * 2
    with pytest.raises(KeyError):
        await pool.run(raises(KeyError()))
    with pytest.raises(asyncio.CancelledError):
        await pool.run(raises(asyncio.CancelledError()))
    assert accounting(pool) == (3, 1, 1, 1, 0, 0)


@pytest.mark.parametrize("ending", ["result", "exception", "cancelled"])
async def test_a_job_has_ended_in_the_books_when_its_future_is_done(ending: str) -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    seen: List[Any] = []

    async def job() -> None:
        await gate.wait()
        if ending == "exception":
            raise KeyError("expected")

    future = pool.submit_nowait(job())
    future.add_done_callback(lambda _: seen.append(accounting(pool)))
    await gate.reached(1)
    if ending == "cancelled":
        future.cancel()
    gate.open()
    await asyncio.wait([future])
    await turns()
    ended = {"result": (1, 0, 0), "exception": (0, 1, 0), "cancelled": (0, 0, 1)}[ending]
    assert seen == [(1, *ended, 0, 0)]
    assert future.cancelled() or repr(future.exception()) in ("None", "KeyError('expected')")


async def test_the_books_balance_wherever_user_code_runs() -> None:
    pool = NbAioPool(2, 4)
    looks: List[Any] = []

    def look(*_: Any) -> None:
        looks.append(accounting(pool))

    class Watches:
        def __await__(self) -> Any:
            look()
            yield
            look()
            return None

        def __del__(self) -> None:
            look()

    async def job(i: int, watcher: Any) -> None:
        look()
        try:
            await watcher
            if i % 5 == 1:
                raise KeyError(i)
            if i % 5 == 2:
                asyncio.current_task().cancel()  # type: ignore[union-attr]
            await turns(2)
        finally:
            look()

    async def produce(i: int) -> None:
        look()
        future = await pool.submit(job(i, Watches()))
        look()
        future.add_done_callback(look)
        if i % 5 == 3:
            future.cancel()
        look()
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()

    await asyncio.gather(*[produce(i) for i in range(40)])
    look()
    stats = looks[-1]
    assert stats == (40, 16, 8, 16, 0, 0)
    assert len(looks) > 250
    assert max(seen.running for seen in looks) == 2 and max(seen.queued for seen in looks) == 4


async def test_the_books_balance_while_a_queued_coroutine_is_closed() -> None:
    pool, gate = NbAioPool(1, 5), Gate()
    looks: List[Any] = []

    class Argument:
        def __del__(self) -> None:
            looks.append(accounting(pool))

    jobs = [pool.submit_nowait(gate.hold(Argument())) for _ in range(4)]
    await gate.reached(1)
    for cancelled in range(1, 4):
        jobs[1].cancel()
        del jobs[1]  # from 3.12 on, what was closed before it began keeps its arguments as long as it lives
        assert looks == [(4, 0, 0, i, 3 - i, 1) for i in range(1, cancelled + 1)]
    gate.open()
    await jobs[0]


async def test_stats_are_a_snapshot() -> None:
    pool = NbAioPool(1, 1)
    before = pool.stats()
    await pool.run(value())
    assert before.submitted == 0 and pool.stats().submitted == 1
    with pytest.raises(AttributeError):
        before.submitted = 5


async def test_counts_go_on_over_many_rounds() -> None:
    pool = NbAioPool(3, 3)
    for round_ in range(1, 6):
        await pool.batch_run(value() for _ in range(100))
        assert accounting(pool) == (round_ * 100, round_ * 100, 0, 0, 0, 0)


def test_the_books_balance_after_a_loop_has_ended_with_work_left(loop_factory: Callable[[], Any]) -> None:
    pool = NbAioPool(2, 5)
    coros: List[Any] = []

    async def leave_work() -> None:
        for _ in range(6):
            coros.append(asyncio.sleep(3600))
            await pool.submit(coros[-1])
        await turns(2)
        assert accounting(pool) == (6, 0, 0, 0, 4, 2)

    loop = loop_factory()
    loop.run_until_complete(leave_work())
    loop.close()
    other = loop_factory()
    assert other.run_until_complete(pool.run(value("next loop"))) == "next loop"
    stats = accounting(pool)
    assert (stats.submitted, stats.succeeded, stats.queued, stats.running) == (7, 1, 0, 0)
    assert stats.cancelled + stats.failed == 6
    assert all(is_closed(coro) for coro in coros)
    other.close()
