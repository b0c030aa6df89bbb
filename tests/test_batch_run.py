"""batch_run: results in order, the first exception, and cancellation of the whole batch."""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Iterator, List

import pytest

from nb_aiopool import NbAioPool, PoolFull
from support import Gate, Load, accounting, append, counts, fill, is_closed, raises, turns, value


class ExpectedError(Exception):
    pass


class Unusual(BaseException):
    """Neither an Exception nor one of those that stop the loop."""


async def until_cancelled(log: Any, i: int, arrived: Gate) -> None:
    """A job that waits for ever, and takes some turns to clean up when it is cancelled."""
    arrived.arrived += 1
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await turns(3)
        log.append(i)


@pytest.mark.parametrize("limit", [1, 3, 20])
async def test_the_results_have_the_order_of_the_input(limit: int) -> None:
    pool = NbAioPool(limit, 4)

    async def job(i: int) -> int:
        await turns(20 - i)  # later ones end first
        return i

    results = await pool.batch_run([job(i) for i in range(20)])
    assert type(results) is list and results == list(range(20))


async def test_generators_and_async_generators_are_taken() -> None:
    pool = NbAioPool(2, 2)

    async def coros() -> AsyncIterator[Any]:
        for i in range(9):
            await turns()
            yield value(i)

    assert await pool.batch_run(value(i) for i in range(9)) == list(range(9))
    assert await pool.batch_run(coros()) == list(range(9))


@pytest.mark.parametrize("block", [True, False])
@pytest.mark.parametrize("return_exceptions", [True, False])
async def test_an_empty_input_gives_an_empty_list(block: bool, return_exceptions: bool) -> None:
    assert await NbAioPool(1, 1).batch_run([], block, return_exceptions=return_exceptions) == []


async def test_return_exceptions_can_only_be_given_by_name() -> None:
    run: Any = NbAioPool(1, 1).batch_run
    with pytest.raises(TypeError):
        run([], True, True)


async def test_the_limit_holds_within_a_batch() -> None:
    pool, load = NbAioPool(4, 2), Load()
    await pool.batch_run(load.job() for _ in range(30))
    assert (load.peak, load.ended) == (4, 30)


async def test_a_huge_generator_is_never_in_memory_at_once() -> None:
    pool, alive, peak = NbAioPool(3, 5), 0, 0

    async def job(i: int) -> int:
        nonlocal alive
        alive -= 1
        return i

    def coros() -> Iterator[Any]:
        nonlocal alive, peak
        for i in range(5_000):
            alive += 1
            peak = max(peak, alive)
            yield job(i)

    assert await pool.batch_run(coros()) == list(range(5_000))
    assert alive == 0 and peak <= 3 + 5 + 1


async def test_the_first_exception_is_raised_and_the_other_jobs_go_on() -> None:
    pool, gate = NbAioPool(4, 4), Gate()
    log: List[Any] = []
    error = ExpectedError("first")

    async def slow(i: int) -> None:
        await gate.wait()
        log.append(i)

    with pytest.raises(ExpectedError) as caught:
        await pool.batch_run([slow(0), raises(error), slow(2)])
    assert caught.value is error
    assert counts(pool) == {"running": 2, "queued": 0, "waiting": 0}
    gate.open()
    await pool.join()
    assert log == [0, 2]


async def test_the_first_exception_is_the_first_in_time_not_in_the_input() -> None:
    pool = NbAioPool(4, 4)

    async def fails_after(n: int) -> None:
        await turns(n)
        raise ExpectedError(n)

    with pytest.raises(ExpectedError, match="^1$"):
        await pool.batch_run([fails_after(9), fails_after(1), fails_after(5)])
    await pool.join()
    assert accounting(pool).failed == 3


async def test_an_exception_is_raised_only_after_the_whole_batch_is_submitted() -> None:
    pool, gate, drawn = NbAioPool(2, 1), Gate(), 0

    def coros() -> Iterator[Any]:
        nonlocal drawn
        drawn += 1
        yield raises(ExpectedError("early"))
        for i in range(6):
            drawn += 1
            yield gate.hold(i)

    batch = asyncio.ensure_future(pool.batch_run(coros()))
    await gate.reached(2)
    await turns(10)
    assert not batch.done() and drawn < 7
    gate.open()
    with pytest.raises(ExpectedError, match="early"):
        await batch
    assert drawn == 7 and accounting(pool).submitted == 7
    await pool.join()
    assert accounting(pool).succeeded == 6


