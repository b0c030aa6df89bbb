"""Connections that break at each point of the protocol: nothing is lost or stranded, and nothing is queued twice."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Optional
from typing import Counter as Count

import pytest
from chaos import full
from chaos_proxy import Fault, Proxy

pytest.importorskip("redis")

from nb_aiopool.contrib.nb_aio_task import AioTask, aio_task
from nb_aiopool.contrib.nb_aio_task.broker import Request
from nb_aiopool.contrib.nb_aio_task.keys import QueueKeys
from nb_aiopool.contrib.nb_aio_task.redis_broker import RedisBroker

if TYPE_CHECKING:
    from redis_server import RedisServer

pytestmark = pytest.mark.loop("asyncio")
PATIENCE = 60.0
POINTS = range(1, 5)
LEASE = 2.0


async def until(condition: Callable[[], Any], tell: Callable[[], object]) -> None:
    """Wait for something that comes by itself."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while True:
        met = condition()
        if await met if isinstance(met, Awaitable) else met:
            return
        assert loop.time() < deadline, "this has not come: %r" % (tell(),)
        await asyncio.sleep(0.005)


class Runs:
    """A task that goes through a proxy, the same one that does not, and what has run."""

    def __init__(self, server: RedisServer, proxy: Optional[Proxy], queue: str) -> None:
        self.counts: Count[int] = Counter()
        self.through = self._make(queue, proxy.url if proxy else server.url)
        self.direct = self._make(queue, server.url)

    def _make(self, queue: str, url: str) -> AioTask[Any]:
        async def run(label: int) -> int:
            self.counts[label] += 1
            await asyncio.sleep(0.001)
            return label

        made: AioTask[Any] = aio_task(queue, 5, url, lease=LEASE, result_ttl=60)(run)
        return made

    async def close(self) -> None:
        await self.through.close()
        await self.direct.close()


def fault_at(name: str, number: int, how: str) -> Fault:
    return Fault(how, lambda seen, count: seen == name and count >= number)


@pytest.mark.limit(60)
@pytest.mark.parametrize("how", ["before", "after", "within"])
@pytest.mark.parametrize("number", [1, 2, 3])
async def test_submit(redis_server: RedisServer, how: str, number: int) -> None:
    """Each is queued once, whatever its caller was told when."""
    with Proxy(redis_server.port) as proxy:
        proxy.fault = fault_at("push", number, how)
        runs = Runs(redis_server, proxy, "submit-%s-%d" % (how, number))
        await runs.direct.clear_queue()
        for label in range(5):
            await runs.through.submit(label)
        await runs.through.submit_many([((label,), {}) for label in range(5, 20)])
        await asyncio.gather(*[runs.through.options(id="id-%d" % (n % 3)).submit(n) for n in range(6)])
        await runs.through.options(delay=1000).submit(100)
        assert proxy.fault.happened.is_set()
        assert (await runs.direct.stats())[:3] == (23, 0, 1)
        await runs.direct.clear_queue()
        await runs.close()


@full
@pytest.mark.limit(120)
@pytest.mark.parametrize("how", ["before", "after", "within", "half"])
@pytest.mark.parametrize("name", ["exchange", "BLMOVE", "CLIENT", "reconcile", "leave", "renew", "seen"])
async def test_worker(redis_server: RedisServer, name: str, how: str) -> None:
    """At each of the first requests of this name: all run, and nothing is left anywhere."""
    for number in POINTS if name in {"exchange", "BLMOVE"} else POINTS[:1]:
        await work_through_a_fault(redis_server, name, number, how)


