"""map against a plain sequential model: random inputs, limits, durations, failures and break points."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any, AsyncIterator, Dict, Iterator, List

import pytest

from nb_aiopool import NbAioPool
from support import accounting, counts, is_closed, turns

IDLE = {"running": 0, "queued": 0, "waiting": 0}
SEED = int(os.environ.get("MAP_SEED", random.randrange(10**9)))


class ItemError(Exception):
    pass


class InputError(Exception):
    pass


class Plan:
    """What is to happen, and what a loop that does one item after the other would give."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.concurrency, self.queue = rng.randint(1, 5), rng.randrange(5)
        self.ordered, self.return_exceptions = rng.random() < 0.5, rng.random() < 0.5
        self.lengths = [rng.randrange(25) for _ in range(rng.randint(1, 3))]
        self.asynchronous = [rng.random() < 0.5 for _ in self.lengths]
        self.length = min(self.lengths)
        failing = 0.1 if rng.random() < 0.5 else 0.0
        self.ways = [rng.choice(WAYS) if rng.random() < failing else "returns" for _ in range(self.length)]
        self.durations = [rng.choice((0, 0, 1, 2, 5, 12)) for _ in range(self.length)]
        self.input_fails = rng.random() < 0.2  # after its last item
        self.leave_after = rng.randrange(self.length + 1) if rng.random() < 0.3 else None
        self.leave_by = rng.choice(("break", "aclose", "cancel"))
        self.consumer_waits = rng.choice((0, 0, 1, 7))
        self.input_waits = rng.choice((0, 1, 4))

    def expected(self) -> List[Any]:
        """The outcomes in the order of the input, up to the one that ends the map."""
        outcomes: List[Any] = []
        for i, way in enumerate(self.ways):
            outcomes.append(i if way == "returns" else OUTCOMES[way])
            if way != "returns" and not self.return_exceptions:
                return outcomes
        # Of the inputs that end first, the first one that is drawn from decides.
        if self.input_fails:
            outcomes.append(InputError)
        return outcomes

    def __repr__(self) -> str:
        return "".join("\n    %s=%r" % item for item in vars(self).items())


WAYS = ("fails", "cancels", "raises at once", "no awaitable")
OUTCOMES: Dict[str, Any] = {
    "fails": ItemError,
    "cancels": asyncio.CancelledError,
    "raises at once": ItemError,
    "no awaitable": TypeError,
}


class Run:
    def __init__(self, plan: Plan) -> None:
        self.plan, self.pool = plan, NbAioPool(plan.concurrency, plan.queue)
        self.bound = plan.concurrency + (plan.queue or plan.concurrency)
        self.inside = self.drawn = self.taken = 0
        self.coros: List[Any] = []
        self.sources: List[Any] = []
        self.seen: List[Any] = []
        for n, asynchronous in zip(plan.lengths, plan.asynchronous):
            self.sources.append(self.aitems(n) if asynchronous else self.items(n))
        self.first = self.sources[0]

    def draw(self, i: int) -> int:
        self.drawn = max(self.drawn, i + 1)
        assert self.drawn - self.taken <= self.bound
        return i

    def items(self, n: int) -> Iterator[int]:
        for i in range(n):
            yield self.draw(i)
        if self.plan.input_fails and n == self.plan.length:
            raise InputError

    async def aitems(self, n: int) -> AsyncIterator[int]:
        for i in self.items(n):
            await turns(self.plan.input_waits)
            yield i

    def func(self, *items: int) -> Any:
        (i,) = set(items)
        way = self.plan.ways[i]
        if way == "raises at once":
            raise ItemError(i)
        if way == "no awaitable":
            return i
        self.coros.append(self.job(i, way))
        return self.coros[-1]

    async def job(self, i: int, way: str) -> int:
        self.inside += 1
        assert self.inside <= self.plan.concurrency
        try:
            await turns(self.plan.durations[i])
            if way == "fails":
                raise ItemError(i)
            if way == "cancels":
                raise asyncio.CancelledError
        finally:
            self.inside -= 1
        return i

    async def consume(self, results: Any) -> None:
        try:
            async for result in results:
                self.taken += 1
                self.seen.append(type(result) if isinstance(result, BaseException) else result)
                if self.taken == self.plan.leave_after:
                    await self.leave(results)
                    return
                await turns(self.plan.consumer_waits)
        except (ItemError, InputError, TypeError, asyncio.CancelledError) as error:
            self.seen.append(type(error))

    async def leave(self, results: Any) -> None:
        if self.plan.leave_by == "aclose":
            await results.aclose()
        elif self.plan.leave_by == "cancel":
            step = asyncio.ensure_future(results.__anext__())
            await turns()
            if step.cancel():
                await asyncio.wait([step])
            if not step.cancelled():
                step.exception()

    def mapped(self) -> Any:
        plan = self.plan
        sources, self.sources = self.sources, []
        return self.pool.map(
            self.func, *sources, ordered=plan.ordered, return_exceptions=plan.return_exceptions
        )

    async def settle(self) -> None:
        for _ in range(100):
            if counts(self.pool) == IDLE:
                break
            await turns()
        await turns(30)

    def check(self) -> None:
        plan, expected = self.plan, self.plan.expected()
        if plan.ordered:
            assert self.seen == expected[: plan.leave_after or None]
        else:
            self.check_unordered()
        assert counts(self.pool) == IDLE and self.inside == 0
        assert all(is_closed(coro) for coro in self.coros)
        # One may have been in line when something ended the map.
        assert len(self.coros) - accounting(self.pool).submitted in (0, 1)

    def check_unordered(self) -> None:
        """Each outcome once at most; all of them unless something has ended it; what ends it is the last."""
        plan = self.plan
        possible: List[Any] = [i if way == "returns" else OUTCOMES[way] for i, way in enumerate(plan.ways)]
        ends = InputError in self.seen
        for entry in self.seen[:-1] if ends else self.seen:
            possible.remove(entry)
        errors = [entry for entry in self.seen if isinstance(entry, type)]
        if not plan.return_exceptions:
            assert errors in ([], self.seen[-1:])
        if errors and not plan.return_exceptions and not ends:
            return
        if plan.leave_after == len(self.seen) > 0:
            return
        assert possible == [] and ends == plan.input_fails


@pytest.mark.limit(120)
@pytest.mark.parametrize("part", range(4))
async def test_a_map_gives_what_a_loop_would_give(part: int) -> None:
    for number in range(150):
        seed = SEED + 1000 * part + number
        plan = Plan(random.Random(seed))
        print("MAP_SEED=%d%r" % (seed, plan))
        run = Run(plan)
        results = run.mapped()
        await run.consume(results)
        del results
        await run.settle()
        run.check()