async def test_exceptions_after_the_first_one_are_not_reported_as_lost(reports: Any) -> None:
    pool = NbAioPool(2, 10)
    with pytest.raises(ExpectedError, match="0"):
        await pool.batch_run([raises(ExpectedError(i)) for i in range(6)])
    await pool.join()
    await turns(2)
    assert reports == [] and accounting(pool).failed == 6


async def test_return_exceptions_gives_results_and_exceptions_in_their_places() -> None:
    pool, errors = NbAioPool(2, 2), [ExpectedError("a"), Unusual("b"), asyncio.CancelledError("c")]
    coros = [value(0), raises(errors[0]), raises(errors[1]), value(3), raises(errors[2]), value(5)]
    results = await pool.batch_run(coros, return_exceptions=True)
    assert results[0:6:3] == [0, 3] and results[5] == 5
    assert results[1] is errors[0] and results[2] is errors[1]
    assert isinstance(results[4], asyncio.CancelledError)
    stats = accounting(pool)
    assert (stats.succeeded, stats.failed, stats.cancelled) == (3, 2, 1)


async def test_an_unusual_exception_is_raised_like_any_other() -> None:
    pool, error = NbAioPool(2, 2), Unusual("b")
    with pytest.raises(Unusual) as caught:
        await pool.batch_run([value(), raises(error)])
    assert caught.value is error


async def test_a_job_that_is_cancelled_raises_cancelled_error_and_the_others_go_on() -> None:
    pool, gate = NbAioPool(3, 3), Gate()
    batch = asyncio.ensure_future(
        pool.batch_run([gate.hold(), raises(asyncio.CancelledError()), gate.hold()])
    )
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert counts(pool)["running"] == 2
    gate.open()
    await pool.join()
    assert (accounting(pool).succeeded, accounting(pool).cancelled) == (2, 1)


async def test_exceptions_as_results_are_results() -> None:
    results = [ExpectedError("returned"), StopIteration(1), asyncio.CancelledError()]
    assert await NbAioPool(1, 1).batch_run([value(result) for result in results]) == results


async def test_cancelling_the_caller_cancels_all_jobs() -> None:
    pool, arrived = NbAioPool(2, 5), Gate()
    log: List[Any] = []
    coros = [until_cancelled(log, i, arrived) for i in range(6)]
    batch = asyncio.ensure_future(pool.batch_run(coros))
    await turns(5)
    assert arrived.arrived == 2 and counts(pool) == {"running": 2, "queued": 4, "waiting": 0}
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    await pool.join()
    assert log == [0, 1]
    assert all(is_closed(coro) for coro in coros)
    assert counts(pool) == {"running": 0, "queued": 0, "waiting": 0}
    assert accounting(pool).cancelled == 6


async def test_cancelling_the_caller_while_it_submits_cancels_and_closes_everything() -> None:
    pool, arrived = NbAioPool(2, 1), Gate()
    log: List[Any] = []
    coros = [until_cancelled(log, i, arrived) for i in range(9)]
    batch = asyncio.ensure_future(pool.batch_run(coros))
    await turns(5)
    assert counts(pool) == {"running": 2, "queued": 1, "waiting": 1}
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    await pool.join()
    assert log == [0, 1]
    assert all(is_closed(coro) for coro in coros)
    stats = accounting(pool)
    assert (stats.submitted, stats.cancelled, pool.waiting) == (3, 3, 0)


async def test_cancelling_the_caller_closes_an_async_input() -> None:
    pool, arrived = NbAioPool(1, 1), Gate()
    log: List[Any] = []
    closed: List[Any] = []

    async def coros() -> AsyncIterator[Any]:
        try:
            while True:
                yield until_cancelled(log, 0, arrived)
        finally:
            await turns()
            closed.append(True)

    batch = asyncio.ensure_future(pool.batch_run(coros()))
    await turns(5)
    assert pool.waiting == 1
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert closed == [True]
    await pool.join()
    assert log == [0] and accounting(pool).cancelled == 2


