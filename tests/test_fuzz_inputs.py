"""Hostile arguments: numbers, flags, futures and iterables that raise, lie, or meddle with the pool while it looks."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Callable, Iterator, List

import pytest

from nb_aiopool import NbAioPool, PoolError, PoolFull
from support import Gate, accounting, is_closed, turns, value


class Number:
    """What takes the place of an int."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def __index__(self) -> int:
        result: int = self.act()
        return result


def failing(*args: Any) -> Any:
    raise LookupError("from an argument")


async def works(pool: NbAioPool) -> None:
    accounting(pool)
    assert await pool.run(value("works")) == "works"


# -- Numbers and flags


@pytest.mark.parametrize("limit", ["max_concurrency", "max_queue_size"])
async def test_a_limit_that_cannot_be_read_leaves_the_old_one(limit: str) -> None:
    pool = NbAioPool(3, 4)
    with pytest.raises(LookupError, match="from an argument"):
        setattr(pool, limit, Number(failing))
    with pytest.raises(LookupError, match="from an argument"):
        NbAioPool(**{limit: Number(failing)})  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        setattr(pool, limit, Number(lambda: "7"))
    assert (pool.max_concurrency, pool.max_queue_size) == (3, 4)
    await works(pool)


@pytest.mark.parametrize("limit", ["max_concurrency", "max_queue_size"])
async def test_a_limit_may_meddle_with_the_pool_while_it_is_read(limit: str) -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    jobs = [pool.submit_nowait(gate.hold(i)) for i in range(4)]

    def meddle() -> int:
        jobs[3].cancel()
        jobs[0].cancel()
        pool.max_concurrency = 1
        pool.max_queue_size = 1
        return 3

    setattr(pool, limit, Number(meddle))
    assert getattr(pool, limit) == 3
    accounting(pool)
    gate.open()
    await asyncio.wait(jobs)
    await works(pool)


@pytest.mark.parametrize("number", [2**31, 2**63 - 1, 2**63, 2**64, 2**64 - 1, 2**100, 10**40])
async def test_a_limit_of_any_size_is_taken_or_refused_as_a_whole(number: int) -> None:
    pool = NbAioPool(1, 1)
    for limit in ("max_concurrency", "max_queue_size"):
        error = None
        try:
            setattr(pool, limit, number)
        except (ValueError, OverflowError) as raised:
            error = str(raised)
        assert getattr(pool, limit) == (number if error is None else 1)
        assert error is None or str(number) in error
    jobs = [pool.submit_nowait(value(i)) for i in range(2)]
    assert await asyncio.gather(*jobs) == [0, 1]
    await works(pool)


@pytest.mark.parametrize("call", ["submit", "run", "batch_submit", "batch_run"])
async def test_a_flag_that_cannot_be_read_refuses_the_coroutine(call: str) -> None:
    pool = NbAioPool(1, 1)
    coros = [value(), value()]
    batch = call.startswith("batch")
    with pytest.raises(LookupError, match="from an argument"):
        await getattr(pool, call)(coros if batch else coros[0], Number(failing))
    assert all(is_closed(coro) for coro in (coros if batch else coros[:1]))
    coros[1].close()
    assert accounting(pool).submitted == 0
    await works(pool)


async def test_a_flag_may_fill_the_pool_while_it_is_asked() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs: List[Any] = []

    def fill() -> int:
        jobs.extend(pool.submit_nowait(gate.hold(i)) for i in range(2))
        return 0

    with pytest.raises(PoolFull):
        await pool.submit(value(), Number(fill))  # type: ignore[arg-type]
    assert (pool.running, pool.queued) == (1, 1)
    gate.open()
    assert await asyncio.gather(*jobs) == [0, 1]


# -- Futures


class BadFuture(asyncio.Future):  # type: ignore[type-arg]
    """A future that raises in one of its methods."""

    bad = ""

    def break_it(self, name: str) -> None:
        self.bad = name

    def done(self) -> bool:
        return bool(failing()) if self.bad == "done" else super().done()

    def get_loop(self) -> Any:
        return failing() if self.bad == "get_loop" else super().get_loop()

    def set_result(self, result: Any) -> None:
        if self.bad == "set_result":
            failing()
        super().set_result(result)

    def set_exception(self, exception: Any) -> None:
        if self.bad == "set_exception":
            failing()
        super().set_exception(exception)

    def add_done_callback(self, *args: Any, **kwargs: Any) -> None:
        if self.bad == "add_done_callback":
            failing()
        super().add_done_callback(*args, **kwargs)


@pytest.mark.parametrize("method", ["done", "get_loop", "add_done_callback"])
async def test_a_future_that_cannot_be_looked_at_is_refused(method: str) -> None:
    pool, future, coro = NbAioPool(1, 1), BadFuture(), value()
    future.break_it(method)
    with pytest.raises(LookupError, match="from an argument"):
        await pool.submit(coro, True, future)
    assert is_closed(coro)
    assert accounting(pool).submitted == 0
    future.break_it("")
    future.cancel()
    await works(pool)


