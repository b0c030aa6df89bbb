"""Consuming begins and ends in every order, and what was begun is finished, what was not goes back."""

from __future__ import annotations

import asyncio
import time
from typing import Any, List

import pytest
from task_support import Notes, Workshop, eventually, raised

from nb_aiopool.contrib.nb_aio_task import AioTask, BrokerError, QueueError, aio_task, batch_consume
from support import Gate, turns
from threads import await_in, running


async def test_stop_ends_consume_at_once_and_not_after_its_timeout(workshop: Workshop) -> None:
    task = workshop.task(Notes().function())
    for timeout in (0, 1000.0):
        consumer = asyncio.ensure_future(task.consume(timeout))
        await eventually(lambda: listening(task))
        await task.stop()
        await consumer


async def listening(task: AioTask[Any]) -> bool:
    workers = list(task._workers.values())
    return bool(workers) and workers[0]._listener.listening


async def test_stop_before_consume_stops_nothing(workshop: Workshop) -> None:
    notes = Notes()
    task = workshop.task(notes.function())
    await task.stop()
    await task.submit(1)
    async with workshop.consuming(task):
        await notes.reached(1)


@pytest.mark.parametrize("times", [1, 3])
async def test_stop_may_be_called_again_and_before_the_first_turn(workshop: Workshop, times: int) -> None:
    task = workshop.task(Notes().function())
    await task.submit(1)
    consumer = asyncio.ensure_future(task.consume())
    await turns()
    for _ in range(times):
        await task.stop()
    await consumer
    await task.stop()
    assert await task.stats() in ((1, 0, 0, 0), (0, 0, 0, 0))


@pytest.mark.parametrize("timeout", ["5", None, True, -1, float("nan"), float("inf"), 1e300])
async def test_a_bad_timeout_is_refused(workshop: Workshop, timeout: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="timeout must be"):
        await workshop.task(Notes().function()).consume(timeout)


