"""What Redis and Python allow: a list, and a bare script that acknowledges and fetches in one call.

It keeps the payloads that are in flight in a hash, as a queue that loses nothing has to, but nobody would ever look
there: no lease, no recovery, no retries, no errors caught, no shutdown. Concurrent submits of a turn of the loop share
one RPUSH. It is what the others can be compared with, and nothing to use.
"""

from __future__ import annotations

import asyncio
import collections
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Deque, List, Optional, Set, Tuple

from redis.asyncio import Redis

if TYPE_CHECKING:
    from benchmarks.queue.jobs import Job

REQUIREMENT = ""
SETTINGS = "no queue, only what Redis and Python allow: one script acknowledges and fetches; nothing is ever recovered"
SPEED = {"drain": 60_000, "submit": 12_000, "gather": 60_000, "bulk": 400_000}

LIST, IN_FLIGHT, TOKENS = KEYS = ("ceiling:list", "ceiling:in-flight", "ceiling:tokens")
READ_AHEAD = 10  # one task for so many slots
SCRIPT = Path(__file__).with_suffix(".lua")


class Queue:
    def __init__(self, url: str, job: Job, running: int) -> None:
        self._redis: Any = Redis.from_url(url)
        self._job = job
        self._running = running
        self._waiting: List[bytes] = []  # for the next RPUSH

    async def open(self) -> None:
        await self._redis.ping()

    async def submit(self, item: int) -> None:
        if not self._waiting:
            self._push: asyncio.Future[None] = asyncio.ensure_future(self._push_waiting())
        self._waiting.append(self._payload(item))
        await self._push

    async def _push_waiting(self) -> None:
        payloads, self._waiting = self._waiting, []
        await self._redis.rpush(LIST, *payloads)

    async def submit_many(self, items: List[int]) -> None:
        await self._redis.rpush(LIST, *[self._payload(item) for item in items])

    def _payload(self, item: int) -> bytes:
        return pickle.dumps({"args": (item,), "kwargs": {}})

    async def close(self) -> None:
        await self._redis.connection_pool.disconnect()

    def work(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        script = self._redis.register_script(SCRIPT.read_text(encoding="utf-8"))
        fetched: Deque[Tuple[bytes, bytes]] = collections.deque()  # what has no slot yet
        running: Set[asyncio.Task[None]] = set()
        ended: List[bytes] = []
        one_ended = asyncio.Event()
        ahead = self._running // READ_AHEAD

        async def task(token: bytes, payload: bytes) -> None:
            call = pickle.loads(payload)
            await self._job(*call["args"], **call["kwargs"])
            ended.append(token)
            one_ended.set()

        def start_next(done: Optional[asyncio.Task[None]] = None) -> None:
            if done is not None:
                running.discard(done)
            if fetched:
                started = asyncio.create_task(task(*fetched.popleft()))
                running.add(started)
                started.add_done_callback(start_next)

        while True:
            acknowledged = len(ended)
            room = self._running + ahead - len(running) - len(fetched)
            answer = await script(keys=KEYS, args=[room, *ended])
            del ended[:acknowledged]
            fetched.extend(zip(answer[::2], answer[1::2]))
            while fetched and len(running) < self._running:
                start_next()
            if not running and not ended:
                await self._redis.blmove(LIST, LIST, 0, "LEFT", "LEFT")  # waits, and takes nothing
            while running and (not ended or len(fetched) > ahead // 2):
                one_ended.clear()
                await one_ended.wait()
