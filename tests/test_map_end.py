"""map: left before its end, by an exception, a cancellation, aclose or break, it leaves nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import threading
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, accounting, counts, is_closed, turns, value

BOTH = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
IDLE = {"running": 0, "queued": 0, "waiting": 0}


class Scene:
    """A map over an endless asynchronous input, whose jobs take their time to clean up, and what became of it."""

    def __init__(self, ordered: bool, results: int = 0) -> None:
        self.pool, self.arrived = NbAioPool(2, 3), Gate()
        self.results = results  # so many jobs end
        self.coros: List[Any] = []
        self.begun = self.cleaned_up = 0
        self.closed = self.interrupted = False
        self.map = self.pool.map(self.func, self.items(), ordered=ordered)

    def func(self, i: int) -> Any:
        self.coros.append(self.job(i))
        return self.coros[-1]

    async def job(self, i: int) -> int:
        self.begun += 1
        try:
            if i >= self.results:
                await self.arrived.wait()
        except asyncio.CancelledError:
            await self.clean_up()
            raise
        finally:
            self.cleaned_up += 1
        return i

    async def items(self) -> AsyncIterator[int]:
        try:
            for i in itertools.count():
                await turns()
                yield i
        finally:
            await self.clean_up()
            self.closed = True

    async def clean_up(self) -> None:
        try:
            await turns(3)
        except asyncio.CancelledError:
            self.interrupted = True
            raise

    def check(self) -> None:
        assert counts(self.pool) == IDLE
        assert all(is_closed(coro) for coro in self.coros)
        assert self.closed and self.begun == self.cleaned_up and not self.interrupted


@BOTH
async def test_aclose_cancels_the_jobs_waits_for_them_and_closes_the_input(ordered: bool) -> None:
    scene = Scene(ordered, results=2)
    assert [await scene.map.__anext__() for _ in range(2)] == [0, 1]
    await scene.arrived.reached(2)
    await scene.map.aclose()
    scene.check()
    for _ in range(2):
        await scene.map.aclose()
        with pytest.raises(StopAsyncIteration):
            await scene.map.__anext__()


@BOTH
async def test_aclose_by_many_at_once_ends_for_all_of_them_when_all_is_closed(ordered: bool) -> None:
    scene = Scene(ordered, results=1)
    await scene.map.__anext__()
    await scene.arrived.reached(2)

    async def close() -> None:
        await scene.map.aclose()
        scene.check()

    await asyncio.gather(*(close() for _ in range(3)))


@BOTH
async def test_aclose_ends_the_iteration_of_a_task_that_waits_for_the_next_result(ordered: bool) -> None:
    scene = Scene(ordered)
    task = asyncio.ensure_future(scene.map.collect())
    await scene.arrived.reached(2)
    await scene.map.aclose()
    scene.check()
    assert await task == []


@BOTH
@pytest.mark.parametrize("after", [*range(12), 50])
async def test_the_consumer_may_be_cancelled_at_any_moment(after: int, ordered: bool) -> None:
    scene = Scene(ordered, results=3)
    task = asyncio.ensure_future(scene.map.collect())
    await turns(after)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    if after == 0:
        assert scene.begun == 0
        await scene.map.aclose()  # it has not even begun
        scene.closed = True
    scene.check()


@BOTH
@pytest.mark.parametrize("again", range(1, 6))
async def test_a_consumer_that_is_cancelled_again_meanwhile_waits_all_the_same(
    again: int, ordered: bool
) -> None:
    pool, gate, arrived = NbAioPool(3, 3), Gate(), Gate()

    async def stubborn(i: int) -> None:
        arrived.arrived += 1
        while not gate.is_open:
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    task = asyncio.ensure_future(pool.map(stubborn, range(9), ordered=ordered).collect())
    while arrived.arrived < 3:
        await turns()
    for _ in range(again):
        task.cancel()
        await turns(3)
        assert not task.done() and pool.running == 3
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert counts(pool) == IDLE and accounting(pool).submitted <= 6


@BOTH
async def test_break_ends_it_in_the_background(ordered: bool) -> None:
    scene = Scene(ordered, results=1)
    async for result in scene.map:
        assert result == 0
        break
    await scene.arrived.reached(2)
    del scene.map
    await turns(20)
    scene.check()


@BOTH
async def test_one_that_is_dropped_by_another_thread_ends_in_the_background(ordered: bool) -> None:
    scene = Scene(ordered, results=1)
    await scene.map.__anext__()
    await scene.arrived.reached(2)
    box = [scene.map]
    del scene.map
    thread = threading.Thread(target=box.clear)
    thread.start()
    while counts(scene.pool) != IDLE or not scene.closed:
        await turns()
    thread.join()
    scene.check()


@BOTH
async def test_a_step_that_is_thrown_away_ends_it_in_the_background(ordered: bool) -> None:
    scene = Scene(ordered)
    step = scene.map.__anext__()
    step.send(None)  # type: ignore[attr-defined]
    await scene.arrived.reached(2)
    step.close()  # type: ignore[attr-defined]
    await turns(20)
    scene.check()
    with pytest.raises(StopAsyncIteration):
        await scene.map.__anext__()


@BOTH
async def test_a_timeout_around_a_step_ends_the_map(ordered: bool) -> None:
    scene = Scene(ordered)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(scene.map.__anext__(), 0.05)
    scene.check()
    assert await scene.map.collect() == []


@BOTH
async def test_an_input_is_closed_by_the_task_that_draws_from_it(ordered: bool) -> None:
    tasks = set()

    async def items() -> AsyncIterator[int]:
        try:
            for i in itertools.count():
                tasks.add(asyncio.current_task())
                yield i
        finally:
            tasks.add(asyncio.current_task())
            tasks.add("closed")

    results = NbAioPool(2, 2).map(value, items(), ordered=ordered)
    await results.__anext__()
    await results.aclose()
    assert len(tasks) == 2 and "closed" in tasks


@BOTH
async def test_all_inputs_are_closed_also_when_one_fails_to(ordered: bool, reports: Any) -> None:
    closed: List[str] = []

    async def items(name: str) -> AsyncIterator[str]:
        try:
            while True:
                yield name
        finally:
            await turns(2)
            closed.append(name)
            if name == "b":
                raise LookupError(name)

    async def join(*names: str) -> str:
        return "".join(names)

    results = NbAioPool(2, 2).map(join, items("a"), items("b"), items("c"), ordered=ordered)
    assert await results.__anext__() == "abc"
    await results.aclose()
    assert closed == ["a", "b", "c"]
    assert [repr(report["exception"]) for report in reports] == ["LookupError('b')"]


@BOTH
async def test_an_input_that_swallows_the_cancellation_ends_it_all_the_same(ordered: bool) -> None:
    pool, waits = NbAioPool(2, 2), Gate()

    async def items() -> AsyncIterator[int]:
        for i in itertools.count():
            with contextlib.suppress(asyncio.CancelledError):
                await waits.wait()
            yield i

    source = items()
    results = pool.map(value, source, ordered=ordered)
    waits.release()
    step = asyncio.ensure_future(results.__anext__())
    await waits.reached(1)
    await results.aclose()
    with pytest.raises(StopAsyncIteration):
        await step
    assert source.ag_frame is None and accounting(pool).submitted == 0  # type: ignore[attr-defined]


def closers() -> Dict[str, Callable[[Any], Awaitable[None]]]:
    async def closes(results: Any) -> None:
        await results.aclose()

    async def in_a_task(results: Any) -> None:
        asyncio.ensure_future(results.aclose())  # an eager one closes at once
        await turns(3)

    return {"awaits": closes, "in a task": in_a_task}


@BOTH
@pytest.mark.parametrize("how", closers())
@pytest.mark.parametrize("where", ["job", "input", "function"])
async def test_it_may_be_closed_from_within(where: str, how: str, ordered: bool) -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    coros: List[Any] = []
    tasks: List[Any] = []

    async def job(i: int) -> Any:
        if where == "job" and i == 1:
            await closers()[how](results)
        return i if i == 0 else await gate.hold(i)

    async def items() -> AsyncIterator[int]:
        for i in range(9):
            if where == "input" and i == 1:
                await closers()[how](results)
            yield i

    def func(i: int) -> Any:
        if where == "function" and i == 1:
            tasks.append(asyncio.ensure_future(results.aclose()))
        coros.append(job(i))
        return coros[-1]

    results = pool.map(func, items(), ordered=ordered)
    seen = await results.collect()
    assert seen in ([], [0])
    gate.open()
    await asyncio.gather(*tasks)
    await pool.join()
    assert counts(pool) == IDLE and all(is_closed(coro) for coro in coros)
    assert await results.collect() == []


@BOTH
async def test_one_in_a_reference_cycle_is_ended_by_the_collector(ordered: bool) -> None:
    scene = Scene(ordered, results=1)

    class Holder:
        pass

    holder: Any = Holder()
    holder.map, holder.itself = scene.map, holder
    await holder.map.__anext__()
    del scene.map, holder
    gc.collect()
    await turns(20)
    scene.check()


def test_a_map_that_is_at_work_is_refused_in_another_loop() -> None:
    pool, refused = NbAioPool(2), []

    async def main() -> List[int]:
        results = pool.map(value, range(20))
        first = await results.__anext__()

        def elsewhere() -> None:
            for call in (results.__anext__, results.aclose, results.collect):
                other: Any = call()
                with pytest.raises(RuntimeError, match="another event loop"):
                    asyncio.run(other)
                refused.append(call)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.001)
        return [first, *[result async for result in results]]

    assert asyncio.run(main()) == list(range(20)) and len(refused) == 3


async def test_a_function_that_always_fails_gives_way_to_the_loop() -> None:
    def broken(_: int) -> Any:
        raise LookupError("no")

    ticks, over = [], False

    async def tick() -> None:
        while not over:
            ticks.append(1)
            await asyncio.sleep(0)

    ticking = asyncio.ensure_future(tick())
    await turns(1)
    results = await NbAioPool(1000, 1000).map(broken, range(1000), return_exceptions=True).collect()
    over = True
    await ticking
    assert len(results) == 1000 and len(ticks) > 500