async def test_a_second_consume_in_the_same_loop_returns_and_says_so(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes()
    task = workshop.task(notes.function())
    async with workshop.consuming(task):
        await asyncio.sleep(0)
        await task.consume()
        assert "consumed by this event loop already" in caplog.text
        await task.submit(1)
        await notes.reached(1)


async def test_it_may_be_consumed_again_after_it_was_stopped(workshop: Workshop) -> None:
    notes = Notes()
    task = workshop.task(notes.function())
    for i in range(3):
        await task.submit(i)
        async with workshop.consuming(task):
            await notes.reached(i + 1)
    assert notes.calls == [0, 1, 2]


@pytest.mark.parametrize("end", ["stop", "cancel", "close", "stop and cancel", "cancel and stop"])
async def test_what_runs_is_finished_and_what_has_not_started_goes_back_to_the_front(
    workshop: Workshop, end: str
) -> None:
    gate, notes = Gate(), Notes()

    async def hold(entry: int) -> None:
        await gate.wait()
        await notes(entry)

    task = workshop.task(hold, max_concurrency=2)
    await task.submit_many([((i,), {}) for i in range(10)])
    consumer = asyncio.ensure_future(task.consume())
    await gate.reached(2)
    await task.submit(10)
    for way in end.split(" and "):
        if way == "cancel":
            consumer.cancel()
        else:
            await getattr(task, way)()
    await eventually(lambda: counts_are(task, 9, 2))
    assert not consumer.done()
    gate.open()
    error = await asyncio.gather(consumer, return_exceptions=True)
    assert isinstance(error[0], asyncio.CancelledError) == ("cancel" in end)
    assert notes.calls == [0, 1]
    assert gate.arrived == 2
    await workshop.work_off(task)
    assert notes.calls == list(range(11))


async def counts_are(task: AioTask[Any], queued: int, running: int) -> bool:
    return (await task.stats())[:2] == (queued, running)


async def test_a_second_cancellation_cancels_what_runs_and_hands_it_back(workshop: Workshop) -> None:
    gate, ended = Gate(), []

    async def hold(entry: int) -> None:
        try:
            await gate.wait()
        finally:
            ended.append(entry)

    task = workshop.task(hold, max_concurrency=2, max_retries=3)
    handles = await task.submit_many([((i,), {}) for i in range(4)])
    consumer = asyncio.ensure_future(task.consume())
    await gate.reached(2)
    consumer.cancel()
    await eventually(lambda: counts_are(task, 2, 2))
    consumer.cancel()
    assert isinstance(await raised(consumer), asyncio.CancelledError)
    assert ended == [0, 1]
    assert await task.stats() == (4, 0, 0, 0)
    gate.open()
    ended.clear()
    await workshop.work_off(task)
    assert sorted(ended) == [0, 1, 2, 3]
    assert [await handle.status() for handle in handles] == ["unknown"] * 4


async def test_a_task_may_stop_its_own_worker(workshop: Workshop) -> None:
    seen: List[int] = []

    async def stop(entry: int) -> None:
        await task.stop()
        seen.append(entry)

    task = workshop.task(stop, max_concurrency=1)
    await task.submit_many([((i,), {}) for i in range(3)])
    await task.consume()
    assert seen == [0]
    assert await task.stats() == (2, 0, 0, 0)


async def test_a_task_may_close_its_own_task(workshop: Workshop) -> None:
    seen: List[int] = []

    async def close(entry: int) -> None:
        await task.close()
        seen.append(entry)

    task = workshop.task(close, max_concurrency=1)
    await task.submit_many([((i,), {}) for i in range(3)])
    await task.consume()
    assert seen == [0]
    assert await task.get_queue_size() == 2


async def test_a_closed_task_may_be_used_again(workshop: Workshop) -> None:
    notes = Notes()
    task = workshop.task(notes.function())
    await task.close()
    await task.submit(1)
    await task.close()
    await task.close()
    await task.submit(2)
    await workshop.work_off(task)
    assert notes.calls == [1, 2]


async def test_who_waits_for_a_result_is_told_when_the_task_is_closed(workshop: Workshop) -> None:
    task = workshop.task(Notes().function(), result_ttl=60)
    handle = await task.submit(1)
    waiter = asyncio.ensure_future(handle.result())
    await turns(3)
    await task.close()
    error = await raised(waiter)  # a cancellation would look as if it had been asked to end
    assert isinstance(error, QueueError)
    assert "close()" in str(error)


@pytest.mark.loop("asyncio", "uvloop")
async def test_stop_in_another_thread_and_loop_reaches_every_consumer(workshop: Workshop) -> None:
    task = workshop.task(Notes().function())

    def elsewhere() -> None:
        with running(asyncio.new_event_loop()) as other:
            theirs = asyncio.run_coroutine_threadsafe(task.consume(), other)
            while len(task._workers) < 2:
                time.sleep(0.001)
            await_in(other, task.stop())
            theirs.result(20)
            await_in(other, task.close())

    consumer = asyncio.ensure_future(task.consume())
    await asyncio.get_running_loop().run_in_executor(None, elsewhere)
    await consumer
    assert not task._workers


@pytest.mark.loop("asyncio", "uvloop")
async def test_a_wait_that_is_ended_while_it_connects_does_not_begin(redis_workshop: Workshop) -> None:
    broker = redis_workshop.broker(redis_workshop.task(Notes().function()))
    for _ in range(2):
        wait = asyncio.ensure_future(broker.wait("somebody", 1000.0))
        await turns()
        await broker.end_wait()
        assert await wait is None
        await broker.close()


# -- Several queues --------------------------------------------------------------------------------------------


async def test_a_batch_of_no_tasks_is_done(workshop: Workshop) -> None:
    await batch_consume([])


async def test_a_batch_takes_a_list_of_tasks_and_says_so() -> None:
    async def function() -> None: ...

    task = aio_task("a list", redis_url="memory://")(function)
    wrong: List[Any] = [task, [task, function], [None], 5]
    for tasks, said in zip(
        wrong, ["batch_consume\\(\\[pack, ship", "aio_task returns.*function", "None", "not 5"]
    ):
        with pytest.raises(TypeError, match=said):
            await batch_consume(tasks)
    assert not task._workers


async def test_a_batch_consumes_all_until_all_are_stopped(workshop: Workshop) -> None:
    notes = Notes()
    tasks = [workshop.task(notes.function()) for _ in range(3)]
    batch = asyncio.ensure_future(batch_consume(iter(tasks)))
    for i, task in enumerate(tasks):
        await task.submit(i)
        await notes.reached(i + 1)
    for task in tasks[:2]:
        await task.stop()
    await tasks[2].submit("more")
    await notes.reached(4)
    assert not batch.done()
    await tasks[2].stop()
    await batch


@pytest.mark.parametrize("cancellations", [1, 2])
async def test_a_batch_is_cancelled_as_one_consume_is(workshop: Workshop, cancellations: int) -> None:
    gate, ended = Gate(), []

    async def hold() -> None:
        await gate.wait()
        ended.append(True)

    # Those of the idle ones that end first must not count as further cancellations.
    tasks = [workshop.task(hold), workshop.task(hold), workshop.task(hold), workshop.task(hold)]
    await tasks[0].submit()
    await tasks[3].submit()
    batch = asyncio.ensure_future(batch_consume(tasks))
    await gate.reached(2)
    for _ in range(cancellations):
        batch.cancel()
        await eventually(lambda: no_workers(tasks[1:3]))
        await turns(10)
    if cancellations == 1:
        assert len(tasks[0]._workers) == len(tasks[3]._workers) == 1
        gate.open()
    assert isinstance(await raised(batch), asyncio.CancelledError)
    assert len(ended) == (2 if cancellations == 1 else 0)
    assert await tasks[0].get_queue_size() == (0 if cancellations == 1 else 1)


async def no_workers(tasks: List[AioTask[Any]]) -> bool:
    return not any(task._workers for task in tasks)


async def test_one_that_fails_stops_the_others_of_its_batch_and_is_told_of(
    redis_workshop: Workshop,
) -> None:
    gate, ended = Gate(), []

    async def hold() -> None:
        await gate.wait()
        ended.append(True)

    refused = redis_workshop.url.replace("redis://", "redis://nobody:wrong@")
    tasks = [redis_workshop.task(hold) for _ in range(3)]
    await tasks[0].submit()
    first = asyncio.ensure_future(batch_consume(tasks))
    await gate.reached(1)
    bad = [redis_workshop.task(hold, redis_url=refused) for _ in range(2)]
    batch = asyncio.ensure_future(
        batch_consume([*(redis_workshop.again(task, hold) for task in tasks), *bad])
    )
    error = await raised(batch)
    assert isinstance(error, BrokerError)
    assert "password" in str(error)
    assert not first.done()
    gate.open()
    for task in tasks:
        await task.stop()
    await first
    assert ended == [True]


async def test_what_the_others_of_a_failing_batch_run_is_finished(
    redis_workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, ended = Gate(), []

    async def hold() -> None:
        await gate.wait()
        ended.append(True)

    tasks = [redis_workshop.task(hold) for _ in range(4)]
    await tasks[0].submit()
    broken = workshop_broken(tasks[3], monkeypatch)
    batch = asyncio.ensure_future(batch_consume(tasks))
    await gate.reached(1)
    broken.set()
    await eventually(lambda: no_workers(tasks[1:]))
    await turns(10)
    assert not batch.done()
    gate.open()
    assert isinstance(await raised(batch), BrokerError)
    assert ended == [True]


def workshop_broken(task: AioTask[Any], monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Once the event is set, the broker refuses the waits of this task."""
    from nb_aiopool.contrib.nb_aio_task.redis_broker import RedisBroker

    broken = asyncio.Event()
    wait = RedisBroker.wait

    async def refuse(self: RedisBroker, consumer: str, timeout: float) -> Any:
        if self.keys.list == task.queue_name:
            await broken.wait()
            raise BrokerError("no more")
        return await wait(self, consumer, timeout)

    monkeypatch.setattr(RedisBroker, "wait", refuse)
    return broken
