"""map: what it takes, what it yields, and in which order."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from typing import Any, AsyncIterator, Dict, Iterator, List

import pytest

from nb_aiopool import NbAioPool
from support import Awaitable, Gate, Load, accounting, counts, turns, value

BOTH = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])


class Sequence:
    """Iterable by `__getitem__` alone."""

    def __getitem__(self, index: int) -> int:
        if index == 7:
            raise IndexError
        return index


class AsyncIterable:
    """An asynchronous iterable that is no generator."""

    def __init__(self, items: Any) -> None:
        self.items = items

    def __aiter__(self) -> AsyncIterable:
        self.left = iter(self.items)
        return self

    async def __anext__(self) -> Any:
        await turns()
        for item in self.left:
            return item
        raise StopAsyncIteration


async def slowly(items: Any) -> AsyncIterator[Any]:
    for item in items:
        await turns(2)
        yield item


INPUTS: Dict[str, Any] = {
    "list": list,
    "range": lambda items: items,
    "iterator": iter,
    "generator": lambda items: (item for item in items),
    "dict": dict.fromkeys,
    "__getitem__": lambda items: Sequence(),
    "async iterable": AsyncIterable,
    "async generator": slowly,
}


@BOTH
@pytest.mark.parametrize("kind", INPUTS)
async def test_any_iterable_gives_the_results_of_its_items(kind: str, ordered: bool) -> None:
    pool = NbAioPool(2, 3)
    results = [result async for result in pool.map(value, INPUTS[kind](range(7)), ordered=ordered)]
    assert results == list(range(7))
    assert accounting(pool).succeeded == 7


@BOTH
@pytest.mark.parametrize("kind", [kind for kind in INPUTS if kind != "__getitem__"])
async def test_an_empty_input_gives_nothing(kind: str, ordered: bool) -> None:
    pool = NbAioPool(1, 1)
    assert await pool.map(value, INPUTS[kind](()), ordered=ordered).collect() == []
    assert accounting(pool).submitted == 0


@BOTH
async def test_several_iterables_of_all_kinds_give_the_arguments_and_the_shortest_decides(
    ordered: bool,
) -> None:
    pool = NbAioPool(2, 3)

    async def join(*items: Any) -> str:
        return "".join(map(str, items))

    results = await pool.map(join, "abcd", slowly(range(3)), itertools.count(7), ordered=ordered).collect()
    assert results == ["a07", "b18", "c29"]


async def test_an_async_input_longer_than_the_shortest_is_closed_at_the_end() -> None:
    pool, closed = NbAioPool(2, 3), []

    async def endless() -> AsyncIterator[int]:
        try:
            for i in itertools.count():
                yield i
        finally:
            await turns(2)
            closed.append(True)

    async def pair(a: int, b: int) -> Any:
        return a, b

    assert await pool.map(pair, endless(), range(3)).collect() == [(0, 0), (1, 1), (2, 2)]
    assert closed == [True]


@pytest.mark.parametrize("limit", [1, 3, 20])
async def test_the_results_have_the_order_of_the_input(limit: int) -> None:
    pool = NbAioPool(limit, 4)

    async def job(i: int) -> int:
        await turns(20 - i)  # later ones end first
        return i

    results = await pool.map(job, range(20)).collect()
    assert type(results) is list and results == list(range(20))


async def test_unordered_results_come_as_they_are_ready() -> None:
    pool, gates = NbAioPool(3, 3), [Gate(), Gate(), Gate()]

    async def job(i: int) -> int:
        await gates[i].wait()
        return i

    results = pool.map(job, range(3), ordered=False)
    for i in (2, 0, 1):
        step = asyncio.ensure_future(results.__anext__())
        await turns(5)
        assert not step.done()
        gates[i].open()
        assert await step == i
    with pytest.raises(StopAsyncIteration):
        await results.__anext__()


async def test_ordered_and_return_exceptions_can_only_be_given_by_name() -> None:
    # What is given by position is an iterable.
    with pytest.raises(TypeError, match="True"):
        NbAioPool(1, 1).map(value, [1], True)  # type: ignore[arg-type]


@BOTH
async def test_the_limit_holds_and_no_slot_is_wasted(ordered: bool) -> None:
    pool, load = NbAioPool(4, 4), Load()
    assert len(await pool.map(load.job, [3] * 30, ordered=ordered).collect()) == 30
    assert (load.peak, load.ended) == (4, 30)


async def test_any_awaitable_may_be_what_the_function_returns() -> None:
    pool = NbAioPool(2, 2)
    future = asyncio.get_running_loop().create_future()
    future.set_result("future")
    things = [value("coroutine"), future, Awaitable("awaitable")]
    assert await pool.map(lambda thing: thing, things).collect() == ["coroutine", "future", "awaitable"]


@BOTH
async def test_each_job_has_a_context_of_its_own(ordered: bool) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("outer")

    async def job(i: int) -> str:
        seen = variable.get()
        variable.set("job %d" % i)
        await turns(2)
        assert variable.get() == "job %d" % i
        return seen

    assert await NbAioPool(2, 2).map(job, range(6), ordered=ordered).collect() == ["outer"] * 6
    assert variable.get() == "outer"


async def test_each_job_is_a_task_of_its_own() -> None:
    async def job(i: int) -> Any:
        return asyncio.current_task()

    tasks = await NbAioPool(2, 2).map(job, range(6)).collect()
    assert len(set(tasks)) == 6 and asyncio.current_task() not in tasks


@BOTH
async def test_after_the_end_it_stays_at_the_end(ordered: bool) -> None:
    results = NbAioPool(1, 1).map(value, range(2), ordered=ordered)
    assert [await results.__anext__(), await results.__anext__()] == [0, 1]
    for _ in range(3):
        with pytest.raises(StopAsyncIteration):
            await results.__anext__()
    assert await results.collect() == []
    await results.aclose()


async def test_collect_returns_what_is_left() -> None:
    results = NbAioPool(2, 2).map(value, range(5))
    assert await results.__anext__() == 0
    assert await results.collect() == [1, 2, 3, 4]


@BOTH
async def test_two_who_wait_for_the_next_result_at_once_are_one_too_many(ordered: bool) -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    results = pool.map(gate.hold, range(3), ordered=ordered)
    first = asyncio.ensure_future(results.__anext__())
    await gate.reached(2)
    with pytest.raises(RuntimeError, match="one at a time"):
        await results.__anext__()
    with pytest.raises(RuntimeError, match="one at a time"):
        await results.collect()
    gate.open()
    assert await first == 0
    assert await results.collect() == [1, 2]


async def test_a_map_that_was_never_iterated_has_drawn_nothing_and_leaves_nothing() -> None:
    pool, drawn = NbAioPool(1, 1), []

    def items() -> Iterator[int]:
        drawn.append(True)
        yield 1

    async def aitems() -> AsyncIterator[int]:
        drawn.append(True)
        yield 1

    results = pool.map(value, items(), aitems())
    await turns(3)
    del results
    results = pool.map(value, items(), aitems())
    await results.aclose()
    assert await results.collect() == []
    assert drawn == [] and accounting(pool).submitted == 0
    assert counts(pool) == {"running": 0, "queued": 0, "waiting": 0}


@BOTH
async def test_maps_side_by_side_do_not_mix_their_results(ordered: bool) -> None:
    pool, load = NbAioPool(2, 3), Load()

    async def job(b: int, i: int) -> Any:
        return await load.job(1, (b, i))

    maps = [pool.map(job, [b] * 10, range(10), ordered=ordered) for b in range(5)]
    results: List[Any] = await asyncio.gather(*(one.collect() for one in maps))
    assert [sorted(one) for one in results] == [[(b, i) for i in range(10)] for b in range(5)]
    assert load.peak == 2
