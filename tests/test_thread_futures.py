"""The futures that threads get: several threads that wait for one, and both sides that end it at once."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import logging
from typing import Any, Callable, List

import pytest

from executors import divmod_of, power
from nb_aiopool import AsyncPoolExecutor
from threads import FOREVER, ThreadGate, join, started, until

New = Callable[..., AsyncPoolExecutor]


def noted(outcomes: List[Any], ask: Callable[..., Any]) -> Callable[[], None]:
    def note() -> None:
        try:
            outcomes.append(ask(FOREVER))
        except BaseException as error:
            outcomes.append(type(error))

    return note


def test_several_threads_may_wait_for_one(new: New) -> None:
    executor, gate, outcomes = new(), ThreadGate(), []
    future = executor.submit(gate.hold, 7)
    threads = started(*[noted(outcomes, ask) for ask in (future.result, future.exception) for _ in range(3)])
    for _ in range(2):
        with pytest.raises(concurrent.futures.TimeoutError):
            future.result(0.02)
    gate.open()
    join(threads)
    assert outcomes.count(7) == 3 and outcomes.count(None) == 3


def test_a_thread_that_has_waited_in_vain_may_wait_again(new: New) -> None:
    executor, gate = new(), ThreadGate()
    future = executor.submit(gate.hold, 7)
    for seconds in (0, 0.01, -1, 0.01):
        with pytest.raises(concurrent.futures.TimeoutError):
            future.result(seconds)
        with pytest.raises(concurrent.futures.TimeoutError):
            future.exception(seconds)
    gate.open()
    assert future.result(FOREVER) == 7


def test_a_wait_for_no_number_of_seconds_ends_at_once(new: New) -> None:
    executor, gate = new(), ThreadGate()
    future = executor.submit(gate.hold, 7)
    until(lambda: gate.arrived)
    for ask in (future.result, future.exception):
        with pytest.raises(concurrent.futures.TimeoutError):  # as in CPython
            ask(float("nan"))
    gate.open()
    assert future.result(FOREVER) == 7


def test_to_cancel_wakes_every_thread_that_waits(new: New) -> None:
    executor, gate, outcomes = new(), ThreadGate(), []
    future = executor.submit(gate.hold)
    threads = started(*[noted(outcomes, ask) for ask in (future.result, future.exception) for _ in range(2)])
    until(lambda: gate.arrived)
    assert future.cancel()
    join(threads)
    assert outcomes == [concurrent.futures.CancelledError] * 4
    executor.shutdown()


def test_an_exception_wakes_every_thread_that_waits(new: New) -> None:
    executor, gate, outcomes = new(1), ThreadGate(), []
    held = executor.submit(gate.hold)
    future = executor.submit(divmod_of, 1, 0)
    threads = started(*[noted(outcomes, future.result) for _ in range(3)])
    gate.open()
    join(threads)
    assert outcomes == [ZeroDivisionError] * 3 and held.result(FOREVER) is None


def test_waiting_and_asking_may_be_mixed(new: New) -> None:
    executor, gate, outcomes = new(), ThreadGate(), []
    future = executor.submit(gate.hold, 7)
    threads = started(*[noted(outcomes, future.result)] * 2)
    threads += started(
        lambda: outcomes.append(concurrent.futures.wait([future], FOREVER).done.pop().result())
    )
    future.add_done_callback(lambda done: outcomes.append(done.result()))
    gate.open()
    join(threads)
    assert outcomes == [7] * 4


@pytest.mark.parametrize("ends", ["cancelled", "done"])
def test_both_sides_may_end_it_at_once(
    new: New, ends: str, caplog: pytest.LogCaptureFixture, unraisables: List[str]
) -> None:
    async def job() -> int:
        await asyncio.sleep(0)
        if ends == "cancelled":
            raise asyncio.CancelledError
        return 7

    executor = new(50)
    with caplog.at_level(logging.ERROR):
        for _ in range(300):
            future, outcomes = executor.submit(job), []
            noted(outcomes, lambda _, future=future: future.cancel())()
            noted(outcomes, future.result)()
            ended_first = ends == "done" and outcomes[0] is False
            assert outcomes[1] == (7 if ended_first else concurrent.futures.CancelledError)
        executor.shutdown()
    assert not caplog.records and not unraisables


def test_many_threads_ask_for_many(new: New) -> None:
    executor = new(10)
    futures = [executor.submit(power, i, 1) for i in range(200)]
    outcomes: List[List[Any]] = [[] for _ in range(8)]
    join(
        started(
            *[
                functools.partial(lambda of: of.extend(f.result(FOREVER) for f in futures), of)
                for of in outcomes
            ]
        )
    )
    assert outcomes == [list(range(200))] * 8
