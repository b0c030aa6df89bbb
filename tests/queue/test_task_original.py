"""Old and new producers and consumers share one queue; code written for the original works as it is."""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest
from original_support import CONSUMER, LOG_STUB, PRODUCER
from task_support import Notes, Workshop, eventually

from benchmarks.fetch import original_package
from nb_aiopool.contrib.nb_aio_task import aio_task, batch_consume, trailer

FORMS = {"pickle": True, "json": False}
FORMAT = pytest.mark.parametrize("form", FORMS)


def written(args: Any, kwargs: Any, form: str) -> bytes:
    """A payload as the original's producer writes it."""
    task = {"args": args, "kwargs": kwargs}
    return pickle.dumps(task) if form == "pickle" else json.dumps(task).encode("utf-8")


def read(payload: bytes, form: str) -> Any:
    """A payload as the original's consumer reads it."""
    data = pickle.loads(payload) if form == "pickle" else json.loads(payload.decode("utf-8"))
    return list(data.get("args", ())), data.get("kwargs", {})


@FORMAT
async def test_payloads_of_the_original_are_run_each_once(workshop: Workshop, form: str) -> None:
    notes = Notes()
    task = workshop.task(notes.function(), use_pickle=FORMS[form], max_retries=2, result_ttl=60)
    same = written(("same",), {}, form)
    await workshop.put(task, same, written(("a",), {"k": [1]}, form), same, same, written((), {}, form))
    assert await task.get_queue_size() == 5
    await workshop.work_off(task)
    assert len(notes.calls) == 5
    assert notes.calls.count("same") == 3
    assert ("a", {"k": [1]}) in notes.calls and None in notes.calls
    assert await task.stats() == (0, 0, 0, 0)


