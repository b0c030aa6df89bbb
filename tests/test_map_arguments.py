"""map: what is wrong with its arguments is said at once, and how long it says it is."""

from __future__ import annotations

import asyncio
import itertools
import operator
from typing import Any, AsyncIterator, Callable, Iterator, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, accounting, is_closed, value


class Sized:
    """An asynchronous iterable that tells its length."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    async def __aiter__(self) -> AsyncIterator[int]:
        for i in range(self.n):
            yield i


async def endless() -> AsyncIterator[int]:
    for i in itertools.count():
        yield i


async def second(first: Any, other: Any) -> Any:
    return other


@pytest.mark.parametrize("bad", [None, 5, "text", [value]], ids=repr)
async def test_what_is_not_callable_is_a_type_error_with_the_value(bad: Any) -> None:
    pool = NbAioPool(1, 1)
    with pytest.raises(TypeError) as caught:
        pool.map(bad, [1])
    assert repr(bad) in str(caught.value)
    assert await pool.map(value, ["usable"]).collect() == ["usable"]


@pytest.mark.parametrize("bad", [None, 5, 1.5, value, object(), int], ids=lambda bad: type(bad).__name__)
@pytest.mark.parametrize("place", [0, 1])
async def test_what_is_not_iterable_is_a_type_error_with_the_value(bad: Any, place: int) -> None:
    pool, inputs = NbAioPool(1, 1), [[1], [2]]
    inputs[place] = bad
    with pytest.raises(TypeError) as caught:
        pool.map(second, *inputs)
    assert repr(bad) in str(caught.value)
    assert await pool.map(value, ["usable"]).collect() == ["usable"]


async def test_no_iterable_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="at least one iterable"):
        NbAioPool(1, 1).map(value)


async def test_a_coroutine_instead_of_the_function_or_an_iterable_is_a_type_error_and_closed() -> None:
    pool, coro = NbAioPool(1, 1), value()
    with pytest.raises(TypeError, match="coroutine"):
        pool.map(coro, [1])  # type: ignore[arg-type]
    assert is_closed(coro)
    coro = value()
    with pytest.raises(TypeError, match="coroutine"):
        pool.map(value, coro)  # type: ignore[arg-type]
    assert is_closed(coro)


def test_it_may_be_called_outside_of_a_loop(run_loop: Callable[[Any], Any]) -> None:
    results = NbAioPool(1, 1).map(value, range(3))
    with pytest.raises(TypeError):
        NbAioPool(1, 1).map(None, range(3))  # type: ignore[arg-type]
    assert run_loop(results.collect()) == [0, 1, 2]


@pytest.mark.parametrize(
    ("inputs", "length"),
    [
        (([1, 2, 3],), 3),
        ((range(10), "abc", {1: 2}), 1),
        ((iter([1, 2]), range(7)), 2),
        ((Sized(4), range(7)), 4),
        (((),), 0),
    ],
    ids=["list", "several", "iterator", "async", "empty"],
)
async def test_it_is_as_long_as_the_shortest_input(inputs: Any, length: int) -> None:
    results = NbAioPool(1, 1).map(value, *inputs)
    assert len(results) == operator.length_hint(results) == length
    assert bool(results) is True


@pytest.mark.parametrize("inputs", ["generator", "async generator", "one of two"])
async def test_an_input_of_unknown_length_has_none(inputs: str) -> None:
    unknown: Any = {
        "generator": ((i for i in range(3)),),
        "async generator": (endless(),),
        "one of two": (range(3), itertools.count()),
    }[inputs]
    results = NbAioPool(1, 1).map(value, *unknown)
    with pytest.raises(TypeError, match="length|how long"):
        len(results)
    assert operator.length_hint(results, 42) == 42
    assert bool(results) is True


async def test_the_length_is_what_is_left() -> None:
    results = NbAioPool(2, 2).map(value, range(4))
    for left in (3, 2, 1, 0):
        await results.__anext__()
        assert len(results) == operator.length_hint(results) == left and bool(results) is True
    assert await results.collect() == []
    assert len(results) == operator.length_hint(results) == 0 and bool(results) is True


async def test_nothing_is_left_after_the_end() -> None:
    pool = NbAioPool(2, 2)
    results = pool.map(value, range(4))
    await results.__anext__()
    await results.aclose()
    assert operator.length_hint(results) == 0
    unknown = pool.map(value, endless())
    await unknown.__anext__()
    await unknown.aclose()
    assert operator.length_hint(unknown, 42) == 0


class Progress:
    """What tqdm does: takes the length if there is one, and wraps the iteration."""

    def __init__(self, iterable: Any) -> None:
        self.iterable = iterable
        try:
            self.total = len(iterable)
        except (TypeError, AttributeError):
            self.total = None
        self.shown: List[str] = []

    def __aiter__(self) -> Progress:
        return self

    async def __anext__(self) -> Any:
        result = await self.iterable.__anext__()
        self.shown.append("%d/%s" % (len(self.shown) + 1, self.total or "?"))
        return result


async def test_a_progress_bar_may_be_put_around_it() -> None:
    pool = NbAioPool(2, 2)
    bar = Progress(pool.map(value, range(3), ordered=False))
    assert [result async for result in bar] == [0, 1, 2]
    assert bar.shown == ["1/3", "2/3", "3/3"]
    bar = Progress(pool.map(value, (i for i in range(2))))
    assert [result async for result in bar] == [0, 1]
    assert bar.shown == ["1/?", "2/?"]


async def test_an_iterable_that_cannot_be_iterated_raises_its_own_error_at_the_first_step() -> None:
    class Bad:
        def __iter__(self) -> Iterator[Any]:
            raise LookupError("not today")

    pool = NbAioPool(1, 1)
    results = pool.map(second, [1], Bad())
    with pytest.raises(LookupError, match="not today"):
        await results.__anext__()
    with pytest.raises(StopAsyncIteration):
        await results.__anext__()


async def test_the_function_may_be_any_callable() -> None:
    class Caller:
        def __call__(self, item: Any) -> Any:
            return value(item + 1)

    pool, gate = NbAioPool(1, 1), Gate()
    gate.open()
    assert await pool.map(Caller(), [1, 2]).collect() == [2, 3]
    assert await pool.map(gate.hold, [1, 2]).collect() == [1, 2]
    assert await asyncio.wait_for(pool.map(lambda a, b: value(a + b), [1], [2]).collect(), 5) == [3]
    assert accounting(pool).succeeded == 5
