"""The module whose tasks the tests of the command line run. It tells the test what happens through Redis."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import redis
import redis.asyncio

from nb_aiopool.contrib.nb_aio_task import aio_task

URL = os.environ["CLI_TEST_URL"]
LOUD_UP_TO = 200
TELLER = redis.Redis.from_url(URL)


def tell(event: str) -> None:
    """Append to the list of events. Blocks for a moment: before Python 3.12, wait_for() may swallow a cancellation."""
    TELLER.rpush("events", event)


async def wait_for_gate(name: str) -> None:
    """Wait until the test opens this gate."""
    loop = asyncio.get_running_loop()
    opened = asyncio.Event()

    def watch() -> None:
        redis.Redis.from_url(URL, socket_timeout=None).blpop(["gate:" + name])
        loop.call_soon_threadsafe(opened.set)

    threading.Thread(target=watch, daemon=True).start()
    await opened.wait()


@aio_task("hold", redis_url=URL, lease=1)
async def hold(name: str) -> None:
    """A task that lasts until the test says so."""
    tell(f"started {name} in {os.getpid()}")
    try:
        await wait_for_gate(name)
    except asyncio.CancelledError:
        tell(f"cancelled {name}")
        raise
    tell(f"ended {name}")


@aio_task("count", redis_url=URL, lease=1, max_concurrency=20)
async def count(number: int) -> None:
    """Counts how often each number was run."""
    await asyncio.sleep(0.002)
    times = await shared().hincrby("runs", str(number), 1)
    assert times > 0
    if await shared().incr("ran") == LOUD_UP_TO:
        tell("many")


@aio_task("fail", redis_url=URL)
async def fail(text: str) -> None:
    """Fails for good."""
    raise ValueError(text)


@aio_task("die", redis_url=URL, lease=1)
async def die() -> None:
    """Ends its process as the kernel would when memory is short."""
    tell(f"dying in {os.getpid()}")
    os.kill(os.getpid(), signal.SIGKILL)


@aio_task("first", redis_url=URL, max_concurrency=1)
async def first(number: int) -> None:
    """Gives work to the next stage, one piece after another."""
    await asyncio.sleep(0.01)
    await second.submit(number)


@aio_task("second", redis_url=URL)
async def second(number: int) -> None:
    """The next stage."""
    await shared().hincrby("runs", str(number), 1)


@aio_task("loop", redis_url=URL)
async def tell_loop() -> None:
    """Tells what kind of event loop runs it."""
    tell(type(asyncio.get_running_loop()).__module__.split(".")[0])


@aio_task("stop", redis_url=URL)
async def stop_myself() -> None:
    """Ends the worker that runs it."""
    await stop_myself.stop()
    tell("asked to stop")


@aio_task("blocking", redis_url=URL, lease=1)
async def block() -> None:
    """Keeps its event loop from doing anything else, for ever."""
    tell(f"blocking in {os.getpid()}")
    while True:
        time.sleep(60)  # noqa: ASYNC251


_connections: dict = {}


def shared() -> redis.asyncio.Redis:
    """A connection for many calls, one for each event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _connections:
        _connections[loop] = redis.asyncio.Redis.from_url(URL)
    return _connections[loop]