async def work_through_a_fault(redis_server: RedisServer, name: str, number: int, how: str) -> None:
    with Proxy(redis_server.port) as proxy:
        fault = proxy.fault = fault_at(name, number, how)
        if name == "reconcile":  # which comes only after another fault
            proxy.fault = Fault(
                how, lambda seen, count: (seen == "exchange" and count >= 2) or seen == "reconcile"
            )
            fault = proxy.fault
        runs = Runs(redis_server, proxy, "worker-%s-%s-%d" % (name, how, number))
        consuming = asyncio.ensure_future(runs.through.consume(timeout=0.3))
        handles = []
        for label in range(20):
            handles.append(await runs.direct.submit(label))
            await asyncio.sleep(0 if label % 3 else 0.01)
        handles += await runs.direct.submit_many([((label,), {}) for label in range(20, 60)])
        await until(lambda: len(runs.counts) == 60, lambda: set(range(60)) - set(runs.counts))
        assert [await handle.result(PATIENCE) for handle in handles] == list(range(60))
        if name != "leave":
            await until(fault.happened.is_set, lambda: proxy.seen)
        await runs.through.stop()
        await asyncio.wait_for(consuming, PATIENCE)
        assert fault.happened.is_set()
        await until(lambda: is_empty(runs.direct), lambda: runs.counts)
        again = {label: count for label, count in runs.counts.items() if count > 1}
        # Only what was started before it had a number may run again.
        assert len(again) <= 1 and set(again.values()) <= {2}, again
        await runs.close()


async def is_empty(task: AioTask[Any]) -> bool:
    return (await task.stats())[:3] == (0, 0, 0)


async def register_a_dead_one(server: RedisServer, task: AioTask[Any], held: int) -> None:
    """A consumer that has fetched so many, and is never heard of again."""
    broker = RedisBroker(server.url, task.queue_name)
    answer = await broker.exchange("dead:1:1:1000", Request(0.1, register=True, last=0, want=held))
    assert len(answer.deliveries) == held
    await broker.close()


async def test_nothing_comes_in_the_name_that_redis_has_forgotten(redis_server: RedisServer) -> None:
    """The worker goes on under another name, and so does its wait."""
    with Proxy(redis_server.port) as proxy:
        runs = Runs(redis_server, proxy, "forgotten")
        keys = QueueKeys(runs.direct.queue_name)
        consuming = asyncio.ensure_future(runs.through.consume(timeout=1000))
        await until(lambda: proxy.seen.get("BLMOVE"), lambda: proxy.seen)
        redis_server.command("DEL", keys.consumers)
        await until(lambda: proxy.seen["BLMOVE"] == 2, lambda: proxy.seen)
        for label in range(20):
            await runs.direct.submit(label)
        await until(lambda: len(runs.counts) == 20, lambda: set(range(20)) - set(runs.counts))
        await until(lambda: is_empty(runs.direct), lambda: runs.counts)
        assert redis_server.command("KEYS", keys.wait("*")) == b"*0\r\n"
        assert set(runs.counts.values()) == {1}
        await runs.through.stop()
        await consuming
        await runs.close()


@pytest.mark.parametrize("ended", ["left", "forgotten"])
async def test_what_comes_in_the_name_of_one_who_is_gone_is_recovered(
    redis_server: RedisServer, ended: str
) -> None:
    """It asked, was told that it is lost, and has a blocking call open all the same."""
    runs = Runs(redis_server, None, "gone-" + ended)
    broker, other = (RedisBroker(redis_server.url, runs.direct.queue_name) for _ in range(2))
    request = Request(60.0, register=True, last=0)
    await broker.exchange("gone:1:1:1000", request)
    waiting = asyncio.ensure_future(broker.wait("gone:1:1:1000", 1000))
    await until(lambda: b"cmd=blmove" in redis_server.command("CLIENT", "LIST"), lambda: ended)
    if ended == "left":
        await other.leave("gone:1:1:1000")
    else:
        redis_server.command("DEL", broker.keys.consumers)
    assert (await broker.exchange("gone:1:1:1000", request._replace(register=False))).lost
    await runs.direct.submit(1)
    assert await waiting
    consuming = asyncio.ensure_future(runs.direct.consume())
    await until(lambda: runs.counts[1] == 1, lambda: runs.counts)
    await until(lambda: is_empty(runs.direct), lambda: runs.counts)
    await runs.direct.stop()
    await consuming
    for used in (broker, other, runs):
        await used.close()


