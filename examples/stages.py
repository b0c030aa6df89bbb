"""Chained producers and consumers: several producers, two stages with limits of their own, several consumers.

    python examples/stages.py [ITEMS]

Nobody is far ahead of anybody: the queue between the producers and the first stage has a bound, a pool has one, and the
stage that is slow makes all before it wait.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Dict, List

from nb_aiopool import NbAioPool

PRODUCERS = 3
END = -1
Queue = asyncio.Queue  # subscripted in annotations only: 3.8 cannot at run time


class Line:
    """From the producers to the store: read, resize, upload. The numbers tell how far apart they have been."""

    def __init__(self) -> None:
        self.reading = NbAioPool(max_concurrency=8, max_queue_size=8)
        self.uploading = NbAioPool(max_concurrency=2, max_queue_size=4)
        self.produced = 0
        self.most_in_flight = 0
        self.stored: Dict[int, int] = {}

    async def produce(self, queue: Queue[int], numbers: range) -> None:
        """Be one of the producers: put() waits while the queue is full."""
        for number in numbers:
            await queue.put(number)
            self.produced += 1
            self.most_in_flight = max(self.most_in_flight, self.produced - len(self.stored))

    async def consume(self, queue: Queue[int]) -> None:
        """Take what has been produced, and give it to the first stage; submit() waits while that is full."""
        while True:
            number = await queue.get()
            if number == END:
                return
            await self.reading.submit(self.read(number))

    async def read(self, number: int) -> None:
        """Be a job of the first stage: it ends when the second stage has taken its result."""
        await asyncio.sleep(0.0005)
        await self.uploading.submit(self.upload(number, number * number))

    async def upload(self, number: int, result: int) -> None:
        """Be a job of the second stage, the slow one."""
        await asyncio.sleep(0.001)
        self.stored[number] = result


async def main(items: int) -> None:
    line = Line()
    queue: Queue[int] = asyncio.Queue(maxsize=10)
    consumer = asyncio.ensure_future(line.consume(queue))
    producers: List[asyncio.Future[None]] = [
        asyncio.ensure_future(line.produce(queue, range(first, items, PRODUCERS)))
        for first in range(PRODUCERS)
    ]
    await asyncio.gather(*producers)
    await queue.put(END)
    await consumer
    await line.reading.shutdown()  # from the front to the back: what is in a stage goes on into the next one
    await line.uploading.shutdown()
    print(f"{len(line.stored)} stored, their sum is {sum(line.stored.values())}")
    print(f"at most {line.most_in_flight} of {items} were under way at once")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Chained producers and consumers.", prog="stages.py")
    parser.add_argument("items", type=int, nargs="?", default=500, help="how many items")
    options = parser.parse_args()
    asyncio.run(main(options.items))