async def test_cancelling_a_batch_leaves_other_jobs_alone() -> None:
    pool, gate, arrived = NbAioPool(2, 5), Gate(), Gate()
    log: List[Any] = []
    mine = pool.submit_nowait(gate.hold("mine"))
    batch = asyncio.ensure_future(pool.batch_run([until_cancelled(log, i, arrived) for i in range(3)]))
    await turns(3)
    also_mine = pool.submit_nowait(gate.hold("also mine"))
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    gate.open()
    assert await asyncio.gather(mine, also_mine) == ["mine", "also mine"]


async def test_a_timeout_around_a_batch_cancels_its_jobs() -> None:
    pool, arrived = NbAioPool(2, 5), Gate()
    log: List[Any] = []
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(pool.batch_run([until_cancelled(log, i, arrived) for i in range(3)]), 0.01)
    await pool.join()
    assert log == [0, 1] and accounting(pool).cancelled == 3
    assert await pool.run(value("usable")) == "usable"


@pytest.mark.parametrize("asynchronous", [False, True], ids=["generator", "async generator"])
async def test_an_input_that_fails_cancels_the_jobs_of_the_batch(asynchronous: bool) -> None:
    pool, arrived = NbAioPool(2, 5), Gate()
    log: List[Any] = []

    def coros() -> Iterator[Any]:
        for i in range(4):
            yield until_cancelled(log, i, arrived)
        raise ExpectedError("no more")

    async def acoros() -> AsyncIterator[Any]:
        for i in range(4):
            await turns(2)
            yield until_cancelled(log, i, arrived)
        raise ExpectedError("no more")

    with pytest.raises(ExpectedError, match="no more"):
        await pool.batch_run(acoros() if asynchronous else coros())
    await pool.join()
    stats = accounting(pool)
    assert (stats.submitted, stats.cancelled) == (4, 4)
    # Jobs that have not begun never do; with a generator none has, unless a slow machine made the producer rest.
    assert log == [0, 1] or (log == [] and not asynchronous)


async def test_a_bad_item_cancels_the_jobs_of_the_batch_and_closes_the_rest() -> None:
    pool, arrived = NbAioPool(1, 9), Gate()
    log: List[Any] = []
    coros: Any = [until_cancelled(log, i, arrived) for i in range(5)]
    with pytest.raises(TypeError, match="17"):
        await pool.batch_run([*coros[:2], 17, *coros[2:]])
    await pool.join()
    assert all(is_closed(coro) for coro in coros)
    assert (accounting(pool).submitted, accounting(pool).cancelled) == (2, 2)


async def test_an_input_that_fails_raises_its_error_also_when_a_job_refuses_to_be_cancelled() -> None:
    pool, gate, arrived = NbAioPool(2, 5), Gate(), Gate()

    async def stubborn() -> str:
        try:
            await arrived.wait()
        except asyncio.CancelledError:
            await gate.wait()
        return "went on"

    async def coros() -> AsyncIterator[Any]:
        yield stubborn()
        await arrived.reached(1)
        raise ExpectedError("no more")

    batch = asyncio.ensure_future(pool.batch_run(coros()))
    await arrived.reached(1)
    await gate.reached(1)
    gate.open()
    with pytest.raises(ExpectedError):
        await batch
    await pool.join()
    assert accounting(pool).succeeded == 1


async def test_without_blocking_a_batch_that_does_not_fit_is_refused_as_a_whole() -> None:
    pool, gate = NbAioPool(1, 2), Gate()
    log: List[Any] = []
    held = pool.submit_nowait(gate.hold())
    coros = [append(log, i) for i in range(3)]
    with pytest.raises(PoolFull):
        await pool.batch_run(coros, block=False)
    assert all(is_closed(coro) for coro in coros)
    assert counts(pool) == {"running": 1, "queued": 0, "waiting": 0}
    gate.open()
    await held
    assert await pool.batch_run([append(log, i) for i in range(3)], block=False) == [0, 1, 2]
    assert log == [0, 1, 2]


async def test_a_batch_that_has_to_wait_gets_all_its_results() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    batch = asyncio.ensure_future(pool.batch_run([value(i) for i in range(5)]))
    await turns(3)
    assert pool.waiting == 1
    gate.open()
    assert await batch == list(range(5))
    await asyncio.gather(*jobs)


async def test_batches_side_by_side_do_not_mix_their_results() -> None:
    pool, load = NbAioPool(2, 3), Load()
    batches = [pool.batch_run([load.job(1, (b, i)) for i in range(10)]) for b in range(5)]
    assert await asyncio.gather(*batches) == [[(b, i) for i in range(10)] for b in range(5)]