@pytest.mark.limit(60)
@pytest.mark.parametrize("how", ["before", "after", "within", "half"])
async def test_recovery(redis_server: RedisServer, how: str) -> None:
    with Proxy(redis_server.port) as proxy:
        fault = proxy.fault = fault_at("recover", 1, how)
        runs = Runs(redis_server, proxy, "recovery-" + how)
        await runs.direct.submit_many([((label,), {}) for label in range(30)])
        await register_a_dead_one(redis_server, runs.direct, 30)
        consuming = asyncio.ensure_future(runs.through.consume())
        await until(lambda: len(runs.counts) == 30, lambda: set(range(30)) - set(runs.counts))
        await until(lambda: is_empty(runs.direct), lambda: runs.counts)
        assert fault.happened.is_set()
        assert set(runs.counts.values()) == {1}
        await runs.through.stop()
        await consuming
        await runs.close()


async def test_a_blocking_call_is_answered_after_its_consumer_has_left(redis_server: RedisServer) -> None:
    with Proxy(redis_server.port) as proxy:
        fault = proxy.fault = fault_at("BLMOVE", 1, "half")
        runs = Runs(redis_server, proxy, "left-open")
        consuming = asyncio.ensure_future(runs.through.consume(timeout=1000))
        await until(fault.happened.is_set, lambda: proxy.seen)
        await until(lambda: proxy.seen["BLMOVE"] == 2, lambda: proxy.seen)
        await runs.through.stop()
        await asyncio.wait_for(consuming, PATIENCE)
        await runs.direct.submit(1)
        assert await runs.direct.get_queue_size() == 0 and not runs.counts  # who has left has taken it
        consuming = asyncio.ensure_future(runs.direct.consume())
        await until(lambda: runs.counts[1] == 1, lambda: runs.counts)
        await until(lambda: is_empty(runs.direct), lambda: runs.counts)
        await runs.direct.stop()
        await consuming
        await runs.close()


async def test_a_wait_that_cannot_be_made_is_not_made_in_a_hurry(redis_server: RedisServer) -> None:
    """The other connections are good ones: the worker goes on, and does not spin."""
    with Proxy(redis_server.port) as proxy:
        proxy.fault = Always("BLMOVE")
        runs = Runs(redis_server, proxy, "no-wait")
        consuming = asyncio.ensure_future(runs.through.consume(timeout=1000))
        await until(lambda: proxy.seen.get("renew", 0) >= 2, lambda: proxy.seen)
        assert 2 <= proxy.seen["BLMOVE"] <= 20 and proxy.seen["exchange"] <= 20, proxy.seen
        for label in range(5):
            await runs.direct.submit(label)
        await until(lambda: len(runs.counts) == 5, lambda: runs.counts)
        await runs.through.stop()
        await consuming
        assert await is_empty(runs.direct) and set(runs.counts.values()) == {1}
        await runs.close()


class Always(Fault):
    """Resets each connection that asks for this."""

    def __init__(self, name: str) -> None:
        super().__init__("before", lambda seen, count: seen == name)
        self.happened = Never()


class Never(threading.Event):
    """It happens again and again."""

    def set(self) -> None:
        pass


class NowAndThen(Fault):
    """Resets the connection at each third look at the leases."""

    def __init__(self) -> None:
        super().__init__("after", lambda seen, count: seen == "seen" and count % 3 == 0)
        self.happened = Never()


@pytest.mark.limit(60)
async def test_recovery_while_connections_break_again_and_again(redis_server: RedisServer) -> None:
    with Proxy(redis_server.port) as proxy:
        proxy.fault = NowAndThen()
        runs = Runs(redis_server, proxy, "recovery-flapping")
        await runs.direct.submit_many([((label,), {}) for label in range(30)])
        await register_a_dead_one(redis_server, runs.direct, 30)
        consuming = asyncio.ensure_future(runs.through.consume())
        await until(lambda: len(runs.counts) == 30, lambda: proxy.seen)
        await until(lambda: is_empty(runs.direct), lambda: runs.counts)
        assert set(runs.counts.values()) == {1}
        await runs.through.stop()
        await consuming
        await runs.close()
