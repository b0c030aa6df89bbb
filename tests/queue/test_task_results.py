"""What `result()` and `status()` say in every state a task can be in."""

from __future__ import annotations

import asyncio
import math
from typing import Any, List

import pytest
from broker_support import Consumer
from task_support import Notes, Workshop, eventually, raised

from nb_aiopool.contrib.nb_aio_task import BadPayload, QueueError, ResultUnavailable, TaskFailed
from support import Gate, turns


async def double(x: Any) -> Any:
    return x + x


async def fail(text: str) -> None:
    raise LookupError(text)


async def test_a_result_is_what_the_task_returned(workshop: Workshop) -> None:
    task = workshop.task(double, result_ttl=60)
    handle = await task.submit(21)
    async with workshop.consuming(task):
        assert await handle.result() == 42
        assert await handle.result(timeout=20) == 42
    assert await handle.result() == 42
    assert await handle.status() == "done"


@pytest.mark.parametrize("use_pickle", [True, False])
async def test_results_come_back_as_they_were(workshop: Workshop, use_pickle: bool) -> None:
    async def echo(x: Any) -> Any:
        return x

    task = workshop.task(echo, result_ttl=60, use_pickle=use_pickle)
    values = [None, 0, "ä\udc80\r\n", [1, {"a": None}], ""]
    if use_pickle:
        values += [b"\0", (1, {2}), LookupError]
    handles = [await task.submit(value) for value in values]
    await workshop.work_off(task)
    assert [await handle.result() for handle in handles] == values


async def test_several_may_wait_for_one_result(workshop: Workshop) -> None:
    task = workshop.task(double, result_ttl=60)
    handle = await task.submit(1)
    waiters = [asyncio.ensure_future(handle.result()) for _ in range(3)]
    await turns(3)
    waiters[0].cancel()
    await workshop.work_off(task)
    assert await asyncio.gather(*waiters[1:]) == [2, 2]
    assert waiters[0].cancelled()


async def test_who_has_no_result_ttl_is_told_so_at_once(workshop: Workshop) -> None:
    handle = await workshop.task(double).submit(1)
    with pytest.raises(QueueError, match=r"stores no results.*result_ttl=seconds"):
        await handle.result()


