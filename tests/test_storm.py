"""Everything at once: many producers, cancellations and resizings with no pause in between.

Nothing is predicted here but what holds at every moment: the books, the limits, the order of starts, and that each
coroutine is run or closed. ``NB_AIOPOOL_SEED=<seed>`` makes another storm.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
from typing import Any, Dict, List, Set

import pytest

from nb_aiopool import NbAioPool, PoolFull, PoolStopped
from support import accounting, is_closed, outcome, turns

SEED = int(os.environ.get("NB_AIOPOOL_SEED", "7"))
ROUNDS = 150


class Storm:
    def __init__(self, seed: int) -> None:
        print("NB_AIOPOOL_SEED=%d" % seed)
        self.rng = random.Random(seed)
        self.limits = [self.rng.randint(1, 6)]
        self.pool = NbAioPool(self.limits[0], self.rng.randint(1, 6))
        self.coros: List[Any] = []  # in the order in which they reached the pool
        self.started: List[int] = []
        self.passed: List[int] = []  # who started after somebody that came later
        self.inside = self.most_inside = 0
        self.tasks: List[asyncio.Task[Any]] = []
        self.futures: List[asyncio.Future[Any]] = []
        self.refused: Set[int] = set()

    # -- Jobs

    def coroutine(self) -> Any:
        """A new job, which reaches the pool before anything else can happen."""
        number = len(self.coros)
        self.coros.append(self.job(number))
        return self.coros[-1]

    async def job(self, number: int) -> int:
        if self.started and number < self.started[-1]:
            self.passed.append(number)
        self.started.append(number)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await self.steps(number)
            return number
        finally:
            self.inside -= 1

    async def steps(self, number: int) -> None:
        for _ in range(self.rng.choice([0, 0, 1, 1, 2, 5])):
            try:
                await turns()
            except asyncio.CancelledError:
                if self.rng.random() < 0.6:
                    raise
        chance = self.rng.random()
        if chance < 0.1:
            raise LookupError(number)
        if chance < 0.2:
            raise asyncio.CancelledError
        if chance < 0.3:
            self.submit_nowait()
        elif chance < 0.4 and self.futures:
            self.rng.choice(self.futures).cancel()

    # -- Producers

    def submit_nowait(self) -> None:
        number = len(self.coros)
        try:
            self.futures.append(self.pool.submit_nowait(self.coroutine()))
        except (PoolFull, PoolStopped):
            self.refused.add(number)

    async def submits(self) -> None:
        for _ in range(self.rng.randint(1, 4)):
            self.futures.append(await self.pool.submit(self.coroutine()))

    async def runs(self) -> None:
        number = len(self.coros)
        assert await self.pool.run(self.coroutine()) == number

    async def runs_batch(self) -> None:
        await self.pool.batch_run(self.drawn(), return_exceptions=self.rng.random() < 0.5)

    async def submits_batch(self) -> None:
        self.futures += await self.pool.batch_submit(self.drawn())

    def drawn(self) -> Any:
        for _ in range(self.rng.randrange(6)):
            yield self.coroutine()

    # -- Weather

    def strike(self) -> None:
        """One thing that happens between two turns, or in the same turn as others."""
        chance = self.rng.random()
        if chance < 0.45:
            ways = [self.submits, self.submits, self.runs, self.runs_batch, self.submits_batch]
            self.tasks.append(asyncio.ensure_future(self.rng.choice(ways)()))
        elif chance < 0.6:
            self.submit_nowait()
        elif chance < 0.75 and self.tasks:
            self.rng.choice(self.tasks[-10:]).cancel()
        elif chance < 0.92 and self.futures:
            self.rng.choice(self.futures[-12:]).cancel()
        elif chance < 0.96:
            self.limits.append(self.rng.randint(1, 6))
            self.pool.max_concurrency = self.limits[-1]
        else:
            self.pool.max_queue_size = self.rng.randint(1, 6)
        self.check()

    def check(self) -> None:
        accounting(self.pool)
        assert self.inside <= self.pool.running <= max(self.limits)
        assert self.most_inside <= max(self.limits)
        assert self.passed == [], "jobs start in the order in which they came"

    async def blow(self) -> None:
        for _ in range(ROUNDS):
            for _ in range(self.rng.randint(1, 4)):
                self.strike()
            await turns(self.rng.choice([0, 1, 1, 1, 2]))
            self.check()

    async def calm(self) -> None:
        """After it: nothing is left, and nothing was lost."""
        if self.tasks:
            await asyncio.wait(self.tasks)
        await turns(20)
        self.check()
        stats = accounting(self.pool)
        assert (stats.running, stats.queued, self.pool.waiting, self.inside) == (0, 0, 0, 0)
        assert len(self.started) == len(set(self.started))
        assert all(is_closed(coro) for coro in self.coros)
        assert self.refused.isdisjoint(self.started)
        assert not any(future.done() is False for future in self.futures)
        for held in [*self.futures, *self.tasks]:
            word, value = outcome(held)
            assert word != "exception" or type(value) in (LookupError, PoolStopped), value
        self.futures.clear()
        self.tasks.clear()


def storms() -> Any:
    return pytest.mark.parametrize("seed", range(SEED, SEED + 5))


@storms()
async def test_a_storm_that_is_waited_out_loses_nothing(seed: int, reports: List[Any]) -> None:
    storm = Storm(seed)
    await storm.blow()
    storm.pool.max_concurrency = 3
    await asyncio.wait(storm.tasks)
    await storm.pool.join()
    await storm.calm()
    check_reports(storm, reports)


@pytest.mark.parametrize("how", [{}, {"cancel": True}, {"timeout": 0}, {"timeout": 0.001}], ids=str)
@storms()
async def test_a_storm_that_ends_in_a_shutdown_loses_nothing(
    seed: int, how: Dict[str, Any], reports: List[Any]
) -> None:
    storm = Storm(seed)
    await storm.blow()
    ending = asyncio.ensure_future(storm.pool.shutdown(**how))
    for _ in range(20):
        storm.strike()
        await turns()
    await ending
    assert storm.pool.closed
    await storm.calm()
    check_reports(storm, reports)


@storms()
async def test_a_storm_around_a_block_that_is_left_by_cancellation_loses_nothing(
    seed: int, reports: List[Any]
) -> None:
    storm = Storm(seed)

    async def block() -> None:
        async with storm.pool:
            await storm.blow()
            await asyncio.get_running_loop().create_future()

    task = asyncio.ensure_future(block())
    while len(storm.coros) < 100 and not task.done():
        await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await storm.calm()
    check_reports(storm, reports)


def check_reports(storm: Storm, reports: List[Any]) -> None:
    """The only complaints are of jobs that failed while nobody held their future, one for each."""
    gc.collect()
    for report in reports:
        assert type(report.get("exception")) is LookupError, report
    reported = [report["exception"].args[0] for report in reports]
    assert len(reported) == len(set(reported))
    reports.clear()
