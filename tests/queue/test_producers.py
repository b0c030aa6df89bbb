"""Producers' names, of which the broker remembers each for days: how few a program leaves behind."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any, List

import pytest

from nb_aiopool.contrib.nb_aio_task import AioTask
from nb_aiopool.contrib.nb_aio_task.broker import Submission
from nb_aiopool.contrib.nb_aio_task.producer import Producers
from nb_aiopool.contrib.nb_aio_task.tokens import token

if TYPE_CHECKING:
    from redis_server import RedisServer


async def work(number: int) -> None: ...


@pytest.mark.parametrize("closing", [True, False])
def test_many_loops_one_after_another_leave_one_mark(
    redis_server: RedisServer, client: Any, closing: bool
) -> None:
    task: AioTask[Any] = AioTask(work, uuid.uuid4().hex, redis_url=redis_server.url)

    async def submit(number: int) -> None:
        await task.submit(number)
        if closing:
            await task.close()
            await task.submit(number)
        await task.submit_many([((number,), {})] * 2)

    for number in range(5):
        asyncio.run(submit(number))
    assert client.llen(task.queue_name) == (20 if closing else 15)
    assert len(client.keys("{%s}:producer:*" % task.queue_name)) == 1


def test_loops_at_the_same_time_have_names_of_their_own(redis_server: RedisServer, client: Any) -> None:
    task: AioTask[Any] = AioTask(work, uuid.uuid4().hex, redis_url=redis_server.url)
    loops = [asyncio.new_event_loop() for _ in range(3)]
    try:
        for number in range(2):
            for loop in loops:
                loop.run_until_complete(task.submit(number))
    finally:
        for loop in loops:
            loop.run_until_complete(task.close())
            loop.close()
    assert client.llen(task.queue_name) == 6
    assert len(client.keys("{%s}:producer:*" % task.queue_name)) == 3


async def test_a_name_under_which_something_is_sent_is_not_given_to_another() -> None:
    task: AioTask[Any] = AioTask(work, uuid.uuid4().hex, redis_url="memory://")
    link = task._links.here()
    push, pushed = link.broker.push, asyncio.Event()
    names: List[str] = []

    async def slow(producer: str, *arguments: Any) -> List[str]:
        names.append(producer)
        await pushed.wait()
        return await push(producer, *arguments)

    link.broker.push = slow  # type: ignore[method-assign]
    first = asyncio.ensure_future(task.submit(1))
    while not names:
        await asyncio.sleep(0)
    await task.close()
    await task.submit(2)
    assert task._links.here().submitter._producer.name != names[0]
    pushed.set()
    await first
    assert await task.get_queue_size() == 2
    await task.close()


async def test_who_goes_on_after_its_name_was_given_back_sends_under_another() -> None:
    task: AioTask[Any] = AioTask(work, uuid.uuid4().hex, redis_url="memory://")
    link = task._links.here()
    push = link.broker.push
    names: List[str] = []

    async def seen(producer: str, *arguments: Any) -> List[str]:
        names.append(producer)
        return await push(producer, *arguments)

    link.broker.push = seen  # type: ignore[method-assign]
    for number in range(2):
        await link.submitter.submit([Submission(b"%d" % number, token())])
        await task.close()
    assert len(set(names)) == 2
    await task.clear_queue()
    await task.close()


def test_a_name_is_given_to_one_at_a_time() -> None:
    producers = Producers()
    one, other = producers.take(), producers.take()
    assert one.name != other.name
    producers.give_back(one)
    assert producers.take() is one
    assert producers.take() is not one
