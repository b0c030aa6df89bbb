"""What Redis refuses for its size: that task or that call only, and nothing is tried again and again."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, List

import pytest
from task_support import Notes, Workshop, eventually

from nb_aiopool.contrib.nb_aio_task import AioTask, BrokerError, TaskFailed
from nb_aiopool.contrib.nb_aio_task.errors import MOST_TEXT

if TYPE_CHECKING:
    from redis_server import RedisServer

pytest.importorskip("redis")

LIMIT = 1024 * 1024  # the least that Redis can be set to
LARGE = 3 * LIMIT


@pytest.fixture
def narrow(forgetful_server: RedisServer, redis_workshop: Workshop) -> Workshop:
    forgetful_server.command("CONFIG", "SET", "proto-max-bulk-len", str(LIMIT))
    redis_workshop.url = forgetful_server.url
    return redis_workshop


def filling(task: AioTask[Any], size: int) -> bytes:
    """An argument that makes a payload of this size."""
    name = "0" * 32
    return b"x" * (size + LIMIT - len(task.definition.codec.encode((b"x" * LIMIT,), {}, name, name, 1.0)))


async def is_drained(task: Any) -> bool:
    return bool((await task.stats())[:3] == (0, 0, 0))


@pytest.mark.loop("asyncio", "uvloop")
async def test_a_result_that_is_too_large_is_the_end_of_that_task_only(
    narrow: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    runs: List[int] = []

    async def grow(size: int) -> bytes:
        runs.append(size)
        return b"x" * size

    task = narrow.task(grow, result_ttl=60, max_retries=3)
    async with narrow.consuming(task):
        handles = [await task.submit(size) for size in (1, LARGE, 2, LARGE + 1, 3)]
        await eventually(functools.partial(is_drained, task))
        assert [await handle.status() for handle in handles] == ["done"] * 5
        assert [len(await handles[i].result()) for i in (0, 2, 4)] == [1, 2, 3]
        for i in (1, 3):
            with pytest.raises(TaskFailed, match="succeeded, but its result cannot be stored: Redis refuses"):
                await handles[i].result()
        assert sorted(runs) == [1, 2, 3, LARGE, LARGE + 1]
        assert await (await task.submit(7)).result() == b"x" * 7


@pytest.mark.parametrize("result_ttl", [0, 60])
async def test_the_middle_of_a_long_error_is_left_out(
    workshop: Workshop, result_ttl: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(size: int) -> None:
        raise LookupError("begin" + "ä" * size + "end")

    caplog.set_level("CRITICAL")
    task = workshop.task(fail, result_ttl=result_ttl)
    handle = await task.submit(LARGE)
    await workshop.work_off(task)
    (letter,) = await task.dead_letters()
    assert len(letter.error) < MOST_TEXT + 100
    assert letter.error.startswith("Traceback") and letter.error.rstrip().endswith("end")
    assert "characters are left out" in letter.error
    if result_ttl:
        with pytest.raises(TaskFailed) as failed:
            await handle.result()
        assert len(failed.value.error) < MOST_TEXT + 100
        assert len(failed.value.traceback) < MOST_TEXT + 100


@pytest.mark.parametrize("room", [100, 100_000])
async def test_a_dead_letter_that_is_too_large_lacks_what_does_not_fit(
    narrow: Workshop, room: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(data: bytes) -> None:
        raise LookupError("ä" * MOST_TEXT)

    caplog.set_level("CRITICAL")
    task = narrow.task(fail)
    handle = await task.submit(filling(task, LIMIT - room))
    after = await task.submit(b"")
    await narrow.work_off(task)
    assert (await handle.status(), await after.status()) == ("dead", "dead")
    letters = {letter.id: letter for letter in await task.dead_letters()}
    assert "too large" in letters[handle.id].error
    assert len(letters[handle.id].payload) == (0 if room == 100 else LIMIT - room)
    assert letters[after.id].args == (b"",)


async def test_a_retry_that_has_grown_too_large_is_a_dead_letter(
    narrow: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(data: bytes) -> None:
        raise LookupError("on purpose")

    task = narrow.task(fail, max_retries=5, retry_delay=0.001)
    handle = await task.submit(filling(task, LIMIT - 1))
    assert [len(payload) for payload in await narrow.peek(task)] == [LIMIT - 1]
    await narrow.work_off(task)
    assert await handle.status() == "dead"


@pytest.mark.loop("asyncio", "uvloop")
async def test_a_call_that_is_too_large_fails_alone(narrow: Workshop) -> None:
    notes = Notes()
    task = narrow.task(notes.function())
    calls = [
        task.submit(b"x" * LARGE),
        task.submit(1),
        task.submit(b"x" * LARGE),
        task.options(id="a").submit(2),
    ]
    refused, one, refused_too, two = await asyncio.gather(*calls, return_exceptions=True)
    for error in (refused, refused_too):
        assert isinstance(error, BrokerError) and "for its size" in str(error)
    assert not isinstance(one, BaseException) and not isinstance(two, BaseException)
    with pytest.raises(BrokerError, match="for its size"):
        await task.submit_many([((b"x" * LARGE,), {})])
    await task.submit(3)
    await narrow.work_off(task)
    assert sorted(notes.calls) == [1, 2, 3]


async def test_a_server_that_goes_away_has_refused_nothing(
    forgetful_server: RedisServer, redis_workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    redis_workshop.url = forgetful_server.url
    task = redis_workshop.task(Notes().function())
    await task.submit(1)
    forgetful_server.kill()
    submitting = asyncio.ensure_future(task.submit(b"x" * LARGE))
    while "cannot be used" not in caplog.text:
        await asyncio.sleep(0.01)
    forgetful_server.start()
    await submitting
    assert await task.get_queue_size() == 1
