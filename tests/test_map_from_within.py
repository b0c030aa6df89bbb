"""A map that its own input, jobs and function use, and one with several consumers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any, Awaitable, Callable, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, counts, turns, value

pytestmark = pytest.mark.limit(10)
BOTH = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
IDLE = {"running": 0, "queued": 0, "waiting": 0}


async def collect(results: Any) -> List[Any]:
    """What comes before the end or an exception; the exception is the last entry."""
    seen: List[Any] = []
    try:
        async for result in results:
            seen.append(result)
    except RuntimeError as error:
        seen.append(error)
    return seen


async def at_rest(pool: NbAioPool) -> None:
    await pool.join()
    assert counts(pool) == IDLE
    assert await pool.map(value, range(3)).collect() == [0, 1, 2]


async def iterates(results: Any) -> Any:
    return await results.__anext__()


async def closes(results: Any) -> Any:
    return await results.aclose()


async def collects(results: Any) -> Any:
    return await results.collect()


@BOTH
@pytest.mark.parametrize("use", [iterates, closes, collects], ids=lambda use: use.__name__)
@pytest.mark.parametrize("where", ["input", "job", "function"])
async def test_a_map_that_is_used_by_its_own_parts_while_its_consumer_waits(
    where: str, use: Callable[[Any], Awaitable[Any]], ordered: bool
) -> None:
    pool, uses = NbAioPool(1, 1), []  # type: ignore[var-annotated]

    async def use_it() -> None:
        if len(uses) < 3:
            uses.append(None)
            with contextlib.suppress(StopAsyncIteration):
                await use(results)

    async def items() -> Any:
        for i in range(4):
            if where == "input" and i == 1:
                await use_it()
            yield i

    async def job(i: int) -> int:
        await turns()
        if where == "job" and i == 1:
            await use_it()
        return i

    def func(i: int) -> Any:
        if where == "function" and i == 1:
            step = use(results)
            uses.append(None)
            with contextlib.suppress(StopIteration, StopAsyncIteration):
                step.__await__().send(None)
        return job(i)

    results: Any = pool.map(func, items(), ordered=ordered)
    seen = await asyncio.wait_for(collect(results), 5)
    assert uses
    if use is closes:
        assert seen in ([], [0])
    else:
        assert isinstance(seen[-1], RuntimeError) and "one at a time" in str(seen[-1]), seen
        assert seen[:-1] in ([], [0])
    await results.aclose()
    await at_rest(pool)


@BOTH
async def test_a_job_that_waits_for_its_own_result_is_ended_by_aclose(ordered: bool) -> None:
    pool, begun = NbAioPool(1, 1), Gate()
    begun.open()

    async def job(i: int) -> Any:
        if i == 0:
            return i
        await begun.wait()
        return await results.__anext__()

    results: Any = pool.map(job, range(2), ordered=ordered)
    assert await results.__anext__() == 0
    await begun.reached(1)
    await turns(3)
    with pytest.raises(RuntimeError, match="one at a time"):
        await results.__anext__()
    await asyncio.wait_for(results.aclose(), 5)
    assert await results.collect() == []
    await at_rest(pool)


@BOTH
@pytest.mark.parametrize("consumers", [2, 5])
async def test_consumers_that_take_turns_get_each_result_once(consumers: int, ordered: bool) -> None:
    pool, lock = NbAioPool(2, 2), asyncio.Lock()
    seen: List[List[int]] = [[] for _ in range(consumers)]

    async def job(i: int) -> int:
        await turns(i % 4)
        return i

    async def consume(mine: List[int]) -> None:
        with contextlib.suppress(StopAsyncIteration):
            while True:
                async with lock:
                    mine.append(await results.__anext__())

    results = pool.map(job, range(50), ordered=ordered)
    await asyncio.gather(*[consume(mine) for mine in seen])
    assert sorted(itertools.chain(*seen)) == list(range(50)) and all(seen)
    await at_rest(pool)


@BOTH
async def test_consumers_that_do_not_take_turns_get_errors_and_no_result_twice(ordered: bool) -> None:
    pool, errors = NbAioPool(2, 2), []  # type: ignore[var-annotated]
    seen: List[int] = []

    async def job(i: int) -> int:
        await turns(1 + i % 4)
        return i

    async def consume() -> None:
        while True:
            try:
                seen.append(await results.__anext__())
            except StopAsyncIteration:
                return
            except RuntimeError as error:
                errors.append(error)
                await turns()

    results = pool.map(job, range(50), ordered=ordered)
    await asyncio.gather(*[consume() for _ in range(3)])
    assert sorted(seen) == list(range(50)) and errors
    await at_rest(pool)
