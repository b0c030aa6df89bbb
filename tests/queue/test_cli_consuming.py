"""How one event loop of the command tries its servers before it consumes their queues."""

from __future__ import annotations

import asyncio
from typing import List

import pytest

from nb_aiopool.contrib.nb_aio_task import BrokerError, aio_task
from nb_aiopool.contrib.nb_aio_task.cli import consuming
from nb_aiopool.contrib.nb_aio_task.cli.consuming import Consuming
from nb_aiopool.contrib.nb_aio_task.cli.signals import STOP
from support import turns

URLS = ["redis://first.invalid", "redis://second.invalid"]


class Servers:
    """Servers that hang, or refuse; nothing but their `size` is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusing: str = "") -> None:
        self.asked: List[str] = []
        self.closed: List[str] = []
        self._refusing = refusing
        monkeypatch.setattr(consuming, "broker_for", lambda url, _queue: Server(self, url))
        monkeypatch.setattr(consuming, "_PATIENCE", 1e6)

    async def size(self, url: str) -> int:
        self.asked.append(url)
        if url == self._refusing:
            raise BrokerError("the password is wrong")
        await asyncio.get_running_loop().create_future()
        return 0


class Server:
    def __init__(self, servers: Servers, url: str) -> None:
        self._servers = servers
        self._url = url

    async def size(self) -> int:
        return await self._servers.size(self._url)

    async def close(self) -> None:
        self._servers.closed.append(self._url)


def made() -> Consuming:
    async def f() -> None: ...

    tasks = [aio_task("q", redis_url=url)(f) for url in URLS]
    return Consuming(tasks, burst=False, concurrency=None, held=lambda: False)


async def test_servers_are_tried_side_by_side_and_a_stop_waits_for_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = Servers(monkeypatch)
    one = made()
    running = asyncio.ensure_future(one.run())
    await turns(5)
    assert servers.asked == URLS
    one.obey(STOP)
    await running
    assert sorted(servers.closed) == URLS


async def test_one_that_refuses_is_not_kept_from_saying_so_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = Servers(monkeypatch, refusing=URLS[1])
    with pytest.raises(BrokerError, match="the password is wrong"):
        await made().run()
    assert sorted(servers.closed) == URLS
