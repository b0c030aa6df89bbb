"""A thread that feeds a running loop: what blocks stays in the thread, what waits is a job of the pool.

    python examples/from_threads.py [LINES]

`sync_submit` may be called from any thread. While the pool is full it holds the thread, so the reader is never far
ahead of the jobs; the future that it returns is one of `concurrent.futures`, and has the result.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Iterator

from nb_aiopool import NbAioPool


def read(lines: int) -> Iterator[str]:
    """Stand for a driver that knows nothing of asyncio: a serial port, a queue of messages, a database's cursor."""
    for number in range(lines):
        time.sleep(0.001)
        yield f"line {number}"


async def send(line: str) -> int:
    """One job: tell somebody far away."""
    await asyncio.sleep(0.01)
    return len(line)


def feed(pool: NbAioPool, lines: int, loop: asyncio.AbstractEventLoop) -> int:
    """Be the thread: read, submit, and look after the results in the end."""
    futures = []
    for line in read(lines):
        futures.append(pool.sync_submit(send(line), loop=loop))
        if len(futures) == 1:
            print(f"the first result is {futures[0].result()}; the thread may wait for it, the loop goes on")
    return sum(future.result() for future in futures)


async def main(lines: int) -> None:
    loop = asyncio.get_running_loop()
    pool = NbAioPool(max_concurrency=5, max_queue_size=10)
    feeding = loop.run_in_executor(None, feed, pool, lines, loop)
    most = 0
    while not feeding.done():  # the loop is free for whatever else there is
        most = max(most, pool.running + pool.queued)
        await asyncio.sleep(0.002)
    print(f"{lines} lines, {await feeding} characters, at most {most} jobs at once")
    await pool.shutdown()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="A thread that feeds a running loop.", prog="from_threads.py"
    )
    parser.add_argument("lines", type=int, nargs="?", default=100, help="how many lines")
    options = parser.parse_args()
    asyncio.run(main(options.lines))