@FORMAT
async def test_a_payload_of_the_original_may_be_retried_die_and_come_back(
    workshop: Workshop, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    calls: List[Any] = []

    async def fail(x: str) -> None:
        calls.append(x)
        if len(calls) <= 6:
            raise LookupError(x)

    task = workshop.task(fail, use_pickle=FORMS[form], max_retries=2, retry_delay=0.001, result_ttl=60)
    same = written(("same",), {}, form)
    await workshop.put(task, same, same)
    await workshop.work_off(task)
    assert calls == ["same"] * 6
    letters = await task.dead_letters()
    assert len({letter.id for letter in letters}) == 2
    assert [trailer.split(letter.payload).body for letter in letters] == [same, same]
    assert [list(letter.args or ()) for letter in letters] == [["same"]] * 2
    assert await task.retry_dead() == 2
    assert await workshop.peek(task) == [same, same]
    await workshop.work_off(task)
    assert calls == ["same"] * 8


@FORMAT
@pytest.mark.parametrize("sign_key", [None, "key"])
async def test_the_original_reads_what_we_write(workshop: Workshop, form: str, sign_key: Any) -> None:
    task = workshop.task(Notes().function(), use_pickle=FORMS[form], sign_key=sign_key)
    await task.submit("a", k=[None])
    await task.submit_many([(("b",), {})])
    await task.options(id="order 42").submit("c")
    payloads = await workshop.peek(task)
    expected = [(["a"], {"k": [None]}), (["b"], {}), (["c"], {})]
    assert [read(payload, form) for payload in payloads] == expected
    counted = [trailer.join(payload, 3, 70) for payload in payloads]
    assert all(trailer.split(payload).deliveries == 3 for payload in counted)
    assert [read(payload, form) for payload in counted] == expected


@pytest.mark.loop("asyncio")
@FORMAT
async def test_what_was_handed_back_can_be_read_by_the_original(redis_workshop: Workshop, form: str) -> None:
    async def fail(x: str) -> None:
        raise LookupError

    task = redis_workshop.task(fail, use_pickle=FORMS[form], max_retries=9, retry_delay=60, sign_key="k")
    await task.submit("a")
    async with redis_workshop.consuming(task):
        await eventually(lambda: retried(task))
    (payload,) = await in_redis(redis_workshop, task)
    assert read(payload, form) == (["a"], {})


async def retried(task: Any) -> bool:
    return bool((await task.stats()).delayed)


async def in_redis(workshop: Workshop, task: Any) -> List[bytes]:
    import redis

    with redis.Redis.from_url(workshop.url) as client:
        found: List[bytes] = client.hvals("{%s}:parked" % task.queue_name)
        return found + client.lrange(task.queue_name, 0, -1)


@pytest.mark.loop("asyncio")
async def test_our_list_is_the_list_of_the_original(redis_workshop: Workshop, client: Any) -> None:
    notes = Notes()
    task = redis_workshop.task(notes.function())
    await task.submit("first")
    client.rpush("nb_aio_task:" + task.definition.queue, written(("second",), {}, "pickle"))
    assert pickle.loads(client.lindex("nb_aio_task:" + task.definition.queue, 0))["args"] == ("first",)
    assert await task.get_queue_size() == client.llen(task.queue_name) == 2
    async with redis_workshop.consuming(task):
        await notes.reached(2)
        client.rpush(task.queue_name, written(("third",), {}, "pickle"))  # wakes a worker that waits
        await notes.reached(3)
    assert notes.calls == ["first", "second", "third"]


# -- The original itself ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The folder of the original package, and of what it needs."""
    pytest.importorskip("redis")
    with original_package(sys.executable, None, wanted=True) as (folder, reason):
        if folder is None:
            pytest.skip(reason)
        Path(folder, "nb_log.py").write_text(LOG_STUB, encoding="utf-8")
        yield folder


@pytest.fixture
def run_original(script: Any, original: str) -> Callable[..., Any]:
    """Runs a program with the original package in a process of its own, beside the test's loop."""

    async def run(program: str, *arguments: str) -> str:
        def call() -> str:
            done = script(program, *arguments, env={"PYTHONPATH": original}, flags=["-W", "ignore"])
            return str(done.stdout)

        return await asyncio.get_running_loop().run_in_executor(None, call)

    return run


def calls_of(label: str, count: int) -> List[Any]:
    return [[[label, i], {"k": i}] for i in range(count)]


@pytest.mark.loop("asyncio")
@FORMAT
async def test_the_original_produces_and_we_consume(
    redis_workshop: Workshop, run_original: Any, form: str
) -> None:
    calls: List[Any] = []

    async def note(*args: Any, **kwargs: Any) -> None:
        calls.append([list(args), kwargs])

    task = redis_workshop.task(note, use_pickle=FORMS[form])
    sent = [*calls_of("a", 20), [["same"], {}], [["same"], {}]]
    arguments = (redis_workshop.url, task.definition.queue, form)
    await run_original(PRODUCER, *arguments, json.dumps(sent))
    assert await task.get_queue_size() == 22
    await redis_workshop.work_off(task)
    assert sorted(calls) == sorted(sent)


@pytest.mark.loop("asyncio")
@FORMAT
@pytest.mark.parametrize("sign_key", [None, "key"])
async def test_we_produce_and_the_original_consumes(
    redis_workshop: Workshop, run_original: Any, form: str, sign_key: Any
) -> None:
    task = redis_workshop.task(Notes().function(), use_pickle=FORMS[form], sign_key=sign_key)
    sent = calls_of("a", 20)
    await task.submit_many((args, kwargs) for args, kwargs in sent[:10])
    for args, kwargs in sent[10:]:
        await task.submit(*args, **kwargs)
    arguments = (redis_workshop.url, task.definition.queue, form)
    done = json.loads(await run_original(CONSUMER, *arguments, "20"))
    assert sorted(done) == sorted(sent)
    assert await task.stats() == (0, 0, 0, 0)


@pytest.mark.loop("asyncio")
async def test_both_produce_and_consume_at_once_and_each_call_is_run_once(
    redis_workshop: Workshop, run_original: Any
) -> None:
    calls: List[Any] = []

    async def note(*args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0.001)
        calls.append([list(args), kwargs])

    task = redis_workshop.task(note, max_concurrency=2)
    arguments = (redis_workshop.url, task.definition.queue, "pickle")
    theirs = asyncio.ensure_future(run_original(CONSUMER, *arguments, "30"))
    ours, old = calls_of("ours", 100), calls_of("old", 100)
    async with redis_workshop.consuming(task):
        producing = asyncio.ensure_future(run_original(PRODUCER, *arguments, json.dumps(old)))
        for args, kwargs in ours:
            await task.submit(*args, **kwargs)
        await producing
        # Theirs has to have its 30; what we run of these fillers is no matter.
        while not theirs.done():
            await task.submit("filler")
            await asyncio.sleep(0.005)
        taken = [call for call in json.loads(await theirs) if call[0] != ["filler"]]
        await eventually(lambda: is_empty(task))
    run = [call for call in [*calls, *taken] if call[0] != ["filler"]]
    assert sorted(run) == sorted([*ours, *old])


async def is_empty(task: Any) -> bool:
    return bool(await task.stats() == (0, 0, 0, 0))


# -- Code written for it ---------------------------------------------------------------------------------------


async def test_what_its_examples_do_works_as_it_is(workshop: Workshop) -> None:
    done: List[Any] = []

    @aio_task(queue_name="example add " + str(id(done)), max_concurrency=100, redis_url=workshop.url)
    async def add(x: int, y: int) -> int:
        await asyncio.sleep(0)
        done.append(("add", x, y))
        return x + y

    @aio_task(queue_name="example shout " + str(id(done)), max_concurrency=50, redis_url=workshop.url)
    async def shout(data: Any) -> str:
        done.append(("shout", data))
        return str(data.get("name")).upper()

    assert await add(1, 2) == 3
    done.clear()
    for i in range(10):
        await add.submit(i, y=i * 2)
    await shout.submit({"name": "a", "value": 1})
    assert (await add.get_queue_size(), await shout.get_queue_size()) == (10, 1)

    async def producer() -> None:
        for i in range(10, 20):
            await add.submit(i, i * 2)
            await asyncio.sleep(0)

    async def until_done() -> None:
        while len(done) < 21:
            await asyncio.sleep(0.002)
        await add.stop()
        await shout.stop()

    await asyncio.gather(
        producer(), batch_consume([add, shout], timeout=5), until_done(), return_exceptions=False
    )
    assert sorted(entry for entry in done if entry[0] == "add") == [("add", i, 2 * i) for i in range(20)]

    await add.submit(1, 1)
    await add.clear_queue()
    assert await add.get_queue_size() == 0
    await add.close()
    await shout.close()
