"""Calling a task, and putting calls into its queue: one, many, and many at once."""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Dict, Iterator, List, Tuple

import pytest
from task_support import Notes, Workshop, command_counts, raised

from nb_aiopool.contrib.nb_aio_task import TaskHandle
from support import Gate, turns

Pair = Tuple[Tuple[int, ...], Dict[str, int]]


def pairs(count: int) -> List[Pair]:
    return [((i,), {}) for i in range(count)]


async def test_a_call_runs_the_function_here_and_now(workshop: Workshop) -> None:
    notes = Notes()
    task = workshop.task(notes.function())
    assert await task("a") == "a"
    assert await task("b", more=1) == "b"
    assert notes.calls == ["a", ("b", {"more": 1})]
    assert await task.get_queue_size() == 0


async def test_a_call_raises_what_the_function_raises(workshop: Workshop) -> None:
    async def fail() -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        await workshop.task(fail)()


async def test_a_submitted_call_is_run_by_who_consumes(workshop: Workshop) -> None:
    notes = Notes()
    task = workshop.task(notes.function())
    handle = await task.submit("a", more={"b": [1, None]})
    assert isinstance(handle, TaskHandle)
    assert handle.id and handle.id in repr(handle) and task.queue_name in repr(handle)
    assert notes.calls == []
    assert await task.get_queue_size() == 1
    await workshop.work_off(task)
    assert notes.calls == [("a", {"more": {"b": [1, None]}})]
    assert await task.stats() == (0, 0, 0, 0)


async def test_any_name_may_be_that_of_an_argument(workshop: Workshop) -> None:
    calls: List[Any] = []

    async def function(**kwargs: Any) -> None:
        calls.append(kwargs)

    task = workshop.task(function)
    arguments = {"self": 1, "args": 2, "kwargs": 3, "id": 4, "schedule": 5, "links": 6}
    await task(**arguments)
    await task.submit(**arguments)
    await task.options(id="a").submit(**arguments)
    await workshop.work_off(task)
    assert calls == [arguments] * 3


@pytest.mark.parametrize("use_pickle", [True, False])
async def test_arguments_arrive_as_they_were(workshop: Workshop, use_pickle: bool) -> None:
    calls: List[Any] = []

    async def function(*args: Any, **kwargs: Any) -> None:
        calls.append((args, kwargs))

    task = workshop.task(function, use_pickle=use_pickle)
    odd = ["", "ä\0\udc80\r\t \r\n", 10**30, -1.5, None, True, [[]], {"k": {"": []}}]
    if use_pickle:
        odd += [b"\0\r\t\r \n", (1, 2), {1: {2}}, Pair]
    await task.submit(*odd, key=odd)
    await task.submit()
    await workshop.work_off(task)
    assert calls == [(tuple(odd), {"key": odd}), ((), {})]


@pytest.mark.parametrize("use_pickle", [True, False])
async def test_arguments_that_cannot_be_written_are_refused(workshop: Workshop, use_pickle: bool) -> None:
    notes = Notes()
    task = workshop.task(notes.function(), use_pickle=use_pickle)
    for bad in (lambda: None, {1: object()}, iter([])):
        if use_pickle and not callable(bad):
            continue
        with pytest.raises(Exception, match="(?i)pickle|serializable|local object"):
            await task.submit(bad)
    await task.submit(1)
    assert await task.get_queue_size() == 1


async def test_one_that_cannot_be_written_harms_none_that_is_submitted_beside_it(workshop: Workshop) -> None:
    task = workshop.task(Notes().function())
    answers = await asyncio.gather(
        *(task.submit(i if i % 2 else (lambda: None)) for i in range(10)), return_exceptions=True
    )
    assert [isinstance(answer, TaskHandle) for answer in answers] == [False, True] * 5
    assert await task.get_queue_size() == 5


async def test_calls_of_one_caller_stay_in_order_whether_submitted_singly_or_together(
    workshop: Workshop,
) -> None:
    notes = Notes()
    task = workshop.task(notes.function(), max_concurrency=1)
    await task.submit(0)
    await task.submit_many([((i,), {}) for i in (1, 2)])
    await asyncio.gather(*(task.submit(i) for i in (3, 4, 5)))
    await task.submit(6)
    await workshop.work_off(task)
    assert notes.calls == list(range(7))


