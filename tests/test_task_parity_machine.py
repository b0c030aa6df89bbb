"""Coroutines that are not native, only look like it: a job steps them by their methods, as asyncio's Task does."""

from __future__ import annotations

import asyncio
from typing import Any, Coroutine, List

import pytest

from nb_aiopool import NbAioPool
from parity import spawn
from support import Gate, turns


class Machine(Coroutine[Any, Any, Any]):
    """A coroutine that is no native one: its steps come from a list, and it writes down what is done to it."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.log: List[Any] = []

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, sent: Any) -> Any:
        self.log.append(("send", sent))
        step = self.steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step

    def throw(self, error: Any, *rest: Any) -> Any:
        self.log.append(("throw", error if isinstance(error, type) else type(error)))
        step = self.steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step

    def close(self) -> None:
        self.log.append("close")


async def test_a_coroutine_that_is_not_native_is_stepped_by_its_methods() -> None:
    machine = Machine(None, None, StopIteration("result"))
    assert await spawn(machine) == "result"
    assert machine.log == [("send", None)] * 3


@pytest.mark.parametrize("result", [None, (), (1, 2), [3], StopIteration("inner")], ids=repr)
async def test_the_result_of_a_coroutine_that_is_not_native_is_taken_whole(result: Any) -> None:
    machine = Machine(StopIteration(result))
    got = await spawn(machine)
    assert got is result


async def test_a_coroutine_that_is_not_native_may_fail_and_be_cancelled() -> None:
    error = LookupError("mine")
    failing = spawn(Machine(None, error))
    assert await asyncio.gather(failing, return_exceptions=True) == [error]
    machine = Machine(None, asyncio.CancelledError())
    job = spawn(machine)
    await turns(1)
    job.cancel()
    await asyncio.wait([job])
    assert job.cancelled() and machine.log == [("send", None), ("throw", asyncio.CancelledError)]


async def test_a_coroutine_that_is_not_native_is_closed_when_it_is_dropped() -> None:
    pool, gate, machine = NbAioPool(1, 1), Gate(), Machine()
    held, job = pool.submit_nowait(gate.hold()), pool.submit_nowait(machine)
    job.cancel()
    assert machine.log == ["close"]
    gate.open()
    await held
