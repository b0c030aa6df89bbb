"""A producer process of a sample.

    python -m benchmarks.queue.producer RIVAL URL WAY COUNT

Submits so many tasks in one of the ways below, and prints in how many seconds, and how many of CPU time.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any, Iterator, List, Tuple

from benchmarks.queue import rivals
from benchmarks.queue.jobs import never

AT_ONCE = 100
BULK = 1000
WARM_UP = 100
PER_SECOND = 200


async def one_by_one(queue: Any, count: int) -> None:
    for item in range(count):
        await queue.submit(item)


async def gathered(queue: Any, count: int) -> None:
    for items in portions(count, AT_ONCE):
        await asyncio.gather(*(queue.submit(item) for item in items))


async def in_bulk(queue: Any, count: int) -> None:
    for items in portions(count, BULK):
        await queue.submit_many(items)


async def somehow(queue: Any, count: int) -> None:
    """Only fill the queue, for others to drain."""
    await (in_bulk if hasattr(queue, "submit_many") else gathered)(queue, count)


async def paced(queue: Any, count: int) -> None:
    """Submit the time, so many times in a second."""
    begin = time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(begin + number / PER_SECOND - time.monotonic(), 0))
        await queue.submit(time.monotonic_ns())


WAYS = {function.__name__: function for function in (one_by_one, gathered, in_bulk, somehow, paced)}
TIMED = (one_by_one, gathered, in_bulk)


def portions(count: int, size: int) -> Iterator[List[int]]:
    for begin in range(0, count, size):
        yield list(range(begin, min(begin + size, count)))


async def produce(rival: rivals.Rival, url: str, way: str, count: int) -> Tuple[float, float]:
    queue = rival.Queue(url, never, rivals.RUNNING)
    await queue.open()
    try:
        submit = WAYS[way]
        if submit in TIMED:
            await submit(queue, min(count, WARM_UP))
        begin, cpu = time.perf_counter(), time.process_time()
        await submit(queue, count)
        return time.perf_counter() - begin, time.process_time() - cpu
    finally:
        await queue.close()


def main() -> None:
    name, url, way, count = sys.argv[1:]
    print(*asyncio.run(produce(rivals.load(name), url, way, int(count))))


if __name__ == "__main__":
    main()
