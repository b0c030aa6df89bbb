"""What is told to hooks, and what is logged: everything that happens, and nothing above INFO while all is well."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Dict, Iterator, List

import pytest
from broker_support import Consumer
from task_support import Notes, Workshop, eventually, raised

from nb_aiopool.contrib.nb_aio_task import TaskEvent, on_event


@pytest.fixture
def events() -> Iterator[List[TaskEvent]]:
    seen: List[TaskEvent] = []
    stop = on_event(seen.append)
    yield seen
    stop()


def kinds(events: List[TaskEvent]) -> List[str]:
    return [event.kind for event in events]


async def test_a_task_that_goes_well_is_submitted_started_and_succeeds(
    workshop: Workshop, events: List[TaskEvent]
) -> None:
    async def pause() -> None:
        await asyncio.sleep(0.01)

    task = workshop.task(pause)
    handle = await task.submit()
    await workshop.work_off(task)
    assert kinds(events) == ["submitted", "started", "succeeded"]
    assert {(event.queue, event.id, event.count) for event in events} == {
        (task.definition.queue, handle.id, 1)
    }
    submitted, started, succeeded = events
    assert submitted.age is None and submitted.seconds is None
    assert started.age is not None and 0 <= started.age < 20
    assert succeeded.seconds is not None and 0.009 < succeeded.seconds < 20
    assert all(event.error is None and event.delay is None for event in events)


async def test_a_bulk_is_told_of_by_the_chunk(workshop: Workshop, events: List[TaskEvent]) -> None:
    task = workshop.task(Notes().function())
    await task.submit_many([((), {})] * 2500)
    assert {event.kind for event in events} == {"submitted"}
    assert sum(event.count for event in events) == 2500
    assert len(events) <= 5


async def test_a_duplicate_is_not_told_of(workshop: Workshop, events: List[TaskEvent]) -> None:
    task = workshop.task(Notes().function())
    for _ in range(3):
        await task.options(id="a").submit()
    assert [(event.kind, event.id) for event in events] == [("submitted", "a")]


async def test_a_task_that_fails_is_told_of_at_each_attempt(
    workshop: Workshop, events: List[TaskEvent], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise LookupError("why")

    task = workshop.task(fail, max_retries=1, retry_delay=0.01)
    handle = await task.submit()
    await workshop.work_off(task)
    assert kinds(events) == ["submitted", "started", "failed", "retried", "started", "failed", "dead"]
    failed, retried, dead = events[2], events[3], events[6]
    assert (failed.error, retried.error, dead.error) == ("LookupError: why",) * 3
    assert failed.seconds is not None and failed.seconds >= 0
    assert retried.delay is not None and 0.005 <= retried.delay <= 0.015
    assert retried.count == 1
    assert {event.id for event in events} == {handle.id}


async def test_poison_is_told_of_as_dead(
    workshop: Workshop, events: List[TaskEvent], caplog: pytest.LogCaptureFixture
) -> None:
    task = workshop.task(Notes().function())
    await workshop.put(task, b"garbage")
    await workshop.work_off(task)
    (dead,) = events
    assert (dead.kind, dead.queue) == ("dead", task.definition.queue)
    assert dead.error and "cannot be read" in dead.error
    assert dead.id == (await task.dead_letters())[0].id


async def test_what_a_dead_worker_held_is_told_of_as_redelivered(
    workshop: Workshop, events: List[TaskEvent], caplog: pytest.LogCaptureFixture
) -> None:
    task = workshop.task(Notes().function())
    handle = await task.submit(1)
    dying = Consumer(workshop.broker(task))
    await dying.fetch()
    leases = workshop.broker(task).leases()
    assert dying.recover(leases) == 0
    leases.close()
    await workshop.work_off(task)
    assert kinds(events) == ["submitted", "redelivered", "started", "succeeded"]
    assert (events[1].id, events[1].count) == (handle.id, 1)


@pytest.mark.loop("asyncio")
async def test_a_worker_whose_lease_has_run_out_is_told_of_by_who_finds_it(
    workshop: Workshop, events: List[TaskEvent], caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes()
    task = workshop.task(notes.function(), lease=1)
    await task.submit(1)
    dying = Consumer(workshop.broker(task), lease=0.001)
    await dying.fetch()
    async with workshop.consuming(task):
        await notes.reached(1)
        await eventually(lambda: told(events, "recovered"))  # the task may be done before
    (recovered,) = [event for event in events if event.kind == "recovered"]
    assert (recovered.queue, recovered.id) == (task.definition.queue, dying.name)
    assert "redelivered" in kinds(events)
    assert dying.name in caplog.text


async def test_a_worker_that_loses_its_lease_is_told_of(
    workshop: Workshop, events: List[TaskEvent], caplog: pytest.LogCaptureFixture
) -> None:
    hold = asyncio.Event()
    calls: List[int] = []

    async def work(x: int) -> None:
        calls.append(x)
        await hold.wait()

    task = workshop.task(work, lease=1)
    await task.submit(1)
    async with workshop.consuming(task):
        while not calls:
            await asyncio.sleep(0.001)
        leases = workshop.broker(task).leases()
        (lease,) = leases.seen()
        assert leases.recover(lease, max_deliveries=5, limit=100) == 0
        leases.close()
        await eventually(lambda: told(events, "lease lost"))
        hold.set()
        while len(calls) < 2:
            await asyncio.sleep(0.001)
    (lost,) = [event for event in events if event.kind == "lease lost"]
    # Two, if its wait was given what had been taken from it before it heard of that.
    assert lost.queue == task.definition.queue and lost.count in (1, 2)
    assert "lease of this worker" in caplog.text


async def test_a_worker_that_is_cancelled_again_while_it_leaves_has_lost_nothing(
    workshop: Workshop,
    events: List[TaskEvent],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = workshop.task(Notes().function())
    broker = workshop.broker(task)
    leases, kind = broker.leases(), type(broker)
    leave = kind.leave
    left = asyncio.Event()

    async def leave_and_linger(self: Any, consumer: str) -> None:
        await leave(self, consumer)
        if not left.is_set():
            left.set()
            await asyncio.sleep(3600)  # its answer is on the way

    monkeypatch.setattr(kind, "leave", leave_and_linger)
    consumer = asyncio.ensure_future(task.consume())
    while not leases.seen():
        await asyncio.sleep(0.001)
    consumer.cancel()
    await left.wait()
    assert not leases.seen()
    leases.close()
    consumer.cancel()
    assert isinstance(await raised(consumer), asyncio.CancelledError)
    assert "lease lost" not in kinds(events)
    assert "lease of this worker" not in caplog.text


async def told(events: List[TaskEvent], kind: str) -> bool:
    return kind in kinds(events)


async def test_a_hook_that_fails_harms_no_task_and_no_other_hook(
    workshop: Workshop, events: List[TaskEvent], caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes()

    def bad(event: TaskEvent) -> None:
        raise LookupError("the hook")

    stop = on_event(bad)
    try:
        task = workshop.task(notes.function())
        await task.submit(1)
        await workshop.work_off(task)
    finally:
        stop()
    assert notes.calls == [1]
    assert kinds(events) == ["submitted", "started", "succeeded"]
    assert "on_event()" in caplog.text and "the hook" in caplog.text


async def test_a_hook_that_is_stopped_hears_no_more(workshop: Workshop) -> None:
    seen: List[TaskEvent] = []
    stop = on_event(seen.append)
    task = workshop.task(Notes().function())
    await task.submit(1)
    stop()
    stop()
    await task.submit(2)
    assert len(seen) == 1


@pytest.mark.parametrize("hook", [None, 3, "print"])
def test_a_hook_is_a_function(hook: Any) -> None:
    with pytest.raises(TypeError, match="on_event"):
        on_event(hook)


async def test_the_age_of_a_delayed_task_counts_from_when_it_was_due(
    workshop: Workshop, events: List[TaskEvent]
) -> None:
    task = workshop.task(Notes().function())
    begun = time.monotonic()
    await task.options(delay=0.2).submit()
    await workshop.work_off(task)
    passed = time.monotonic() - begun
    started = next(event for event in events if event.kind == "started")
    assert started.age is not None and started.age < max(0.19, passed - 0.15)


# -- The log ---------------------------------------------------------------------------------------------------


async def test_nothing_is_logged_while_all_is_well(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    notes = Notes()
    task = workshop.task(notes.function(), result_ttl=60, timeout=100, max_retries=3, sign_key="k")
    handle = await task.submit(1)
    async with workshop.consuming(task):
        await task.submit_many(((i,), {}) for i in range(50))
        await task.options(delay=0.01, id="a").submit(2)
        await notes.reached(52)
        assert await handle.result() == 1
        await task.stats()
    await task.clear_queue()
    assert caplog.records == []


async def test_a_retry_is_no_reason_for_a_warning_and_a_death_is_one_error(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise LookupError("why")

    caplog.set_level(logging.INFO)
    task = workshop.task(fail, max_retries=2, retry_delay=0.001)
    await task.submit()
    await workshop.work_off(task)
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.levelno == logging.ERROR
    said = record.getMessage()
    assert "fail" in said and task.definition.queue in said and "LookupError: why" in said
    assert record.exc_info is not None
    assert len([record for record in caplog.records if "next attempt in" in record.getMessage()]) == 2


async def test_not_a_line_is_written_for_a_task_that_goes_well(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "nb_aiopool")
    task = workshop.task(Notes().function())
    counts: Dict[int, int] = {}
    for number in (1, 100):
        caplog.clear()
        await task.submit_many([((), {})] * number)
        await workshop.work_off(task)
        counts[number] = len([r for r in caplog.records if r.name.startswith("nb_aiopool")])
    assert counts[1] == counts[100]
