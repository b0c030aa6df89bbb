"""Runs every test that takes `queue` against each of the brokers, and closes what the test has opened."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Callable, Iterator, Union

import pytest

pytest.register_assert_rewrite("broker_support", "cli_support", "task_support")

from broker_support import MemoryQueue, Queue, RedisQueue  # noqa: E402
from redis_server import RedisServer, server_program  # noqa: E402
from task_support import Workshop  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import Cli


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that all tests share: they take queues of their own, and leave the server as it is."""
    pytest.importorskip("redis")
    if server_program() is None:
        pytest.skip("there is no redis-server on this machine")
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def cli(redis_server: RedisServer) -> Iterator[Cli]:
    """The command line, with an empty database of the shared server; what it has started is ended by the end."""
    from cli_support import Cli

    cli = Cli(redis_server.url.replace("/0", "/7"))
    yield cli
    cli.close()


@pytest.fixture
def own_server(redis_server: RedisServer, tmp_path: Path) -> Iterator[RedisServer]:
    """A server for one test, which may break it; it forgets nothing. Where there is none, `redis_server` skips."""
    with RedisServer(tmp_path / "redis", append_only=True) as server:
        yield server


@pytest.fixture
def forgetful_server(redis_server: RedisServer, tmp_path: Path) -> Iterator[RedisServer]:
    """The same; it keeps nothing on disk."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def queue(request: pytest.FixtureRequest) -> Queue:
    """A new queue. The test has to be an async one: what it has opened is closed in its loop."""
    made: Queue
    if request.param == "memory":
        made = MemoryQueue()
    else:
        server = request.getfixturevalue("redis_server")
        from nb_aiopool.contrib.nb_aio_task.redis_broker import RedisBroker

        made = RedisQueue(server.url, RedisBroker)
    close_after(request, made)
    return made


@pytest.fixture
def memory(request: pytest.FixtureRequest) -> MemoryQueue:
    """A new queue inside the process, for an async test."""
    made = MemoryQueue()
    close_after(request, made)
    return made


@pytest.fixture(params=["memory", "redis"])
def workshop(request: pytest.FixtureRequest) -> Workshop:
    """Makes tasks on either broker, for an async test."""
    made = Workshop("memory://")
    if request.param == "redis":
        made.url = request.getfixturevalue("redis_server").url
    close_after(request, made)
    return made


@pytest.fixture
def redis_workshop(request: pytest.FixtureRequest, redis_server: RedisServer) -> Workshop:
    """Makes tasks on the real server, for an async test."""
    made = Workshop(redis_server.url)
    close_after(request, made)
    return made


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[Any]:
    """redis-py's own client of the server that all tests share, for a look from outside."""
    import redis

    with redis.Redis.from_url(redis_server.url) as made:
        yield made


def close_after(request: pytest.FixtureRequest, queue: Union[Queue, Workshop]) -> None:
    """Close what the async test has opened at its end, within its loop."""
    body: Callable[..., Any] = request.node.obj

    @functools.wraps(body)
    async def closing(**arguments: Any) -> None:
        try:
            await body(**arguments)
        finally:
            await queue.close()

    request.node.obj = closing
