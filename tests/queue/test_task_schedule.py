"""When a task is due, and under which id: later, at a time, and once while it is alive."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, List

import pytest
from task_support import Notes, Workshop, eventually

from nb_aiopool.contrib.nb_aio_task import schedule
from support import Gate


def fresh(workshop: Workshop, **options: Any) -> Any:
    notes = Notes()
    return notes, workshop.task(notes.function(), **options)


@pytest.mark.parametrize("delay", ["1", True, [1], 1j])
def test_a_delay_is_a_number_of_seconds(delay: Any) -> None:
    _, task = fresh(Workshop("memory://"))
    with pytest.raises(TypeError, match="delay must be a number of seconds or a timedelta, not ") as caught:
        task.options(delay=delay)
    assert repr(delay) in str(caught.value)


@pytest.mark.parametrize(
    "delay", [-1, -0.001, float("nan"), float("inf"), 1e300, timedelta(seconds=-1), timedelta.max]
)
def test_a_delay_is_finite_and_not_negative(delay: Any) -> None:
    _, task = fresh(Workshop("memory://"))
    with pytest.raises(ValueError, match="delay must be"):
        task.options(delay=delay)


@pytest.mark.parametrize("at", ["2030-01-01", 0, 1.5, timedelta(1), datetime(2030, 1, 1).date()])  # noqa: DTZ001
def test_a_time_is_a_datetime(at: Any) -> None:
    _, task = fresh(Workshop("memory://"))
    with pytest.raises(TypeError, match="at must be a datetime"):
        task.options(at=at)


def test_a_delay_and_a_time_exclude_each_other() -> None:
    _, task = fresh(Workshop("memory://"))
    with pytest.raises(ValueError, match="delay= or at=, not both"):
        task.options(delay=1, at=datetime.now(timezone.utc))


@pytest.mark.parametrize("id_", [3, b"a", ["a"], True])
def test_an_id_is_a_string(id_: Any) -> None:
    _, task = fresh(Workshop("memory://"))
    with pytest.raises(TypeError, match="id must be a str, not ") as caught:
        task.options(id=id_)
    assert repr(id_) in str(caught.value)


@pytest.mark.parametrize("id_", ["", "\ud800"])
def test_an_id_that_cannot_be_a_name_is_refused(id_: str) -> None:
    _, task = fresh(Workshop("memory://"))
    with pytest.raises(ValueError, match="id"):
        task.options(id=id_)


@pytest.mark.loop("asyncio")
@pytest.mark.parametrize("delay", [0, 0.0, None, timedelta(0)])
async def test_no_delay_is_at_once(workshop: Workshop, delay: Any) -> None:
    _, task = fresh(workshop)
    await task.options(delay=delay).submit()
    assert await task.stats() == (1, 0, 0, 0)


@pytest.mark.parametrize("delay", [0.02, timedelta(milliseconds=20)])
async def test_a_delayed_task_runs_when_it_is_due_and_not_before(workshop: Workshop, delay: Any) -> None:
    loop = asyncio.get_running_loop()
    times: List[float] = []

    async def note() -> None:
        times.append(loop.time())

    task = workshop.task(note)
    begun = loop.time()
    handle = await task.options(delay=delay).submit()
    assert await task.get_queue_size() == 0
    assert await handle.status() == "delayed"
    await workshop.work_off(task)
    assert times[0] - begun >= 0.018


async def test_what_is_due_sooner_runs_sooner(workshop: Workshop) -> None:
    notes, task = fresh(workshop, max_concurrency=1)
    moment = datetime.now(timezone.utc) + timedelta(seconds=1.5)  # by then all are submitted
    for later in (0.03, 0.01, 0.02):
        await task.options(at=moment + timedelta(seconds=later)).submit(later)
    await task.submit(0)
    await workshop.work_off(task)
    assert notes.calls == [0, 0.01, 0.02, 0.03]


@pytest.mark.loop("asyncio")
async def test_a_time_with_a_zone_is_that_moment_and_one_without_is_local_time(workshop: Workshop) -> None:
    _, task = fresh(workshop)
    moment = datetime.now(timezone.utc)
    east = timezone(timedelta(hours=9))
    for zoned in (moment, moment.astimezone(east), moment.astimezone().replace(tzinfo=None)):
        await task.options(at=zoned - timedelta(minutes=1)).submit()  # past: at once
        await task.options(at=zoned + timedelta(minutes=1)).submit()
    assert await task.stats() == (3, 0, 3, 0)


@pytest.mark.loop("asyncio")
async def test_the_last_and_the_first_year_are_times_as_well(workshop: Workshop) -> None:
    _, task = fresh(workshop)
    await task.options(at=datetime.max.replace(tzinfo=timezone.utc), id="last").submit()
    await task.options(at=datetime.min.replace(tzinfo=timezone.utc), id="first").submit()
    assert await task.stats() == (1, 0, 1, 0)
    await workshop.work_off_list(task)
    assert await task.stats() == (0, 0, 1, 0)


@pytest.mark.loop("asyncio")
@pytest.mark.parametrize("past", [datetime.min, datetime(1, 1, 2), datetime(1969, 12, 31)])  # noqa: DTZ001, DTZ901
async def test_any_time_in_the_past_is_at_once(workshop: Workshop, past: datetime) -> None:
    _, task = fresh(workshop)
    for zone in (None, timezone.utc, timezone(timedelta(hours=14)), timezone(timedelta(hours=-14))):
        await task.options(at=past.replace(tzinfo=zone)).submit()
    assert await task.stats() == (4, 0, 0, 0)


def test_a_time_that_cannot_be_counted_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class TooFar(datetime):
        def timestamp(self) -> float:
            raise OverflowError("out of range")

    _, task = fresh(Workshop("memory://"))
    with pytest.raises(ValueError, match="at is too far away: .*9999.*out of range"):
        task.options(at=TooFar(9999, 12, 31))


async def test_a_time_runs_out_between_options_and_submit(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, task = fresh(workshop)
    bound = task.options(at=datetime.now(timezone.utc) + timedelta(hours=1))
    await bound.submit("early")
    assert await task.stats() == (0, 0, 1, 0)
    later = time.time() + 3601
    monkeypatch.setattr(schedule, "time", SimpleNamespace(time=lambda: later))
    await bound.submit("late")
    assert await task.stats() == (1, 0, 1, 0)
    await workshop.work_off_list(task)
    assert notes.calls == ["late"]


async def test_a_worker_that_sleeps_starts_what_becomes_due(workshop: Workshop) -> None:
    notes, task = fresh(workshop)
    async with workshop.consuming(task):
        await task.options(delay=0.05).submit("a")
        await notes.reached(1)
    assert notes.calls == ["a"]


@pytest.mark.loop("asyncio")
@pytest.mark.limit(90)
async def test_100_000_delayed_tasks_run_once_each(redis_workshop: Workshop) -> None:
    seen: List[int] = []

    async def note(i: int) -> None:
        seen.append(i)

    task = redis_workshop.task(note, max_concurrency=1000)
    handles = await task.options(delay=1.5).submit_many(((i,), {}) for i in range(100_000))
    assert len({handle.id for handle in handles}) == 100_000
    queued, running, delayed, dead = await task.stats()
    assert (queued + delayed, running, dead) == (100_000, 0, 0)
    await redis_workshop.work_off(task)
    assert len(seen) == 100_000
    assert set(seen) == set(range(100_000))
    assert await task.stats() == (0, 0, 0, 0)


# -- One task of an id -----------------------------------------------------------------------------------------


async def test_while_it_is_queued_the_id_is_taken(workshop: Workshop) -> None:
    notes, task = fresh(workshop)
    first = await task.options(id="a").submit(1)
    second = await task.options(id="a").submit(2)
    assert first.id == second.id == "a"
    assert await task.get_queue_size() == 1
    assert await second.status() == "queued"
    await task.options(id="b").submit(3)
    await workshop.work_off(task)
    assert notes.calls == [1, 3]


async def test_while_it_is_delayed_the_id_is_taken(workshop: Workshop) -> None:
    notes, task = fresh(workshop)
    await task.options(id="a", delay=0.05).submit(1)
    second = await task.options(id="a").submit(2)
    third = await task.options(id="a", delay=60).submit(3)
    assert await task.stats() == (0, 0, 1, 0)
    assert [await second.status(), await third.status()] == ["delayed"] * 2
    await workshop.work_off(task)
    assert notes.calls == [1]


async def test_while_it_runs_the_id_is_taken_and_its_handle_is_that_of_the_first(workshop: Workshop) -> None:
    gate = Gate()
    task = workshop.task(gate.hold, result_ttl=60)
    await task.options(id="a").submit(1)
    async with workshop.consuming(task):
        await gate.reached(1)
        second = await task.options(id="a").submit(2)
        assert await second.status() == "running"
        assert await task.get_queue_size() == 0
        gate.open()
        assert await second.result() == 1
    assert gate.arrived == 1


async def test_between_two_attempts_the_id_is_taken(workshop: Workshop) -> None:
    notes = Notes()

    async def fail(entry: int) -> None:
        await notes(entry)
        if len(notes.calls) == 1:
            raise LookupError

    task = workshop.task(fail, max_retries=1, retry_delay=60)
    await task.options(id="a").submit(1)
    async with workshop.consuming(task):
        await notes.reached(1)
        await eventually(lambda: is_delayed(task))
        assert await (await task.options(id="a").submit(2)).status() == "delayed"
    assert notes.calls == [1]
    await task.clear_queue()


async def is_delayed(task: Any) -> bool:
    return bool((await task.stats()).delayed)


@pytest.mark.parametrize("result_ttl", [0, 60])
async def test_when_it_is_done_the_id_is_free(workshop: Workshop, result_ttl: float) -> None:
    notes, task = fresh(workshop, result_ttl=result_ttl)
    for i in (1, 2):
        handle = await task.options(id="a").submit(i)
        await workshop.work_off(task)
        if result_ttl:
            assert await handle.result() == i
    assert notes.calls == [1, 2]


async def test_when_it_is_dead_the_id_is_free(workshop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    calls: List[int] = []

    async def fail(entry: int) -> None:
        calls.append(entry)
        raise LookupError

    task = workshop.task(fail)
    for i in (1, 2):
        handle = await task.options(id="a").submit(i)
        assert await handle.status() == "queued"
        await workshop.work_off(task)
        assert await handle.status() == "dead"
    assert calls == [1, 2]
    assert [letter.args for letter in await task.dead_letters()] == [(2,)]


@pytest.mark.parametrize("delay", [None, 60])
async def test_when_it_was_cleared_the_id_is_free(workshop: Workshop, delay: Any) -> None:
    notes, task = fresh(workshop)
    first = await task.options(id="a", delay=delay).submit(1)
    await task.clear_queue()
    assert await first.status() == "unknown"
    second = await task.options(id="a").submit(2)
    assert await second.status() == "queued"
    await workshop.work_off(task)
    assert notes.calls == [2]


async def test_ids_belong_to_one_queue(workshop: Workshop) -> None:
    first, one = fresh(workshop)
    second, other = fresh(workshop)
    await one.options(id="a").submit(1)
    await other.options(id="a").submit(2)
    await workshop.work_off(one, other)
    assert (first.calls, second.calls) == ([1], [2])


async def test_ids_that_are_taken_at_one_time_are_taken_once(workshop: Workshop) -> None:
    notes, task = fresh(workshop)
    again = workshop.again(task, notes.function())
    bound = [owner.options(id="n%d" % (i % 7)) for i in range(100) for owner in (task, again)]
    handles = await asyncio.gather(*(one.submit(i) for i, one in enumerate(bound)))
    assert {handle.id for handle in handles} == {"n%d" % i for i in range(7)}
    await workshop.work_off(task)
    assert len(notes.calls) == 7


@pytest.mark.parametrize("id_", ["order 42", "ä{}:*", "a\0b\n", "x" * 10_000, "f" * 32])
async def test_any_text_may_be_an_id(workshop: Workshop, id_: str) -> None:
    notes, task = fresh(workshop, result_ttl=60)
    handle = await task.options(id=id_).submit(1)
    assert await (await task.options(id=id_).submit(2)).status() == "queued"
    await workshop.work_off(task)
    assert (handle.id, await handle.result()) == (id_, 1)
    assert notes.calls == [1]


async def test_a_bound_task_may_be_used_again(workshop: Workshop) -> None:
    notes, task = fresh(workshop)
    soon = task.options(delay=0.01)
    await soon.submit(1)
    await soon.submit_many([((2,), {}), ((3,), {})])
    assert sum((await task.stats())[:3]) == 3
    await workshop.work_off(task)
    assert sorted(notes.calls) == [1, 2, 3]