async def test_a_failure_is_raised_with_the_traceback_of_the_worker(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    task = workshop.task(fail, result_ttl=60)
    handle = await task.submit("no such user")
    await workshop.work_off(task)
    with pytest.raises(TaskFailed) as caught:
        await handle.result()
    error = caught.value
    assert (error.id, error.error) == (handle.id, "LookupError: no such user")
    assert "Traceback (most recent call last)" in error.traceback
    assert "test_task_results.py" in error.traceback and "in fail" in error.traceback
    assert handle.id in str(error) and error.traceback.rstrip() in str(error)
    assert await handle.status() == "dead"


async def test_a_failure_may_cross_processes(workshop: Workshop) -> None:
    import pickle

    error = pickle.loads(pickle.dumps(TaskFailed("id", "error", "traceback")))
    assert (error.id, error.error, error.traceback, str(error)) == (
        "id",
        "error",
        "traceback",
        str(TaskFailed("id", "error", "traceback")),
    )


async def test_who_waits_is_told_when_the_time_is_up_and_the_task_goes_on(workshop: Workshop) -> None:
    gate = Gate()
    task = workshop.task(gate.hold, result_ttl=60)
    handle = await task.submit(1)
    async with workshop.consuming(task):
        await gate.reached(1)
        for timeout in (0, 0.01):
            with pytest.raises(asyncio.TimeoutError):
                await handle.result(timeout)
        gate.open()
        assert await handle.result(20) == 1


async def test_a_result_that_is_there_needs_no_time(workshop: Workshop) -> None:
    task = workshop.task(double, result_ttl=60)
    handle = await task.submit(1)
    await workshop.work_off(task)
    for timeout in (20, 0, -1.5):
        assert await handle.result(timeout) == 2


@pytest.mark.parametrize("timeout", ["x", True, [1], b"1"])
async def test_a_limit_for_the_wait_is_a_number(workshop: Workshop, timeout: Any) -> None:
    handle = await workshop.task(double, result_ttl=60).submit(1)
    with pytest.raises(TypeError, match="timeout must be a number of seconds, or None for no limit, not "):
        await handle.result(timeout)


async def test_a_dead_letter_that_was_deleted_is_dead_no_more(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise LookupError("on purpose")

    task = workshop.task(fail, result_ttl=60)
    handle = await task.submit()
    await workshop.work_off(task)
    assert await handle.status() == "dead"
    await task.delete_dead(handle.id)
    assert await handle.status() == "unknown"
    with pytest.raises(TaskFailed, match="on purpose"):  # for as long as result_ttl says
        await handle.result()


async def test_an_expired_result_is_said_to_be_so(workshop: Workshop) -> None:
    task = workshop.task(double, result_ttl=0.05)
    handle = await task.submit(1)
    await workshop.work_off(task)
    await asyncio.sleep(0.06)
    with pytest.raises(ResultUnavailable, match="expired"):
        await handle.result()
    assert await handle.status() == "unknown"


@pytest.mark.parametrize("delay", [None, 60])
async def test_a_cleared_task_has_no_result(workshop: Workshop, delay: Any) -> None:
    task = workshop.task(double, result_ttl=60)
    handle = await task.options(delay=delay).submit(1)
    waiter = asyncio.ensure_future(handle.result())
    await turns(3)
    await task.clear_queue()
    with pytest.raises(ResultUnavailable, match="cleared"):
        await waiter


async def test_one_that_is_run_by_who_stores_no_results_has_none(workshop: Workshop) -> None:
    task = workshop.task(double, result_ttl=60)
    handle = await task.submit(1)
    await workshop.work_off(workshop.again(task, double))
    with pytest.raises(ResultUnavailable, match="stores no results"):
        await handle.result()


async def test_a_failure_that_stores_no_result_is_found_among_the_dead(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    task = workshop.task(fail, result_ttl=60)
    handle = await task.submit("no such user")
    await workshop.work_off(workshop.again(task, fail))
    with pytest.raises(TaskFailed, match="LookupError: no such user"):
        await handle.result()


async def test_a_result_of_an_earlier_task_of_the_same_id_is_not_taken_for_its_own(
    workshop: Workshop,
) -> None:
    task = workshop.task(double, result_ttl=60)
    first = await task.options(id="a").submit(1)
    await workshop.work_off(task)
    second = await task.options(id="a").submit(2)
    with pytest.raises(asyncio.TimeoutError):
        await second.result(0.02)
    assert (await first.status(), await second.status()) == ("unknown", "queued")
    await workshop.work_off(task)
    assert await second.result() == 4
    with pytest.raises(ResultUnavailable, match="another task with the same id"):
        await first.result()


class Unpicklable:
    def __reduce__(self) -> Any:
        raise LookupError("not me")


@pytest.mark.parametrize("use_pickle", [True, False])
async def test_a_result_that_cannot_be_written_is_told_of_and_the_task_is_done(
    workshop: Workshop, use_pickle: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def odd() -> Any:
        return Unpicklable()

    task = workshop.task(odd, result_ttl=60, use_pickle=use_pickle, max_retries=3)
    handle = await task.submit()
    await workshop.work_off(task)
    with pytest.raises(TaskFailed, match="succeeded, but its result cannot be stored: ") as caught:
        await handle.result()
    assert ("not me" if use_pickle else "not JSON serializable") in str(caught.value)
    assert await task.stats() == (0, 0, 0, 0)
    assert await handle.status() == "done"
    assert "cannot be stored" in caplog.text


async def test_a_result_with_an_infinite_number_passes_as_json(workshop: Workshop) -> None:
    task = workshop.task(double, result_ttl=60, use_pickle=False)
    handle = await task.submit(math.inf)
    await workshop.work_off(task)
    assert await handle.result() == math.inf


@pytest.mark.parametrize("record", [b"", b"garbage", b"\x80\x04N.", b"[]"])
@pytest.mark.parametrize("use_pickle", [True, False])
async def test_what_is_no_result_is_said_to_be_none(
    workshop: Workshop, record: bytes, use_pickle: bool
) -> None:
    task = workshop.task(double, result_ttl=60, use_pickle=use_pickle)
    handle = await task.submit(1)
    await forge_result(workshop, task, handle.id, record or b"\0")
    with pytest.raises((BadPayload, ResultUnavailable)):
        await handle.result()
    assert await handle.status() == "done"


async def forge_result(workshop: Workshop, task: Any, name: str, record: bytes) -> None:
    from nb_aiopool.contrib.nb_aio_task.broker import Settlement

    forger = Consumer(workshop.broker(task))
    (delivery,) = await forger.fetch()
    await forger.fetch(
        0, settle=[Settlement("done", delivery.number, name, "", "", result=record, result_ttl=60)]
    )
    await forger.leave()


TOUCHED: List[Any] = []


class Touch:
    """Does something when it is unpickled."""

    def __reduce__(self) -> Any:
        return (TOUCHED.append, (1,))


@pytest.mark.parametrize("use_pickle", [True, False])
async def test_a_forged_result_is_refused_and_not_unpickled(workshop: Workshop, use_pickle: bool) -> None:
    import pickle

    task = workshop.task(double, result_ttl=60, use_pickle=use_pickle, sign_key="k")
    other = workshop.again(task, double, result_ttl=60, use_pickle=use_pickle, sign_key="another")
    handles = [await task.submit(i) for i in range(4)]
    records = [
        pickle.dumps(Touch()),
        b'{"token": "%s", "value": 3, "error": null, "traceback": ""}' % handles[1]._token.encode(),
    ]
    from nb_aiopool.contrib.nb_aio_task.records import Outcome

    name = handles[2].id
    records.append(other.definition.records.encode_outcome(name, Outcome(handles[2]._token, 3)))
    # A true result, of another task.
    records.append(task.definition.records.encode_outcome(name, Outcome(handles[3]._token, 3)))
    for handle, record in zip(handles, records):
        await forge_result(workshop, task, handle.id, record)
        with pytest.raises(BadPayload, match="signature"):
            await handle.result()
        assert await handle.status() == "done"
    assert TOUCHED == []


async def test_signed_results_and_failures_come_back(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    for use_pickle in (True, False):
        task = workshop.task(double, result_ttl=60, use_pickle=use_pickle, sign_key=b"k")
        good, bad = await task.submit(1), await task.submit(None)
        await workshop.work_off(task)
        assert await good.result() == 2
        with pytest.raises(TaskFailed, match="TypeError"):
            await bad.result()


async def test_status_tells_each_state_in_its_turn(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    gate, passes = Gate(), []

    async def hold() -> None:
        await gate.wait()
        passes.append(1)
        if len(passes) == 1:
            raise LookupError

    task = workshop.task(hold, max_retries=1, retry_delay=0.1, result_ttl=60)
    handle = await task.options(delay=0.05).submit()
    assert await handle.status() == "delayed"
    async with workshop.consuming(task):
        await gate.reached(1)
        assert await handle.status() == "running"
        gate.open()
        await eventually(lambda: status_is(handle, "delayed"))
        await eventually(lambda: status_is(handle, "done"))
    queued = await task.submit()
    assert await queued.status() == "queued"


async def status_is(handle: Any, status: str) -> bool:
    return bool(await handle.status() == status)


async def test_what_was_read_ahead_is_running(workshop: Workshop) -> None:
    gate = Gate()
    task = workshop.task(gate.hold, max_concurrency=1)
    handles = [await task.submit() for _ in range(3)]
    async with workshop.consuming(task):
        await gate.reached(1)
        await eventually(lambda: status_is(handles[1], "running"))
        assert [await handle.status() for handle in handles] == ["running", "running", "queued"]
        assert await task.stats() == (1, 2, 0, 0)
        gate.open()
        await eventually(lambda: status_is(handles[2], "unknown"))  # done, and nothing keeps the result


async def test_300_waits_for_results_share_few_connections(redis_workshop: Workshop, client: Any) -> None:
    before = {entry["id"] for entry in client.client_list()}
    task = redis_workshop.task(double, result_ttl=60)
    handles = await task.submit_many(((i,), {}) for i in range(300))
    waiters = [asyncio.ensure_future(handle.result()) for handle in handles]
    await turns(3)
    assert len([entry for entry in client.client_list() if entry["id"] not in before]) <= 2
    await redis_workshop.work_off(task)
    assert await asyncio.gather(*waiters) == [2 * i for i in range(300)]


async def test_a_waiter_that_gives_up_leaves_nothing_behind(workshop: Workshop) -> None:
    task = workshop.task(double, result_ttl=60)
    handle = await task.submit(1)
    error = await raised(handle.result(0.01))
    assert isinstance(error, asyncio.TimeoutError)
    results = task._links.here().results
    assert results._waiters == {}
    while results._looker is not None:
        await asyncio.sleep(0.01)


async def test_clearing_the_queue_leaves_results_alone(workshop: Workshop) -> None:
    notes = Notes()
    task = workshop.task(notes.function(), result_ttl=60)
    handle = await task.submit(1)
    await workshop.work_off(task)
    await task.clear_queue()
    assert await handle.result() == 1  # what has ended is not in the queue any more
