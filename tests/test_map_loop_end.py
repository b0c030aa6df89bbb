"""map: a loop that ends while a map is half-way ends it, silently."""

from __future__ import annotations

import asyncio
import gc
import itertools
from typing import Any, AsyncIterator, Callable, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, counts, is_closed, turns, value

Run = Callable[[Any], Any]
BOTH = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
IDLE = {"running": 0, "queued": 0, "waiting": 0}


class Scene:
    """A map over an endless input whose jobs, from the second one on, wait for ever."""

    def __init__(self, ordered: bool) -> None:
        self.pool, self.gate = NbAioPool(2, 3), Gate()
        self.log: List[str] = []
        self.coros: List[Any] = []
        self.results = self.pool.map(self.func, self.items(), ordered=ordered)

    def func(self, i: int) -> Any:
        self.coros.append(self.job(i))
        return self.coros[-1]

    async def job(self, i: int) -> int:
        if i > 0:
            try:
                await self.gate.wait()
            finally:
                await turns(3)
                self.log.append("cleaned up")
        return i

    async def items(self) -> AsyncIterator[int]:
        try:
            for i in itertools.count():
                yield i
        finally:
            await turns(3)
            self.log.append("closed")

    def check(self, dropped: bool = False) -> None:
        # What was dropped is cleaning up already when uvloop ends: like any task, it is cancelled once more.
        assert sorted(self.log) == ["cleaned up", "cleaned up", "closed"] or (dropped and self.log == [])
        assert all(is_closed(coro) for coro in self.coros) and counts(self.pool) == IDLE


@BOTH
@pytest.mark.parametrize("kept", [True, False])
def test_a_map_half_way_is_ended_with_the_loop(run_loop: Run, ordered: bool, kept: bool) -> None:
    scene = Scene(ordered)

    async def main() -> Any:
        assert await scene.results.__anext__() == 0
        await scene.gate.reached(2)
        return "early"

    async def main_that_drops_it() -> Any:
        await main()
        del scene.results
        return "early"

    assert run_loop(main() if kept else main_that_drops_it()) == "early"
    scene.check(dropped=not kept)
    if kept:
        del scene.results
    gc.collect()


@BOTH
def test_a_consumer_that_waits_is_ended_with_the_loop(run_loop: Run, ordered: bool) -> None:
    scene = Scene(ordered)
    tasks: List[Any] = []

    async def main() -> None:
        tasks.append(asyncio.ensure_future(scene.results.collect()))
        await scene.gate.reached(2)
        await turns(10)

    run_loop(main())
    assert tasks[0].cancelled()
    scene.check()


@BOTH
def test_failed_jobs_whose_turn_has_not_come_are_not_reported(run_loop: Run, ordered: bool) -> None:
    pool = NbAioPool(2, 3)
    box: List[Any] = []

    async def job(i: int) -> int:
        if i:
            raise LookupError(i)
        return i

    async def main(drop: bool) -> None:
        results = pool.map(job, range(5), ordered=ordered, return_exceptions=True)
        assert await results.__anext__() == 0
        await turns(10)
        if not drop:
            box.append(results)

    run_loop(main(True))
    run_loop(main(False))
    box.clear()
    gc.collect()
    assert counts(pool) == IDLE


def test_the_pool_serves_the_next_loop(run_loop: Run) -> None:
    pool = NbAioPool(2, 3)

    async def main() -> Any:
        results = pool.map(value, itertools.count())
        return [await results.__anext__() for _ in range(3)]

    assert run_loop(main()) == run_loop(main()) == [0, 1, 2]
    assert run_loop(pool.map(value, range(4)).collect()) == [0, 1, 2, 3]


@pytest.mark.parametrize("way", ["return", "break", "raise", "exit", "waiting"])
def test_asyncio_run_ends_silently_with_a_map_half_way(script: Any, way: str) -> None:
    done = script(
        """
        import asyncio, itertools, sys
        from nb_aiopool import NbAioPool

        async def job(i):
            try:
                await asyncio.sleep(0 if i < 5 else 60)
            except asyncio.CancelledError:
                await asyncio.sleep(0.001)
                raise
            if i == 3:
                raise LookupError(i)
            return i

        async def items():
            try:
                for i in itertools.count():
                    yield i
            finally:
                await asyncio.sleep(0.001)
                print("closed")

        async def consume(results):
            return await results.collect()

        async def main():
            global results
            for ordered in (True, False):
                results = pool.map(job, items(), ordered=ordered, return_exceptions=True)
                async for result in results:
                    if result == 2:
                        break
            await asyncio.sleep(0.01)
            if sys.argv[1] == "raise":
                raise KeyError("on purpose")
            elif sys.argv[1] == "exit":
                raise SystemExit(0)
            elif sys.argv[1] == "waiting":
                asyncio.ensure_future(consume(results))
                await asyncio.sleep(0.01)
            elif sys.argv[1] == "break":
                del results

        pool = NbAioPool(3, 9)
        try:
            asyncio.run(main())
        except KeyError:
            pass
        print(pool.running, pool.queued, pool.waiting)
        """,
        way,
    )
    assert done.stdout == "closed\nclosed\n0 0 0\n" or way == "exit"
