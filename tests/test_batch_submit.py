"""batch_submit: what it takes, how far ahead it draws, and what happens to the rest when it fails."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, AsyncIterator, Dict, Iterator, List

import pytest

from nb_aiopool import NbAioPool, PoolFull
from support import Awaitable, Gate, accounting, append, counts, fill, is_closed, park, turns, value


class Source:
    """Makes coroutines on demand, and knows how many it has made and whether it was closed."""

    def __init__(self, make: Any, n: int = 10**9) -> None:
        self.make, self.n = make, n
        self.drawn = 0
        self.ended = False

    def coros(self) -> Iterator[Any]:
        try:
            while self.drawn < self.n:
                self.drawn += 1
                yield self.make(self.drawn - 1)
        finally:
            self.ended = True

    async def acoros(self) -> AsyncIterator[Any]:
        try:
            while self.drawn < self.n:
                await turns()
                self.drawn += 1
                yield self.make(self.drawn - 1)
        finally:
            await turns()
            self.ended = True


class AsyncIterable:
    """An asynchronous iterable that is no generator."""

    def __init__(self, items: List[Any]) -> None:
        self.items = items

    def __aiter__(self) -> AsyncIterable:
        self.left = deque(self.items)
        return self

    async def __anext__(self) -> Any:
        await turns()
        if not self.left:
            raise StopAsyncIteration
        return self.left.popleft()


class Indexed:
    """Iterable by `__getitem__` alone, as classes from before iterators are."""

    def __init__(self, items: List[Any]) -> None:
        self.items = items

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


INPUTS: Dict[str, Any] = {
    "list": list,
    "tuple": tuple,
    "deque": deque,
    "iterator": iter,
    "__getitem__": Indexed,
    "generator": lambda coros: (coro for coro in coros),
    "dict keys": lambda coros: dict.fromkeys(coros).keys(),
    "filter": lambda coros: filter(None, coros),
    "async iterable": AsyncIterable,
    "async generator": lambda coros: (coro async for coro in AsyncIterable(coros)),
}


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("block", [True, False], ids=["block", "block=False"])
async def test_any_iterable_gives_a_list_of_futures_in_its_order(kind: str, block: bool) -> None:
    pool = NbAioPool(2, 10)
    log: List[Any] = []
    jobs = await pool.batch_submit(INPUTS[kind]([append(log, i) for i in range(8)]), block)
    assert type(jobs) is list
    assert all(isinstance(job, asyncio.Future) for job in jobs)
    assert await asyncio.gather(*jobs) == list(range(8))
    assert log == list(range(8))


@pytest.mark.parametrize("kind", INPUTS)
async def test_an_empty_input_gives_an_empty_list(kind: str) -> None:
    pool = NbAioPool(1, 1)
    assert await pool.batch_submit(INPUTS[kind]([])) == []
    assert await pool.batch_submit(INPUTS[kind]([]), block=False) == []
    assert accounting(pool).submitted == 0


async def test_the_list_of_the_caller_is_not_changed() -> None:
    pool = NbAioPool(1, 1)
    coros = [value(i) for i in range(4)]
    before = list(coros)
    await asyncio.gather(*await pool.batch_submit(coros))
    assert coros == before


async def test_futures_and_other_awaitables_may_be_mixed_in() -> None:
    pool, future = NbAioPool(1, 1), asyncio.get_running_loop().create_future()
    future.set_result("future")
    jobs = await pool.batch_submit([value("coroutine"), future, Awaitable("awaitable")])
    assert await asyncio.gather(*jobs) == ["coroutine", "future", "awaitable"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["generator", "async generator"])
async def test_the_input_is_drawn_only_as_room_appears(asynchronous: bool) -> None:
    pool, gate = NbAioPool(2, 3), Gate()
    source = Source(gate.hold, 12)
    batch = asyncio.ensure_future(pool.batch_submit(source.acoros() if asynchronous else source.coros()))
    for ended in range(7):
        await gate.reached(2 + ended)
        await turns(30)
        stats = accounting(pool)
        assert stats.submitted == 5 + ended
        assert source.drawn <= stats.submitted + 1
        assert not batch.done()
        gate.release()
    gate.open()
    assert await asyncio.gather(*await batch) == list(range(12))
    assert source.drawn == 12 and source.ended


async def test_a_huge_generator_is_never_in_memory_at_once() -> None:
    pool, alive, peak = NbAioPool(3, 5), 0, 0

    async def job() -> None:
        nonlocal alive
        alive -= 1

    def coros() -> Iterator[Any]:
        nonlocal alive, peak
        for _ in range(5_000):
            alive += 1
            peak = max(peak, alive)
            yield job()

    assert len(await pool.batch_submit(coros())) == 5_000
    await pool.join()
    assert alive == 0 and peak <= 3 + 5 + 1


async def test_a_batch_stands_in_line_like_any_producer() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    log: List[Any] = []
    jobs = fill(pool, gate)
    (before,) = await park(pool, append(log, "before"))
    batch = asyncio.ensure_future(pool.batch_submit([append(log, 1)]))
    await turns()
    (after,) = await park(pool, append(log, "after"))
    assert pool.waiting == 3
    gate.open()
    await asyncio.gather(*jobs, *await batch, await before, await after)
    assert log == ["before", 1, "after"]


class InputError(Exception):
    pass


@pytest.mark.parametrize("asynchronous", [False, True], ids=["generator", "async generator"])
async def test_an_input_that_fails_leaves_the_submitted_jobs_running(asynchronous: bool) -> None:
    pool, gate = NbAioPool(2, 5), Gate()
    log: List[Any] = []

    async def job(i: int) -> None:
        await gate.wait()
        log.append(i)

    def make(i: int) -> Any:
        if i == 4:
            raise InputError("no more")
        return job(i)

    source = Source(make)
    with pytest.raises(InputError, match="no more"):
        await pool.batch_submit(source.acoros() if asynchronous else source.coros())
    assert source.ended
    assert counts(pool) == {"running": 2, "queued": 2, "waiting": 0}
    gate.open()
    await pool.join()
    assert log == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", [list, tuple])
async def test_a_bad_item_closes_what_is_left_of_a_list(kind: Any) -> None:
    pool = NbAioPool(1, 10)
    log: List[Any] = []
    coros = [append(log, i) for i in range(5)]
    with pytest.raises(TypeError, match="17"):
        await pool.batch_submit(kind([*coros[:2], 17, *coros[2:]]))
    assert all(is_closed(coro) for coro in coros[2:])
    await pool.join()
    assert log == [0, 1]
    assert all(is_closed(coro) for coro in coros)


@pytest.mark.parametrize("block", [True, False], ids=["block", "block=False"])
async def test_a_bad_item_closes_an_async_generator(block: bool) -> None:
    pool = NbAioPool(1, 10)
    log: List[Any] = []
    source: Any = Source(lambda i: append(log, i) if i < 2 else 17)
    with pytest.raises(TypeError, match="17"):
        await pool.batch_submit(source.acoros(), block)
    assert source.ended and source.drawn == 3
    await pool.join()
    assert log == ([0, 1] if block else [])


async def test_cancelled_while_it_waits_for_room_it_leaves_what_it_has_submitted() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    coros = [gate.hold(i) for i in range(6)]
    batch = asyncio.ensure_future(pool.batch_submit(coros))
    await gate.reached(1)
    await turns(2)
    assert pool.waiting == 1
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert all(is_closed(coro) for coro in coros[2:])
    assert counts(pool) == {"running": 1, "queued": 1, "waiting": 0}
    gate.open()
    await pool.join()
    assert accounting(pool).succeeded == 2


@pytest.mark.parametrize("where", ["room", "input"])
async def test_cancelled_while_it_waits_it_closes_an_async_generator(where: str) -> None:
    pool, gate, stuck = NbAioPool(1, 1), Gate(), Gate()
    source = Source(gate.hold)

    async def coros() -> AsyncIterator[Any]:
        async for coro in source.acoros():
            yield coro
            if where == "input":
                await stuck.wait()

    outer = coros() if where == "input" else source.acoros()
    batch = asyncio.ensure_future(pool.batch_submit(outer))
    await gate.reached(1)
    if where == "input":
        await stuck.reached(1)
    else:
        while not pool.waiting:
            await turns()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert outer.ag_frame is None  # type: ignore[attr-defined]
    gate.open()
    await pool.join()


async def test_without_blocking_a_batch_is_accepted_as_a_whole() -> None:
    pool, gate = NbAioPool(2, 3), Gate()
    jobs = await pool.batch_submit([gate.hold(i) for i in range(5)], block=False)
    assert counts(pool) == {"running": 2, "queued": 3, "waiting": 0}
    gate.open()
    assert await asyncio.gather(*jobs) == list(range(5))


@pytest.mark.parametrize("kind", INPUTS)
async def test_without_blocking_a_batch_that_does_not_fit_is_refused_as_a_whole(kind: str) -> None:
    pool, gate = NbAioPool(2, 3), Gate()
    log: List[Any] = []
    held = pool.submit_nowait(gate.hold())
    coros = [append(log, i) for i in range(5)]
    with pytest.raises(PoolFull):
        await pool.batch_submit(INPUTS[kind](coros), block=False)
    assert counts(pool) == {"running": 1, "queued": 0, "waiting": 0}
    gate.open()
    await held
    await turns(3)
    assert log == [] and accounting(pool).submitted == 1
    assert all(is_closed(coro) for coro in coros)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["generator", "async generator"])
async def test_without_blocking_an_input_is_drawn_no_further_than_it_fits(asynchronous: bool) -> None:
    pool = NbAioPool(2, 3)
    log: List[Any] = []
    source = Source(lambda i: append(log, i), 10_000)
    with pytest.raises(PoolFull):
        await pool.batch_submit(source.acoros() if asynchronous else source.coros(), block=False)
    assert source.drawn <= 6 and (source.ended or not asynchronous)
    await turns(3)
    assert log == [] and accounting(pool).submitted == 0


async def test_without_blocking_a_bad_item_refuses_the_whole_batch() -> None:
    pool = NbAioPool(2, 10)
    log: List[Any] = []
    coros = [append(log, i) for i in range(4)]
    with pytest.raises(TypeError, match="17"):
        await pool.batch_submit([*coros[:2], 17, *coros[2:]], block=False)
    assert all(is_closed(coro) for coro in coros)
    await turns(3)
    assert log == [] and accounting(pool).submitted == 0


async def test_without_blocking_a_batch_does_not_pass_producers_in_line() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    running, queued = fill(pool, gate)
    (producer,) = await park(pool, value("in line"))
    queued.cancel()
    with pytest.raises(PoolFull):
        await pool.batch_submit([value()], block=False)
    gate.open()
    assert await (await producer) == "in line"
    await running


@pytest.mark.parametrize("bad", [None, 5, 1.5, value, object()], ids=repr)
async def test_what_is_not_iterable_is_a_type_error_with_the_value(bad: Any) -> None:
    pool = NbAioPool(1, 1)
    with pytest.raises(TypeError) as caught:
        await pool.batch_submit(bad)
    assert repr(bad) in str(caught.value) or type(bad).__name__ in str(caught.value)
    assert await pool.run(value("usable")) == "usable"


async def test_a_single_coroutine_instead_of_a_list_is_a_type_error_and_closed() -> None:
    pool, coro = NbAioPool(1, 1), value()
    with pytest.raises(TypeError, match="coroutine"):
        await pool.batch_submit(coro)  # type: ignore[arg-type]
    assert is_closed(coro)


async def test_an_iterable_that_cannot_be_iterated_raises_its_own_error() -> None:
    class Bad:
        def __iter__(self) -> Any:
            raise InputError("not today")

    with pytest.raises(InputError, match="not today"):
        await NbAioPool(1, 1).batch_submit(Bad())


async def test_a_type_error_of_an_iterable_stays_what_it_is() -> None:
    class Bad:
        def __iter__(self) -> Any:
            raise TypeError("of its own")

    with pytest.raises(TypeError, match="^of its own$"):
        await NbAioPool(1, 1).batch_submit(Bad())


@pytest.mark.parametrize("way", ["batch_submit", "batch_run"])
@pytest.mark.parametrize("change", ["limit", "cancel"])
@pytest.mark.parametrize("is_async", [False, True])
async def test_without_block_it_is_all_or_nothing_even_if_room_appears_while_the_input_is_drawn(
    way: str, change: str, is_async: bool
) -> None:
    pool, gate, coros = NbAioPool(1, 1), Gate(), [value(i) for i in range(10)]
    jobs = fill(pool, gate)

    def inputs() -> Iterator[Any]:
        for i, coro in enumerate(coros):
            if i == 1 and change == "limit":
                pool.max_queue_size = 5
            elif i == 1:
                jobs[1].cancel()
            yield coro

    async def async_inputs() -> AsyncIterator[Any]:
        for coro in inputs():
            yield coro

    with pytest.raises(PoolFull):
        await getattr(pool, way)(async_inputs() if is_async else inputs(), block=False)
    assert pool.stats().submitted == 2
    gate.open()
    await pool.join()
    for coro in coros:
        coro.close()


@pytest.mark.parametrize("way", ["batch_submit", "batch_run"])
async def test_a_call_that_is_thrown_away_ends_at_once(way: str) -> None:
    pool = NbAioPool(1, 1)
    coros = [asyncio.sleep(3600) for _ in range(5)]
    call: Any = getattr(pool, way)(coros)
    call.send(None)
    await turns(2)
    call.close()
    assert all(map(is_closed, coros[3:]))
    await pool.shutdown(cancel=True)
    assert accounting(pool)[:4] == (2, 0, 0, 2)
