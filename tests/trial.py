"""Drives a pool and its model side by side: each is told what the other is told, and they are compared."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Set

from model import Entry, Model
from nb_aiopool import NbAioPool, PoolFull, PoolStopped
from support import accounting, is_closed, outcome, turns

if TYPE_CHECKING:
    import random

# What a job does when it is cancelled while it runs, and how it is counted then.
REACTIONS = {"obeys": "cancelled", "cleans up": "cancelled", "ignores": "succeeded", "fails": "failed"}
# More turns than anything takes that needs no event from outside, and than anything rests on the way.
PATIENCE = 100
REST = 5


class Work(Entry):
    """An entry together with the coroutine that stands for it, and what its submitter must hear."""

    def __init__(self, number: int, quick: bool, reaction: str) -> None:
        super().__init__(number)
        self.quick = quick  # ends at its first step
        self.reaction = reaction
        self.coro: Any = None
        self.starts = 0
        self.orders: Optional[asyncio.Future[Callable[[], Any]]] = None
        self.producer: Optional[asyncio.Task[Any]] = None  # the task that submits; for run, the caller
        self.future: Optional[asyncio.Future[Any]] = None  # the job's future, once it is known
        self.orphan = False  # nobody will ever look at its future
        self.given = False  # the future is the submitter's own
        self.expected: Any = None  # as by support.outcome()

    def leave(self, word: str) -> None:
        """The producer goes away without a job: it has given up, or it was refused."""
        self.expected = (word, None)


class Trial:
    def __init__(self, rng: random.Random, max_concurrency: int, max_queue_size: int) -> None:
        self.rng = rng
        self.pool = NbAioPool(max_concurrency, max_queue_size)
        self.model = Model(max_concurrency, max_queue_size)
        self.started: List[int] = []
        self.work: List[Work] = []
        self.batches: Dict[asyncio.Task[Any], List[Work]] = {}
        self.runs_of_batches: Set[asyncio.Task[Any]] = set()  # those that wait for the results as well
        self.joins: List[asyncio.Task[Any]] = []
        self.highest_running = 0
        self.highest_queued = 0

    # -- Jobs ------------------------------------------------------------------------------------------------

    def new_work(self) -> Work:
        quick = self.rng.random() < 0.2
        work = Work(len(self.work), quick, self.rng.choice(list(REACTIONS)))
        work.coro = self.body(work)
        self.work.append(work)
        return work

    async def body(self, work: Work) -> Any:
        self.started.append(work.number)
        work.starts += 1
        if work.quick:
            return work.number
        while True:
            work.orders = asyncio.get_running_loop().create_future()
            try:
                order = await work.orders
            except asyncio.CancelledError:
                return await self.react(work)
            answer = order()
            if answer is not None:
                return answer

    async def react(self, work: Work) -> Any:
        if work.reaction == "ignores":
            return "ignored"
        if work.reaction == "fails":
            raise LookupError(work.number)
        if work.reaction == "cleans up":
            await turns(2)
        raise asyncio.CancelledError

    def running(self) -> List[Work]:
        return [work for work in self.model.slots if isinstance(work, Work)]

    # -- Submitting ------------------------------------------------------------------------------------------

    def arrive(self, work: Work, block: bool, inside: bool = False) -> str:
        """Tell the model that the work reaches the pool at this moment."""
        answer = self.model.arrive(work, block, inside)
        if answer in ("full", "stopped"):
            work.leave(answer)
        return answer

    async def submits(self, work: Work, block: bool, given: bool) -> Any:
        future = asyncio.get_running_loop().create_future() if given else None
        self.arrive(work, block)
        work.future = await self.pool.submit(work.coro, block, future)
        work.given = given
        assert not given or work.future is future
        return work.future

    async def runs(self, work: Work, block: bool) -> Any:
        self.arrive(work, block)
        return await self.pool.run(work.coro, block)

    def submit_nowait(self, work: Work, inside: bool = False) -> None:
        answer = self.arrive(work, False, inside)
        try:
            work.future = self.pool.submit_nowait(work.coro)
        except PoolFull:
            assert answer == "full"
        except PoolStopped:
            assert answer == "stopped"
        else:
            assert answer == "accepted"

    def batch(self, size: int) -> List[Work]:
        return [self.new_work() for _ in range(size)]

    def drawn(self, batch: Sequence[Work]) -> Any:
        for work in batch:
            self.arrive(work, True)
            yield work.coro

    async def drawn_slowly(self, batch: Sequence[Work]) -> Any:
        for work in batch:
            await turns(self.rng.randrange(3))
            self.arrive(work, True)
            yield work.coro

    def orphan(self, work: Work) -> None:
        """Nobody holds the future of this work any more: nobody would hear of an exception."""
        work.reaction = "obeys"
        work.orphan = True

    # -- Ending ----------------------------------------------------------------------------------------------

    def ends(self, work: Work, outcome: str, expected: Any) -> None:
        self.model.end(work, outcome)
        if work.expected is None:
            work.expected = expected

    def cancel(self, work: Work) -> None:
        """Cancel work that is queued or runs, through whatever its submitter holds."""
        in_queue = work.place == "queue"
        held = work.future if work.future is not None else work.producer
        assert held is not None
        if work.given:
            self.orphan(work)  # a future that is cancelled cannot take an exception any more
        assert held.cancel() is True
        if work.given:
            work.expected = ("cancelled", None)  # such a future is cancelled at once, whatever its job does
        elif in_queue and work.future is not None:
            assert held.cancelled() and is_closed(work.coro)  # and it gives its place away at once
        self.hit(work)

    def hit(self, work: Work) -> None:
        """Tell the model that work was cancelled."""
        counted = "cancelled" if work.place == "queue" else REACTIONS[work.reaction]
        expected = {
            "cancelled": ("cancelled", None),
            "succeeded": ("result", "ignored"),
            "failed": ("exception", LookupError),
        }
        self.ends(work, counted, expected[counted])

    # -- Comparing -------------------------------------------------------------------------------------------

    def observed(self) -> Dict[str, Any]:
        stats = accounting(self.pool)._asdict()
        return {**stats, "waiting": self.pool.waiting, "closed": self.pool.closed, "started": self.started}

    def expected(self) -> Dict[str, Any]:
        self.model.begin_all()
        quick = [work for work in self.running() if work.quick]
        while quick:
            for work in quick:
                self.ends(work, "succeeded", ("result", work.number))
            self.model.begin_all()
            quick = [work for work in self.running() if work.quick]
        return {**self.model.counts(), "started": self.model.started}

    def check_now(self) -> None:
        """What holds at every moment, whether or not the loop has turned."""
        accounting(self.pool)
        running, queued = self.pool.running, self.pool.queued
        assert running <= max(self.pool.max_concurrency, self.highest_running)
        assert not self.pool.max_queue_size or queued <= max(self.pool.max_queue_size, self.highest_queued)
        # Above a limit that was lowered, the way leads down only.
        self.highest_running, self.highest_queued = running, queued

    async def settle(self) -> None:
        """Give the loop the turns it needs, then compare everything, and see that it stays so."""
        self.check_now()
        agreed = 0
        for _ in range(PATIENCE):
            await turns()
            self.check_now()
            agreed = agreed + 1 if self.observed() == self.expected() else 0
            if agreed > REST:
                break
        assert self.observed() == self.expected()
        for work in self.work:
            assert work.starts == (work.number in set(self.model.started)), work
        if not (self.model.queue or self.model.slots):
            assert all(join.done() for join in self.joins)

    def check_outcomes(self) -> None:
        """Once all is over: each coroutine has run or was closed, and each submitter heard what it must."""
        assert self.model.idle
        for work in self.work:
            assert work.starts <= 1
            assert is_closed(work.coro)
            self.check_outcome(work)
        for join in self.joins:
            assert outcome(join) == ("result", None)

    def check_outcome(self, work: Work) -> None:
        word, value = work.expected
        held = work.future if work.future is not None else work.producer
        if held is None:
            return  # part of a batch_run, or refused by submit_nowait
        seen, found = outcome(held)
        if word in ("full", "stopped"):
            assert seen == "exception", work
            assert type(found) is (PoolFull if word == "full" else PoolStopped)
        elif word == "exception":
            assert (seen, type(found)) == ("exception", value)
        else:
            assert (seen, found) == (word, value), work