async def test_handles_have_names_of_their_own(workshop: Workshop) -> None:
    task = workshop.task(Notes().function())
    handles = [await task.submit(), *await task.submit_many([((), {})] * 3)]
    assert len({handle.id for handle in handles}) == 4


# -- Many in one call ------------------------------------------------------------------------------------------


def generated(count: int) -> Iterator[Pair]:
    yield from pairs(count)


async def agenerated(count: int) -> AsyncIterator[Pair]:
    for pair in pairs(count):
        await asyncio.sleep(0)
        yield pair


@pytest.mark.parametrize("make", [pairs, generated, agenerated, lambda count: map(list, pairs(count))])
async def test_any_iterable_of_calls_will_do(workshop: Workshop, make: Any) -> None:
    notes = Notes()
    task = workshop.task(notes.function(), max_concurrency=1)
    handles = await task.submit_many(make(12))
    assert len({handle.id for handle in handles}) == 12
    await workshop.work_off(task)
    assert notes.calls == list(range(12))


async def test_no_calls_are_no_work(workshop: Workshop) -> None:
    task = workshop.task(Notes().function())
    assert await task.submit_many([]) == []
    assert await task.submit_many(iter(())) == []
    assert await task.get_queue_size() == 0


@pytest.mark.parametrize(
    "bad",
    [
        3,
        None,
        "ab",
        ((1,),),
        ((1,), {}, 3),
        (1, {}),
        ("ab", {}),
        ((1,), [2]),
        ((1,), None),
        ((1,), {1: 2}),
        ((1,), {"a": 1, b"b": 2}),
        {"args": (1,), "kwargs": {}},
    ],
)
async def test_an_item_that_is_no_call_is_shown_and_what_came_before_is_queued(
    workshop: Workshop, bad: Any
) -> None:
    task = workshop.task(Notes().function())
    with pytest.raises(TypeError, match=r"submit_many\(\) takes pairs.*item 2 is ") as caught:
        await task.submit_many([*pairs(2), bad, *pairs(2)])
    assert repr(bad) in str(caught.value)
    assert await task.get_queue_size() == 2


@pytest.mark.parametrize("bad", [None, 3])
async def test_what_is_no_iterable_is_refused(workshop: Workshop, bad: Any) -> None:
    with pytest.raises(TypeError, match="iter"):
        await workshop.task(Notes().function()).submit_many(bad)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_iterable_that_raises_has_queued_what_came_before(
    workshop: Workshop, asynchronous: bool
) -> None:
    def failing() -> Iterator[Pair]:
        yield from pairs(1003)
        raise LookupError("no more")

    async def afailing() -> AsyncIterator[Pair]:
        for pair in failing():
            yield pair

    task = workshop.task(Notes().function())
    with pytest.raises(LookupError, match="no more"):
        await task.submit_many(afailing() if asynchronous else failing())
    assert await task.get_queue_size() == 1003


async def test_an_asynchronous_iterable_is_closed_when_an_item_is_bad(workshop: Workshop) -> None:
    closed: List[bool] = []

    async def calls() -> AsyncIterator[Any]:
        try:
            yield ((1,), {})
            yield "bad"
        finally:
            closed.append(True)

    with pytest.raises(TypeError):
        await workshop.task(Notes().function()).submit_many(calls())
    assert closed == [True]


async def test_a_bulk_is_drawn_as_it_is_queued(workshop: Workshop) -> None:
    task = workshop.task(Notes().function())
    ahead: List[int] = []

    async def calls() -> AsyncIterator[Pair]:
        for i in range(5000):
            if i % 500 == 0:
                ahead.append(i - await task.get_queue_size())
            yield ((i,), {})

    assert len(await task.submit_many(calls())) == 5000
    assert max(ahead) <= 2000
    assert await task.get_queue_size() == 5000


@pytest.mark.loop("asyncio")
async def test_a_chunk_is_one_round_trip(redis_workshop: Workshop, client: Any) -> None:
    task = redis_workshop.task(Notes().function())
    await task.submit(0)
    client.config_resetstat()
    await task.submit_many(pairs(3000))
    assert command_counts(client)["evalsha"] == 3


