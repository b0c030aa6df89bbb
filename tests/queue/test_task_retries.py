"""Tasks that raise, whatever it is: tried again after a while, without holding a slot, and counted exactly."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from typing import Any, Dict, List

import pytest
from task_support import Notes, Workshop, eventually, run_as_program

from nb_aiopool.contrib.nb_aio_task import TaskEvent, TaskFailed, on_event
from support import Gate


@pytest.mark.parametrize("max_retries", [0, 1, 4])
async def test_a_task_that_always_raises_is_tried_so_many_times_and_is_dead_then(
    workshop: Workshop, max_retries: int
) -> None:
    calls: List[int] = []

    async def fail(x: int) -> None:
        calls.append(x)
        raise LookupError(len(calls))

    task = workshop.task(fail, max_retries=max_retries, retry_delay=0.001, result_ttl=60)
    handle = await task.submit(7)
    await workshop.work_off(task)
    assert calls == [7] * (max_retries + 1)
    assert await task.stats() == (0, 0, 0, 1)
    (letter,) = await task.dead_letters()
    assert letter.deliveries == 1  # retries are not deliveries
    with pytest.raises(TaskFailed, match="LookupError: %d" % (max_retries + 1)):
        await handle.result()


async def test_a_task_that_succeeds_at_last_is_done(workshop: Workshop) -> None:
    calls: List[int] = []

    async def flaky(x: int) -> int:
        calls.append(x)
        if len(calls) < 4:
            raise LookupError
        return x

    task = workshop.task(flaky, max_retries=3, retry_delay=0.001, result_ttl=60)
    handle = await task.submit(7)
    await workshop.work_off(task)
    assert (calls, await handle.result()) == ([7] * 4, 7)
    assert await task.stats() == (0, 0, 0, 0)


async def test_many_that_fail_now_and_then_end_once_each(workshop: Workshop) -> None:
    tries: Dict[int, int] = {}
    dice = random.Random(3)

    async def flaky(i: int) -> None:
        tries[i] = tries.get(i, 0) + 1
        await asyncio.sleep(0)
        if i % 3 == 0 and tries[i] <= i % 4:
            raise LookupError
        if i % 7 == 0:
            raise ValueError

    order = list(range(200))
    dice.shuffle(order)
    task = workshop.task(flaky, max_retries=3, retry_delay=0.001)
    await task.submit_many(((i,), {}) for i in order)
    await workshop.work_off(task)
    dead = {i for i in range(200) if i % 7 == 0}
    assert {letter.args[0] for letter in await task.dead_letters() if letter.args} == dead
    expected = {i: 4 if i in dead else 1 + (i % 4 if i % 3 == 0 else 0) for i in range(200)}
    assert tries == expected


async def test_a_task_that_waits_for_its_next_attempt_holds_no_slot(workshop: Workshop) -> None:
    notes = Notes()

    async def fail(entry: str) -> None:
        await notes(entry)
        if entry == "bad":
            raise LookupError

    task = workshop.task(fail, max_concurrency=1, max_retries=5, retry_delay=1000)
    await task.submit("bad")
    await task.submit("good")
    async with workshop.consuming(task):
        await notes.reached(2)
        await eventually(lambda: stats_are(task, (0, 0, 1, 0)))
    assert notes.calls == ["bad", "good"]


async def stats_are(task: Any, expected: Any) -> bool:
    return bool(await task.stats() == expected)


async def test_delays_double_and_vary_by_half(workshop: Workshop) -> None:
    events: List[TaskEvent] = []
    stop = on_event(events.append)

    async def fail() -> None:
        raise LookupError

    task = workshop.task(fail, max_retries=5, retry_delay=0.002)
    try:
        await task.submit_many([((), {})] * 30)
        await workshop.work_off(task)
    finally:
        stop()
    delays: Dict[int, List[float]] = {}
    for event in events:
        if event.kind == "retried":
            assert event.delay is not None
            delays.setdefault(event.count, []).append(event.delay)
    assert sorted(delays) == [1, 2, 3, 4, 5]
    for count, found in delays.items():
        middle = 0.002 * 2 ** (count - 1)
        assert len(found) == 30
        assert middle / 2 <= min(found) < 0.9 * middle < 1.1 * middle < max(found) <= middle * 1.5


async def test_a_delay_never_grows_beyond_all_bounds(workshop: Workshop) -> None:
    from nb_aiopool.contrib.nb_aio_task import trailer

    async def fail() -> None:
        raise LookupError

    task = workshop.task(fail, max_retries=10**6, retry_delay=10**9)
    for retries in (1, 30, 2000):
        await task.submit()
        (body,) = await workshop.peek(task)
        await task.clear_queue()
        await workshop.put(task, trailer.join(body, 0, retries))
        async with workshop.consuming(task):
            await eventually(lambda: stats_are(task, (0, 0, 1, 0)))
        await task.clear_queue()


class Odd(BaseException):
    """Neither an Exception nor anything that asyncio knows."""


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def chained(length: int) -> Exception:
    """An exception with so many causes that their traceback is hard to write."""
    error: Exception = LookupError("first")
    for _ in range(length):
        following = LookupError("next")
        following.__cause__ = error
        error = following
    return error


KINDS: Dict[str, Any] = {
    "Exception": lambda: LookupError("text"),
    "BaseException": lambda: Odd("text"),
    "SystemExit": lambda: SystemExit(3),
    "CancelledError": lambda: asyncio.CancelledError("text"),
    "TimeoutError": asyncio.TimeoutError,
    "StopIteration": lambda: StopIteration(3),
    "StopAsyncIteration": lambda: StopAsyncIteration(3),
    "class": lambda: LookupError,
    "mute": Mute,
    "surrogates": lambda: LookupError("\udc80\ud800"),
    "chained": lambda: chained(5000),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("use_pickle", [True, False])
async def test_whatever_a_task_raises_is_its_own_failure(
    workshop: Workshop, kind: str, use_pickle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What handlers make of a traceback is theirs: they may well fail on one that is 5000 causes long.
    monkeypatch.setattr(logging.getLogger("nb_aiopool.contrib.nb_aio_task"), "disabled", True)
    calls: List[str] = []

    async def fail(which: str) -> str:
        calls.append(which)
        if which == "bad":
            error = KINDS[kind]()
            raise error
        return which

    task = workshop.task(
        fail, max_concurrency=1, max_retries=1, retry_delay=0.001, use_pickle=use_pickle, result_ttl=60
    )
    bad, good = await task.submit("bad"), await task.submit("good")
    await workshop.work_off(task)
    assert sorted(calls) == ["bad", "bad", "good"]
    assert await good.result() == "good"
    with pytest.raises(TaskFailed) as caught:
        await bad.result()
    assert caught.value.error
    (letter,) = await task.dead_letters()
    assert (letter.id, letter.args) == (bad.id, ("bad",) if use_pickle else ["bad"])
    assert await bad.status() == "dead"
    assert await task.stats() == (0, 0, 0, 1)


async def test_a_call_that_does_not_fit_the_function_is_a_failure(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    async def function(a: int) -> None: ...

    task = workshop.task(function)
    await task.submit(1, 2, b=3)
    await workshop.work_off(task)
    (letter,) = await task.dead_letters()
    assert "TypeError" in letter.error and letter.args == (1, 2) and letter.kwargs == {"b": 3}


async def test_what_a_task_cancels_by_itself_has_failed_and_the_worker_goes_on(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes()

    async def cancel(entry: str) -> None:
        await notes(entry)
        if entry == "bad":
            current = asyncio.current_task()
            assert current is not None
            current.cancel()
            await asyncio.sleep(0)

    task = workshop.task(cancel)
    await task.submit("bad")
    async with workshop.consuming(task):
        await eventually(lambda: stats_are(task, (0, 0, 0, 1)))
        await task.submit("good")
        await notes.reached(2)


def test_ctrl_c_in_a_task_ends_the_program_and_the_task_starts_again(
    loop_factory: Any, redis_server: Any, reports: List[Dict[str, Any]]
) -> None:
    workshop = Workshop(redis_server.url)
    calls: List[str] = []

    async def interrupt(entry: str) -> None:
        calls.append(entry)
        if len(calls) == 1:
            raise KeyboardInterrupt

    task = workshop.task(interrupt, max_concurrency=1)

    async def main() -> None:
        await task.submit("a")
        await task.submit("b")
        await task.consume()

    with pytest.raises(KeyboardInterrupt):
        run_as_program(loop_factory(), main())
    assert calls in (["a"], ["a", "b"])

    async def again() -> None:
        queued, running, delayed, dead = await task.stats()
        assert (queued, running, delayed, dead) == (3 - len(calls), 0, 0, 0)
        await workshop.work_off(task)
        await workshop.close()

    run_as_program(loop_factory(), again())
    assert sorted(calls) == ["a", "a", "b"]
    assert {type(report["exception"]) for report in reports} <= {KeyboardInterrupt}


# -- Time-outs -------------------------------------------------------------------------------------------------


async def test_a_task_that_takes_too_long_is_cancelled_and_has_failed(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    gate, cancelled = Gate(), []

    async def hang(x: int) -> None:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            cancelled.append(x)
            raise

    task = workshop.task(hang, timeout=0.01, max_retries=1, retry_delay=0.001, result_ttl=60)
    handle = await task.submit(7)
    await workshop.work_off(task)
    assert cancelled == [7, 7]
    with pytest.raises(TaskFailed, match=r"TimeoutError: .*hang took longer than its timeout of 0\.01 s"):
        await handle.result()
    assert await task.stats() == (0, 0, 0, 1)


async def test_a_task_that_swallows_its_cancellation_has_failed_when_it_ends(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return "done all the same"

    task = workshop.task(stubborn, timeout=0.01, result_ttl=60)
    handle = await task.submit()
    await workshop.work_off(task)
    with pytest.raises(TaskFailed, match="longer than its timeout"):
        await handle.result()


async def test_a_task_that_raises_when_it_is_cancelled_has_failed_with_that(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    async def clumsy() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            raise LookupError("in cleaning up")

    task = workshop.task(clumsy, timeout=0.01)
    await task.submit()
    await workshop.work_off(task)
    (letter,) = await task.dead_letters()
    assert letter.error.rstrip().endswith("LookupError: in cleaning up")


async def test_a_task_that_is_quick_enough_meets_no_timeout(workshop: Workshop) -> None:
    async def quick(x: int) -> int:
        await asyncio.sleep(0)
        return x

    task = workshop.task(quick, timeout=1000, result_ttl=60)
    handles = await task.submit_many(((i,), {}) for i in range(50))
    await workshop.work_off(task)
    assert [await handle.result() for handle in handles] == list(range(50))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout is newer")
async def test_time_limits_inside_a_task_are_its_own(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    async def careful() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(1000)
        except asyncio.TimeoutError:
            return "in time"
        return "too late"

    task = workshop.task(careful, timeout=1000, result_ttl=60)
    handle = await task.submit()
    await workshop.work_off(task)
    assert await handle.result() == "in time"
