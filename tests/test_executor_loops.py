"""AsyncPoolExecutor: the loops that it is given, and those that stop early."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import itertools
import sys
import threading
import types
from typing import Any, Callable, List

import pytest

from executors import current_loop, doze, power
from nb_aiopool import AsyncPoolExecutor, PoolError, _executor_work, _thread_waits
from threads import FOREVER, ThreadGate, await_in, in_loop, join, running, started, until

New = Callable[..., AsyncPoolExecutor]


# -- loops that are given ---------------------------------------------------------------------------------------------


def test_a_loop_that_does_not_run_is_taken_over_and_closed(loop_factory: Callable[[], Any]) -> None:
    loop = loop_factory()
    with AsyncPoolExecutor(2, loop) as executor:
        assert loop.is_running()
        assert executor.submit(current_loop).result(FOREVER) is loop
    assert loop.is_closed()


def test_a_loop_that_runs_is_used_and_left_alone(loop_factory: Callable[[], Any]) -> None:
    with running(loop_factory()) as loop:
        with AsyncPoolExecutor(2, loop) as executor:
            assert executor.submit(current_loop).result(FOREVER) is loop
        assert in_loop(loop, lambda: 3) == 3
        assert AsyncPoolExecutor(2, loop).submit(power, 2, 2).result(FOREVER) == 4
        gc.collect()
        await_in(loop, asyncio.sleep(0.01))


def test_two_may_share_a_loop(loop_factory: Callable[[], Any]) -> None:
    loop = loop_factory()
    with AsyncPoolExecutor(2, loop) as owner:
        with AsyncPoolExecutor(3, loop) as guest:
            assert guest.submit(current_loop).result(FOREVER) is loop
        assert owner.submit(current_loop).result(FOREVER) is loop
    assert loop.is_closed()


@pytest.mark.loop("uvloop")
def test_uvloop_is_used_when_asked_for(loop_factory: Callable[[], Any]) -> None:
    with AsyncPoolExecutor(3, loop=loop_factory()) as executor:
        assert type(executor.submit(current_loop).result(FOREVER)).__module__ == "uvloop"
        assert list(executor.map(power, range(5), itertools.repeat(2))) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("wrong", [3, "loop", object(), types.SimpleNamespace(is_running=bool)])
def test_what_is_no_loop_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="loop must be an event loop or None, got"):
        AsyncPoolExecutor(3, wrong)


def test_a_loop_that_is_closed_is_refused(loop_factory: Callable[[], Any]) -> None:
    loop = loop_factory()
    loop.close()
    with pytest.raises(RuntimeError, match="the event loop is closed"):
        AsyncPoolExecutor(3, loop)


# -- loops that stop early --------------------------------------------------------------------------------------------


def test_a_job_that_stops_the_loop_does_not_stop_the_executor(new: New) -> None:
    executor = new()

    async def stop() -> None:
        asyncio.get_running_loop().stop()

    assert executor.submit(stop).result(FOREVER) is None
    assert executor.submit(power, 3, 2).result(FOREVER) == 9


def test_a_given_loop_that_stops_for_good_releases_everybody(loop_factory: Callable[[], Any]) -> None:
    loop, gate, outcomes = loop_factory(), ThreadGate(), []

    def note(call: Callable[[], Any]) -> None:
        try:
            outcomes.append(call())
        except (RuntimeError, concurrent.futures.CancelledError) as error:
            outcomes.append(type(error).__name__)

    thread = started(loop.run_forever)
    until(loop.is_running)
    executor = AsyncPoolExecutor(1, loop)
    futures = [executor.submit(gate.hold) for _ in range(2)]
    until(lambda: gate.arrived)
    threads = started(functools.partial(note, functools.partial(executor.submit, gate.hold)))
    threads += started(*[functools.partial(note, future.result) for future in futures])
    until(lambda: "waiting=1" in repr(executor))
    loop.call_soon_threadsafe(loop.stop)
    join(thread)
    join(threads)
    executor.shutdown()
    assert sorted(outcomes) == ["PoolError"] * 3
    loop.close()


def paused_with_work(loop: Any, job: Callable[[], Any]) -> Any:
    """An executor on a loop that has run and runs no more for now, and the future of its job."""

    async def main() -> Any:
        executor = AsyncPoolExecutor(2, loop)
        return executor, executor.submit(job)

    return loop.run_until_complete(main())


def test_shutdown_waits_for_a_given_loop_that_pauses(
    loop_factory: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: List[Any] = []
    is_dead = _thread_waits.is_dead
    monkeypatch.setattr(_thread_waits, "is_dead", lambda pool: looks.append(1) or is_dead(pool))
    monkeypatch.setattr(_executor_work, "_PATIENCE", 0.001)
    loop, gate = loop_factory(), ThreadGate()
    executor, future = paused_with_work(loop, functools.partial(gate.hold, 7))
    threads = started(executor.shutdown)
    until(lambda: len(looks) > 2)  # it has looked for its loop, and found that it only pauses
    gate.open()
    while not future.done():
        loop.run_until_complete(asyncio.sleep(0.001))
    loop.run_until_complete(asyncio.sleep(0.001))
    join(threads)
    assert future.result() == 7
    loop.close()


def test_shutdown_in_the_thread_that_alone_could_run_the_loop_is_no_hang(
    loop_factory: Callable[[], Any],
) -> None:
    loop = loop_factory()
    executor, future = paused_with_work(loop, functools.partial(doze, 3600))
    executor.shutdown()
    with pytest.raises(PoolError, match="loop ended"):
        future.result()
    loop.run_until_complete(asyncio.sleep(0))  # what is left of the executor
    loop.close()


def test_asyncio_run_that_ends_with_the_executors_loop_is_no_hang(run_loop: Callable[..., Any]) -> None:
    made = []

    async def main() -> None:
        executor = AsyncPoolExecutor(1, asyncio.get_running_loop())
        made.extend([executor, executor.submit(doze, 3600), executor.submit(doze, 3600)])
        await asyncio.sleep(0.01)

    run_loop(main())
    executor, *futures = made
    assert all(isinstance(future, concurrent.futures.Future) and future.done() for future in futures)
    with pytest.raises(RuntimeError, match="closed"):
        executor.submit(power, 1, 1)
    executor.shutdown()


def test_shutdown_from_a_thread_while_the_given_loop_runs_on(loop_factory: Callable[[], Any]) -> None:
    with running(loop_factory()) as loop:
        executor, gate = AsyncPoolExecutor(1, loop), ThreadGate()
        held = [executor.submit(gate.hold) for _ in range(2)]
        threads = started(executor.shutdown)
        until(lambda: "closed" in repr(executor))
        gate.open()
        join(threads)
        assert all(future.done() for future in held) and in_loop(loop, lambda: 1) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a thread needs more there")
def test_an_executor_without_a_thread_leaves_no_loop_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("can't start new thread")

    loops, make = [], asyncio.new_event_loop
    monkeypatch.setattr(threading.Thread, "start", fail)
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: loops.append(make()) or loops[-1])  # type: ignore[func-returns-value]
    with pytest.raises(RuntimeError, match="new thread"):
        AsyncPoolExecutor(1)
    given = make()
    with pytest.raises(RuntimeError, match="new thread"):
        AsyncPoolExecutor(1, given)
    assert [loop.is_closed() for loop in loops] == [True] and not given.is_closed()
    given.close()
