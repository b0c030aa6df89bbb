"""map: exceptions of jobs, of the function and of the input, each in its place."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, AsyncIterator, Iterator, List

import pytest

from nb_aiopool import NbAioPool, PoolError, PoolStopped
from support import Gate, accounting, counts, is_closed, raises, take, turns, value

BOTH = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
EACH = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
IDLE = {"running": 0, "queued": 0, "waiting": 0}


class ExpectedError(Exception):
    pass


class Unusual(BaseException):
    """Neither an Exception nor one of those that stop the loop."""


async def fails_at(i: int, bad: int) -> int:
    await turns(i % 3)
    if i == bad:
        raise ExpectedError(i)
    return i


async def test_an_exception_is_raised_in_its_place_and_ends_the_map() -> None:
    pool = NbAioPool(2, 3)
    results = pool.map(fails_at, range(10), [4] * 10)
    *before, error = await take(results)
    assert before == [0, 1, 2, 3] and repr(error) == "ExpectedError(4)"
    assert counts(pool) == IDLE
    assert await take(results) == []


async def test_unordered_an_exception_is_raised_when_it_happens() -> None:
    pool, gate = NbAioPool(3, 3), Gate()

    async def job(i: int) -> Any:
        if i == 2:
            raise ExpectedError(i)
        return await gate.hold(i)

    (error,) = await take(pool.map(job, range(9), ordered=False))
    assert repr(error) == "ExpectedError(2)"
    assert counts(pool) == IDLE


@BOTH
async def test_the_other_jobs_are_cancelled_and_awaited_before_it_is_raised(ordered: bool) -> None:
    pool, arrived = NbAioPool(3, 3), Gate()
    begun: List[int] = []
    ended: List[int] = []

    async def job(i: int) -> None:
        if i == 0:
            await arrived.reached(2)
            raise ExpectedError
        begun.append(i)
        try:
            await arrived.wait()
        finally:
            await turns(5)
            ended.append(i)

    with pytest.raises(ExpectedError):
        await pool.map(job, range(100), ordered=ordered).collect()
    assert begun[:2] == [1, 2] and sorted(ended) == begun and counts(pool) == IDLE
    assert accounting(pool).failed == 1 and accounting(pool).submitted <= 6 + 1


@BOTH
async def test_return_exceptions_yields_results_and_exceptions_in_their_places(ordered: bool) -> None:
    pool, errors = NbAioPool(1, 2), [ExpectedError("a"), Unusual("b"), asyncio.CancelledError("c")]
    things = [value(0), raises(errors[0]), raises(errors[1]), value(3), raises(errors[2]), value(5)]
    mapped = pool.map(lambda thing: thing, things, ordered=ordered, return_exceptions=True)
    results = await mapped.collect()
    assert results[0:6:3] == [0, 3] and results[5] == 5
    assert results[1] is errors[0] and results[2] is errors[1]
    assert isinstance(results[4], asyncio.CancelledError)
    stats = accounting(pool)
    assert (stats.succeeded, stats.failed, stats.cancelled) == (3, 2, 1)


@BOTH
async def test_a_job_that_somebody_cancels_is_an_exception_like_others(ordered: bool) -> None:
    async def job(i: int) -> int:
        if i == 1:
            task: Any = asyncio.current_task()
            task.cancel()
            await turns()
        return i

    pool = NbAioPool(1, 2)
    results = await pool.map(job, range(3), ordered=ordered, return_exceptions=True).collect()
    assert results[::2] == [0, 2] and isinstance(results[1], asyncio.CancelledError)
    seen = await take(pool.map(job, range(3), ordered=ordered))
    assert seen[0] == 0 and isinstance(seen[1], asyncio.CancelledError) and len(seen) == 2
    assert counts(pool) == IDLE


@BOTH
@pytest.mark.parametrize(
    "error", [ExpectedError("x"), Unusual("x"), asyncio.CancelledError("x")], ids=lambda e: type(e).__name__
)
async def test_what_the_function_itself_raises_is_the_exception_of_its_item(
    error: Any, ordered: bool
) -> None:
    pool, calls = NbAioPool(1, 2), []

    def func(i: int) -> Any:
        calls.append(i)
        if i == 2:
            raise error
        return value(i)

    mapped = pool.map(func, range(5), ordered=ordered, return_exceptions=True)
    assert sorted(await mapped.collect(), key=repr) == sorted([0, 1, error, 3, 4], key=repr)
    assert calls == list(range(5))
    seen = await take(pool.map(func, range(5), ordered=ordered))
    assert seen[-1] is error and (seen[:-1] == [0, 1] or not ordered)
    assert counts(pool) == IDLE


@BOTH
@pytest.mark.parametrize("bad", [None, 5, "text", [1]], ids=repr)
async def test_what_is_no_awaitable_is_a_type_error_of_its_item(bad: Any, ordered: bool) -> None:
    pool = NbAioPool(1, 2)

    def func(i: int) -> Any:
        return bad if i == 1 else value(i)

    results = await pool.map(func, range(3), ordered=ordered, return_exceptions=True).collect()
    (error,) = [result for result in results if isinstance(result, TypeError)]
    assert repr(bad) in str(error) and len(results) == 3
    assert isinstance((await take(pool.map(func, range(3), ordered=ordered)))[-1], TypeError)
    assert counts(pool) == IDLE


@BOTH
@EACH
@pytest.mark.parametrize("return_exceptions", [False, True])
async def test_an_exception_of_the_input_is_raised_after_the_results_of_the_items_before_it(
    return_exceptions: bool, asynchronous: bool, ordered: bool
) -> None:
    pool, error = NbAioPool(2, 9), ExpectedError("no more")

    def items() -> Iterator[int]:
        yield from range(4)
        raise error

    async def aitems() -> AsyncIterator[int]:
        for i in items():
            yield i

    async def job(i: int) -> int:
        await turns(10)
        return i

    source: Any = aitems() if asynchronous else items()
    results = pool.map(job, source, ordered=ordered, return_exceptions=return_exceptions)
    assert await take(results) == [0, 1, 2, 3, error]
    assert await take(results) == []
    assert accounting(pool).succeeded == 4


async def test_an_exception_of_an_item_comes_before_one_of_the_input() -> None:
    def items() -> Iterator[int]:
        yield from range(4)
        raise LookupError

    assert repr((await take(NbAioPool(2, 9).map(fails_at, items(), [1] * 9)))[-1]) == "ExpectedError(1)"


class EndsTheIteration:
    """A synchronous iterator that raises what only an asynchronous one may."""

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        raise StopAsyncIteration("of the input")


@BOTH
async def test_an_end_of_iteration_that_is_none_does_not_look_like_the_end(ordered: bool) -> None:
    pool, stops = NbAioPool(1, 2), [StopIteration("x"), StopAsyncIteration("x")]

    def func(thing: Any) -> Any:
        raise thing

    for stop in stops:
        (error,) = await take(pool.map(func, [stop], ordered=ordered))
        assert type(error) is RuntimeError and error.__cause__ is stop
        (error,) = await take(pool.map(raises, [stop], ordered=ordered))
        assert type(error) is RuntimeError and type(stop).__name__ in str(error)
    (error,) = await take(pool.map(value, EndsTheIteration(), ordered=ordered))
    assert type(error) is RuntimeError and "of the input" in str(error.__cause__)
    (error,) = await pool.map(raises, stops[1:], ordered=ordered, return_exceptions=True).collect()
    assert error is stops[1]


@BOTH
async def test_exceptions_that_nobody_gets_are_not_reported_as_lost(ordered: bool, reports: Any) -> None:
    pool = NbAioPool(3, 10)

    def func(i: int) -> Any:
        if i % 2:
            raise ExpectedError(i)
        return raises(ExpectedError(i))

    for _ in range(2):
        (error,) = await take(pool.map(func, range(9), ordered=ordered))
        assert isinstance(error, ExpectedError)
    results = pool.map(func, range(9), ordered=ordered, return_exceptions=True)
    async for _ in results:
        await turns(10)
        break
    del results
    await turns(10)
    gc.collect()
    assert reports == [] and counts(pool) == IDLE


@BOTH
@pytest.mark.loop("asyncio", "debug", "uvloop")  # an eager task that fails at once is in one by itself
@pytest.mark.parametrize("where", ["job", "function", "input", "yielded"])
async def test_an_exception_is_in_no_reference_cycle(where: str, ordered: bool) -> None:
    pool = NbAioPool(1, 2)

    class Cargo:
        alive = 0

        def __init__(self) -> None:
            Cargo.alive += 1

        def __del__(self) -> None:
            Cargo.alive -= 1

    async def job() -> None:
        if where != "input":
            raise ExpectedError(Cargo())

    def func(i: int) -> Any:
        if where == "function":
            raise ExpectedError(Cargo())
        return job()

    def items() -> Iterator[int]:
        yield 1
        if where == "input":
            raise ExpectedError(Cargo())

    async def fail() -> None:
        if where == "yielded":
            (error,) = await pool.map(func, items(), ordered=ordered, return_exceptions=True).collect()
            assert isinstance(error, ExpectedError)
            return
        try:
            await pool.map(func, items(), ordered=ordered).collect()
        except ExpectedError:
            assert Cargo.alive == 1
        else:
            pytest.fail("nothing was raised")

    gc.collect()
    gc.disable()
    try:
        await fail()
        await turns(3)
        assert Cargo.alive == 0
    finally:
        gc.enable()


@BOTH
@pytest.mark.parametrize("return_exceptions", [False, True])
async def test_a_pool_that_is_closed_meanwhile_raises_after_the_earlier_results(
    return_exceptions: bool, ordered: bool
) -> None:
    pool, gate = NbAioPool(2, 3), Gate()
    results = pool.map(gate.hold, range(20), ordered=ordered, return_exceptions=return_exceptions)
    step = asyncio.ensure_future(results.__anext__())
    await gate.reached(2)
    await turns(20)
    await pool.shutdown(wait=False)
    gate.open()
    assert await step == 0
    *before, error = await take(results)
    assert before == [1, 2, 3, 4] and isinstance(error, PoolStopped) and isinstance(error, PoolError)
    assert await take(results) == []
    assert accounting(pool).succeeded == 5


async def test_a_pool_that_is_closed_already_raises_at_the_first_step_and_closes_the_coroutine() -> None:
    pool, coros = NbAioPool(1, 1), []

    def func(i: int) -> Any:
        coros.append(value(i))
        return coros[-1]

    await pool.shutdown()
    (error,) = await take(pool.map(func, range(3)))
    assert isinstance(error, PoolStopped) and [is_closed(coro) for coro in coros] == [True]
