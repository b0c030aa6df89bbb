"""A consumer of messages in Redis, with backpressure: it takes a message when there is room for it, and no earlier.

    python examples/redis_consumer.py [--url redis://localhost:6379/0] [--messages N]

While a message is worked on it is in a second list, and is taken out of that when it is done. So what a consumer that
dies had taken is not lost: the next one to start puts it back. Stops when it has been idle for a second.

Needs redis: python -m pip install ".[examples]", and a server.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Optional

from redis.asyncio import Redis

from nb_aiopool import NbAioPool

WAITING = "example:messages"
TAKEN = "example:taken"


class Consumer:
    """Moves messages from one list to another, works on them, and takes them out of that."""

    def __init__(self, redis: Redis, concurrency: int) -> None:
        self.redis = redis
        # A short queue: what waits in Redis can be taken by other consumers, what waits here cannot.
        self.pool = NbAioPool(max_concurrency=concurrency, max_queue_size=1)
        self.handled = 0
        self.most_taken = 0

    async def recover(self) -> int:
        """Put back what a consumer had taken that is no more. Only one consumer may be running while it does that."""
        count = 0
        while await self.redis.lmove(TAKEN, WAITING, "LEFT", "RIGHT"):
            count += 1
        return count

    async def run(self) -> None:
        """Consume until nothing comes for a second."""
        async with self.pool:
            while True:
                message: Optional[bytes] = await self.redis.blmove(WAITING, TAKEN, 1, "RIGHT", "LEFT")
                if message is None:
                    return
                await self.pool.submit(self.job(message))  # waits here while the pool is full

    async def job(self, message: bytes) -> None:
        self.most_taken = max(self.most_taken, await self.redis.llen(TAKEN))
        await self.handle(message)
        await self.redis.lrem(TAKEN, 1, message)  # type: ignore[arg-type]  # bytes will do

    async def handle(self, message: bytes) -> None:  # noqa: ARG002 - whatever it says
        """Do the work; if it raises, the message stays in the second list."""
        await asyncio.sleep(0.002)
        self.handled += 1


async def main(url: str, messages: int, concurrency: int) -> None:
    # Every job may want a connection at the same time.
    async with Redis.from_url(url, max_connections=concurrency + 4) as redis:
        await redis.delete(WAITING, TAKEN)
        await redis.lpush(TAKEN, "left behind by a consumer that has died")
        for number in range(messages):
            await redis.lpush(WAITING, f"message {number}")
        consumer = Consumer(redis, concurrency)
        print(f"{await consumer.recover()} put back")
        await consumer.run()
        print(f"{consumer.handled} handled, at most {consumer.most_taken} taken at once")
        print(f"{await redis.llen(WAITING)} waiting, {await redis.llen(TAKEN)} taken")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Consume messages from Redis.", prog="redis_consumer.py")
    parser.add_argument("--url", default="redis://localhost:6379/0", help="of the server")
    parser.add_argument("--messages", type=int, default=500, help="how many to put there first")
    parser.add_argument("--concurrency", type=int, default=20, help="how many to work on at once")
    options = parser.parse_args()
    asyncio.run(main(options.url, options.messages, options.concurrency))