async def test_a_bulk_is_delayed_as_a_whole(workshop: Workshop) -> None:
    task = workshop.task(Notes().function())
    handles = await task.options(delay=60).submit_many(pairs(1500))
    assert len(handles) == 1500
    assert await task.stats() == (0, 0, 1500, 0)
    assert await handles[-1].status() == "delayed"


async def test_a_bulk_cannot_have_one_id(workshop: Workshop) -> None:
    task = workshop.task(Notes().function())
    with pytest.raises(ValueError, match="id="):
        await task.options(id="a").submit_many(pairs(2))
    assert await task.get_queue_size() == 0


# -- Many callers at once --------------------------------------------------------------------------------------


@pytest.mark.loop("asyncio", "uvloop")
async def test_what_is_submitted_at_one_time_travels_in_one_call(
    redis_workshop: Workshop, client: Any
) -> None:
    task = redis_workshop.task(Notes().function())
    await task.submit(0)
    client.config_resetstat()
    await asyncio.gather(*(task.submit(i) for i in range(100)))
    counts = command_counts(client)
    assert (counts["evalsha"], counts["rpush"]) == (1, 1)
    assert await task.get_queue_size() == 101


@pytest.mark.loop("asyncio", "uvloop")
async def test_submits_of_300_tasks_share_few_connections(redis_workshop: Workshop, client: Any) -> None:
    before = {entry["id"] for entry in client.client_list()}
    tasks = [redis_workshop.task(Notes().function()) for _ in range(3)]
    await asyncio.gather(*(task.submit(i) for i in range(100) for task in tasks))
    await asyncio.gather(*(task.stats() for task in tasks))
    new = [entry for entry in client.client_list() if entry["id"] not in before]
    assert 1 <= len(new) <= 2, new
    assert [await task.get_queue_size() for task in tasks] == [100] * 3


async def test_each_of_many_callers_gets_its_own_handle(workshop: Workshop) -> None:
    async def double(x: int) -> int:
        return 2 * x

    task = workshop.task(double, result_ttl=60)
    handles = await asyncio.gather(*(task.submit(i) for i in range(300)))
    async with workshop.consuming(task):
        assert await asyncio.gather(*(handle.result() for handle in handles)) == [2 * i for i in range(300)]


async def test_a_caller_that_is_cancelled_before_it_was_its_turn_has_submitted_nothing(
    workshop: Workshop,
) -> None:
    task = workshop.task(Notes().function())
    await task.submit("before")
    callers = [asyncio.ensure_future(task.submit(i)) for i in range(10)]
    for caller in callers[::2]:
        caller.cancel()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert [isinstance(answer, TaskHandle) for answer in answers] == [False, True] * 5
    assert await task.get_queue_size() == 6


@pytest.mark.parametrize("after", range(4))
async def test_callers_beside_one_that_is_cancelled_are_served(workshop: Workshop, after: int) -> None:
    task = workshop.task(Notes().function())
    await task.submit("before")
    first = asyncio.ensure_future(task.submit("first"))
    others = [asyncio.ensure_future(task.submit(i)) for i in range(5)]
    await turns(after)
    first.cancel()
    error = (await asyncio.gather(first, return_exceptions=True))[0]
    assert isinstance(error, (asyncio.CancelledError, TaskHandle))
    await asyncio.gather(*others)
    await task.submit("after")
    assert await task.get_queue_size() in (7, 8)


async def test_a_bulk_that_is_cancelled_lets_the_next_in(workshop: Workshop) -> None:
    gate = Gate()

    async def calls() -> AsyncIterator[Pair]:
        for pair in pairs(1500):
            yield pair
        await gate.wait()

    task = workshop.task(Notes().function())
    bulk = asyncio.ensure_future(task.submit_many(calls()))
    await gate.reached(1)
    bulk.cancel()
    assert isinstance(await raised(bulk), asyncio.CancelledError)
    await task.submit("after")
    assert await task.get_queue_size() in (1, 1001)  # the first chunk was on its way