@pytest.mark.parametrize("method", ["set_result", "set_exception"])
async def test_a_future_that_takes_no_outcome_does_not_hold_the_pool_up(
    method: str, reports: List[Any], unraisables: List[str]
) -> None:
    pool, future = NbAioPool(1, 1), BadFuture()

    async def fails() -> None:
        raise KeyError("of the job")

    job = value() if method == "set_result" else fails()
    assert await pool.submit(job, True, future) is future
    future.break_it(method)
    await pool.join()
    await turns(3)
    stats = accounting(pool)
    assert (stats.running, stats.queued) == (0, 0)
    assert stats.succeeded + stats.failed == 1
    future.cancel()
    await works(pool)
    assert all("from an argument" in text for text in unraisables)
    reports.clear()


# -- Iterables


class Items:
    """An iterable that acts at a certain item."""

    def __init__(self, coros: List[Any], at: int, act: Callable[[], Any]) -> None:
        self.coros, self.at, self.act = coros, at, act
        self.given = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self.given == self.at:
            self.act()
        if self.given == len(self.coros):
            raise StopIteration
        self.given += 1
        return self.coros[self.given - 1]

    def close(self) -> None:
        for coro in self.coros[self.given :]:
            coro.close()


class AsyncItems(Items):
    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        self.close()

    __iter__ = None  # type: ignore[assignment]


KINDS = {"synchronous": Items, "asynchronous": AsyncItems}


@pytest.mark.parametrize("block", [True, False])
@pytest.mark.parametrize("call", ["batch_submit", "batch_run"])
@pytest.mark.parametrize("kind", KINDS)
async def test_an_iterable_that_raises_loses_nothing(kind: str, call: str, block: bool) -> None:
    pool = NbAioPool(2, 8)
    coros = [value(i) for i in range(4)]
    with pytest.raises(LookupError, match="from an argument"):
        await getattr(pool, call)(KINDS[kind](coros, 2, failing), block)
    await pool.join()
    assert all(is_closed(coro) for coro in coros)
    stats = accounting(pool)
    assert stats.submitted == (2 if block else 0)
    await works(pool)


@pytest.mark.parametrize("block", [True, False])
@pytest.mark.parametrize("call", ["batch_submit", "batch_run"])
@pytest.mark.parametrize("kind", KINDS)
async def test_an_iterable_may_use_the_pool_while_it_is_drawn_from(kind: str, call: str, block: bool) -> None:
    pool = NbAioPool(2, 8)
    coros = [value(i) for i in range(4)]
    jobs: List[Any] = []

    def meddle() -> None:
        jobs.extend(pool.submit_nowait(value("meddled")) for _ in range(2))
        jobs[0].cancel()
        pool.max_concurrency = 1

    results = await getattr(pool, call)(KINDS[kind](coros, 2, meddle), block)
    if call == "batch_submit":
        results = await asyncio.gather(*results)
    assert results == [0, 1, 2, 3]
    assert await jobs[1] == "meddled"
    assert jobs[0].cancelled()
    await works(pool)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_iterable_may_shut_the_pool_down_while_it_is_drawn_from(kind: str) -> None:
    pool = NbAioPool(2, 8)
    coros = [value(i) for i in range(4)]
    tasks: List[Any] = []
    items = KINDS[kind](coros, 2, lambda: tasks.append(asyncio.ensure_future(pool.shutdown(cancel=True))))

    async def slowly() -> Any:
        for coro in itertools.islice(items.coros, 4):
            if items.given == items.at:
                items.act()
                await turns(3)
            items.given += 1
            yield coro

    with pytest.raises(PoolError):
        await pool.batch_submit(slowly())
    items.close()
    await asyncio.wait(tasks)
    await pool.join()
    assert all(is_closed(coro) for coro in coros)
    assert accounting(pool).submitted == 2


async def test_a_list_may_change_while_it_is_drawn_from() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    coros = [gate.hold(i) for i in range(4)]
    late = value("late")
    batch = asyncio.ensure_future(pool.batch_run(coros))
    await gate.reached(1)
    await turns(2)
    removed = coros.pop()
    coros.append(late)
    gate.open()
    assert await batch == [0, 1, 2, "late"]
    removed.close()


async def test_an_input_without_end_is_refused_by_a_batch_that_may_not_wait() -> None:
    pool = NbAioPool(2, 3)
    drawn: List[Any] = []

    def endless() -> Iterator[Any]:
        while True:
            drawn.append(value())
            yield drawn[-1]

    with pytest.raises(PoolFull):
        await pool.batch_submit(endless(), block=False)
    assert all(is_closed(coro) for coro in drawn)
    assert accounting(pool).submitted == 0
    await works(pool)


@pytest.mark.parametrize("items", [5, None, "text", object(), value, {1: 2}, [1], [None], (value,)], ids=repr)
@pytest.mark.parametrize("call", ["batch_submit", "batch_run"])
async def test_what_is_no_batch_of_coroutines_is_refused(call: str, items: Any) -> None:
    pool = NbAioPool(2, 8)
    with pytest.raises(TypeError):
        await getattr(pool, call)(items)
    assert accounting(pool).submitted == 0
    await works(pool)


async def test_the_same_coroutine_given_twice_ends_once() -> None:
    pool = NbAioPool(2, 8)
    coro = turns(3)
    first, second = pool.submit_nowait(coro), pool.submit_nowait(coro)
    await asyncio.wait([first, second])
    # Each steps it in turn, as two tasks would; one of them finds that it has ended.
    assert {type(job.exception()) for job in (first, second)} == {type(None), RuntimeError}
    await works(pool)
