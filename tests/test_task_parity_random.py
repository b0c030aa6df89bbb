"""Random programs do the same, step by step, as a job and as a Task of an asyncio that has today's cancellation."""

from __future__ import annotations

import asyncio
import random
import sys
from typing import Any, Callable, List, Tuple

import pytest

from nb_aiopool import NbAioPool
from parity import Yields
from support import turns

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="a Task counts and takes back as a job from 3.13 on"
)

INSIDE = ["yield", "wait", "wait", "cancel self", "uncancel", "bad yield", "await self", "finish", "shield"]
OUTSIDE = ["nothing", "nothing", "cancel", "uncancel", "resolve", "fail", "cancel future"]


class Trial:
    """One program: what its coroutine does one after another, and what happens to it at each turn of the loop."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        self.inside = [
            (rng.choice(INSIDE), rng.randrange(3), rng.random() < 0.6) for _ in range(rng.randrange(1, 8))
        ]
        self.outside = [
            [(rng.choice(OUTSIDE), rng.randrange(3))] * rng.choice([0, 1, 1, 2]) for _ in range(12)
        ]
        self.end = rng.choice(["return", "raise", "cancelled"])
        self.log: List[Any] = []
        self.futures: List[Any] = []

    async def coroutine(self) -> Any:
        for operation, number, catches in self.inside:
            if operation == "finish":
                break
            try:
                await self.operate(operation, number)
                self.note(operation, "done")
            except (asyncio.CancelledError, LookupError, RuntimeError) as error:
                self.note(operation, describe(error))
                if not catches:
                    raise
        if self.end == "raise":
            raise LookupError("at the end")
        if self.end == "cancelled":
            raise asyncio.CancelledError("at the end")
        return "end"

    async def operate(self, operation: str, number: int) -> None:
        me: Any = asyncio.current_task()
        if operation == "yield":
            await asyncio.sleep(0)
        elif operation == "wait":
            self.note("got", await self.futures[number])
        elif operation == "shield":
            self.note("got", await asyncio.shield(self.futures[number]))
        elif operation == "cancel self":
            self.note("cancel", me.cancel("by itself %d" % number))
        elif operation == "uncancel":
            self.note("uncancel", me.uncancel())
        elif operation == "bad yield":
            await Yields(number)
        else:
            await me

    def disturb(self, task: Any, action: str, number: int) -> None:
        future = self.futures[number]
        if action == "cancel":
            self.note("cancel", task.cancel(*(["from outside %d" % number] if number else [])))
        elif action == "uncancel":
            self.note("uncancel", task.uncancel())
        elif action == "cancel future":
            self.note("cancel future", future.cancel())
        elif action == "resolve" and not future.done():
            future.set_result(number)
        elif action == "fail" and not future.done():
            future.set_exception(LookupError(number))
            future.exception()

    def note(self, *entry: Any) -> None:
        self.log.append(entry)

    def look(self, task: Any) -> None:
        waiter = task._fut_waiter
        waits = [i for i in range(3) if waiter is self.futures[i]] or waiter is not None
        self.note("seen", task.done(), task.cancelled(), task.cancelling(), task._must_cancel, waits)

    async def run(self, spawn: Callable[[Any], Any]) -> List[Any]:
        self.futures = [asyncio.get_running_loop().create_future() for _ in range(3)]
        task = spawn(self.coroutine())
        await turns()  # cancelled before it has begun a job is dropped at once, where a task waits for a turn
        for actions in self.outside:
            for action, number in actions:
                self.disturb(task, action, number)
            self.look(task)
            await turns()
            self.look(task)
        while not task.done():
            for future in self.futures:
                if not future.done():
                    future.set_result("late")
            await turns()
        try:
            self.note("result", await task)
        except BaseException as error:
            self.note("error", describe(error))
        return self.log


def describe(error: BaseException) -> Tuple[Any, ...]:
    # The texts of a RuntimeError show the job or the task.
    known = [text for text in ("bad yield", "await on itself") if text in str(error)]
    return (type(error), known if isinstance(error, RuntimeError) else error.args)


@pytest.mark.parametrize("block", range(5))
async def test_a_random_program_does_the_same_as_a_job_and_as_a_task(block: int) -> None:
    for seed in range(block * 200, (block + 1) * 200):
        as_task = await Trial(seed).run(lambda coro: asyncio.Task(coro, loop=asyncio.get_running_loop()))
        as_job = await Trial(seed).run(lambda coro: NbAioPool(1, 1).submit_nowait(coro))
        assert as_job == as_task, "seed %d: %s" % (seed, Trial(seed).__dict__)
