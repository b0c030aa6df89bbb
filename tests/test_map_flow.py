"""map: how far ahead it draws, when it hands out, and what a slow end of it holds up."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, AsyncIterator, Iterator, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, Load, accounting, append, counts, fill, park, turns, value

BOTH = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
EACH = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


class Source:
    """Counts what is drawn from it and what of that was handed out: what is out in between, and the most of it."""

    def __init__(self, n: int = 10**9) -> None:
        self.n = n
        self.drawn = self.taken = self.peak = 0

    def items(self) -> Iterator[int]:
        for i in range(self.n):
            self.drawn += 1
            self.peak = max(self.peak, self.drawn - self.taken)
            yield i

    async def aitems(self) -> AsyncIterator[int]:
        for i in self.items():
            await turns()
            yield i

    async def count(self, results: Any) -> AsyncIterator[Any]:
        async for result in results:
            self.taken += 1
            yield result


@BOTH
@EACH
@pytest.mark.parametrize(("concurrency", "queue", "bound"), [(2, 3, 5), (1, 1, 2), (3, 0, 6), (1, 0, 2)])
async def test_no_more_is_out_than_the_pool_holds(
    concurrency: int, queue: int, bound: int, asynchronous: bool, ordered: bool
) -> None:
    pool, gate, source = NbAioPool(concurrency, queue), Gate(), Source()
    results = pool.map(gate.hold, source.aitems() if asynchronous else source.items(), ordered=ordered)
    first = asyncio.ensure_future(results.__anext__())
    await turns(100)
    assert source.drawn == bound and not first.done()
    gate.open()
    assert await first == 0
    await turns(100)
    assert source.drawn == bound + 1  # one is handed out, nobody asks for more
    for i in range(1, 20):
        assert await results.__anext__() == i
        await turns(20)
        assert source.drawn == bound + 1 + i
    await results.aclose()


@BOTH
@EACH
@pytest.mark.parametrize("slow", [0, 3])
async def test_the_bound_holds_for_all_kinds_of_consumers(
    slow: int, asynchronous: bool, ordered: bool
) -> None:
    pool, source, load = NbAioPool(3, 2), Source(100), Load()

    async def job(i: int) -> int:
        return int(await load.job(i % 5, i))

    results = pool.map(job, source.aitems() if asynchronous else source.items(), ordered=ordered)
    seen = []
    async for result in source.count(results):
        seen.append(result)
        await turns(slow)
    assert sorted(seen) == list(range(100)) and (seen == sorted(seen) or not ordered)
    assert source.peak == 5 and load.peak == 3


async def test_the_bound_follows_the_limits_of_the_pool() -> None:
    pool, source = NbAioPool(2, 3), Source()
    results = pool.map(value, source.items())
    await results.__anext__()
    await turns(20)
    assert source.drawn == 5 + 1
    pool.max_queue_size = 7
    await results.__anext__()
    await turns(20)
    assert source.drawn == 9 + 2
    pool.max_concurrency = 1
    pool.max_queue_size = 1
    for _ in range(7):
        await results.__anext__()
        await turns(20)
    assert source.drawn == 9 + 2  # as much as ten results and the new bound
    await results.__anext__()
    await turns(20)
    assert source.drawn == 9 + 3
    await results.aclose()


@BOTH
async def test_results_are_handed_out_while_the_next_item_is_waited_for(ordered: bool) -> None:
    pool, more = NbAioPool(2, 3), Gate()

    async def items() -> AsyncIterator[int]:
        for i in range(3):
            yield i
            await more.wait()

    results = pool.map(value, items(), ordered=ordered)
    for i in range(3):
        assert await results.__anext__() == i
        await more.reached(i + 1)
        more.release()
    assert await results.collect() == []


@BOTH
async def test_results_are_handed_out_while_the_pool_is_full_of_the_work_of_others(ordered: bool) -> None:
    pool, gate, own = NbAioPool(2, 3), Gate(), Gate()
    results = pool.map(own.hold, itertools.count(), ordered=ordered)
    first = asyncio.ensure_future(results.__anext__())
    await own.reached(2)
    producers = [asyncio.ensure_future(pool.submit(gate.hold(i))) for i in range(8)]
    await turns(3)
    own.open()
    await gate.reached(2)  # others have the slots, and the queue as well
    assert [await first, *[await results.__anext__() for _ in range(4)]] == [0, 1, 2, 3, 4]
    waits = asyncio.ensure_future(results.__anext__())
    await turns(20)
    assert not waits.done() and counts(pool)["running"] == 2
    gate.open()
    assert await waits == 5
    await results.aclose()
    await asyncio.gather(*await asyncio.gather(*producers))


async def test_a_slow_head_does_not_keep_slots_empty() -> None:
    pool, head, source = NbAioPool(3, 7), Gate(), Source()
    log: List[Any] = []

    async def job(i: int) -> int:
        if i == 0:
            await head.wait()
        log.append(i)
        return i

    results = pool.map(job, source.items())
    first = asyncio.ensure_future(results.__anext__())
    await turns(100)
    assert not first.done() and log == list(range(1, 10))  # up to the bound
    assert counts(pool) == {"running": 1, "queued": 0, "waiting": 0}
    head.open()
    assert await first == 0
    assert [await results.__anext__() for _ in range(9)] == list(range(1, 10))
    await results.aclose()


async def test_unordered_a_slow_one_holds_up_nothing() -> None:
    pool, slow = NbAioPool(2, 2), Gate()

    async def job(i: int) -> int:
        if i == 0:
            await slow.wait()
        return i

    results = pool.map(job, range(50), ordered=False)
    assert [await results.__anext__() for _ in range(49)] == list(range(1, 50))
    slow.open()
    assert await results.collect() == [0]


@BOTH
async def test_a_map_stands_in_line_and_others_are_neither_passed_nor_starved(ordered: bool) -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    log: List[Any] = []

    async def job(i: int) -> Any:
        return await append(log, i)

    held = fill(pool, gate)
    (before,) = await park(pool, append(log, "before"))
    mapped = asyncio.ensure_future(pool.map(job, range(20), ordered=ordered).collect())
    await turns(3)
    assert pool.waiting == 2
    after = await park(pool, *[append(log, "after %d" % i) for i in range(3)])
    gate.open()
    assert await mapped == list(range(20))
    await asyncio.gather(*held, *await asyncio.gather(before, *after))
    assert log[:2] == ["before", 0] and log[-1] == 19
    assert [entry for entry in log if type(entry) is str] == ["before", "after 0", "after 1", "after 2"]
    assert log.index("after 2") <= 5


@BOTH
async def test_a_timer_and_other_tasks_go_on_beside_a_map_that_never_suspends(ordered: bool) -> None:
    pool, others = NbAioPool(2, 2), 0
    over = False

    async def other() -> None:
        nonlocal others
        while not over:
            others += 1
            await turns()

    task = asyncio.ensure_future(other())
    async for _ in pool.map(value, range(2_000), ordered=ordered):
        pass
    over = True
    await task
    assert others > 100 and accounting(pool).succeeded == 2_000


async def test_a_step_that_waits_sees_the_first_result_at_once() -> None:
    pool, gates = NbAioPool(2, 2), [Gate(), Gate(), Gate()]

    async def job(i: int) -> int:
        await gates[i].wait()
        return i

    results = pool.map(job, range(3))
    step = asyncio.ensure_future(results.__anext__())
    await gates[1].reached(1)
    gates[1].open()
    await gates[2].reached(1)
    assert not step.done()
    gates[0].open()
    assert await step == 0
    assert await results.__anext__() == 1  # while the third is still at its gate
    gates[2].open()
    assert await results.collect() == [2]


async def test_an_input_with_room_to_spare_is_drawn_to_its_end_ahead_of_the_consumer() -> None:
    pool, source = NbAioPool(5, 100), Source(50)
    results = pool.map(value, source.items())
    await results.__anext__()
    while source.drawn < 50:
        await turns()
    await pool.join()
    assert await results.collect() == list(range(1, 50))
