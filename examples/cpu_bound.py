"""CPU-bound work inside the jobs of a pool: the loop waits for pages, the processes count in them.

    python examples/cpu_bound.py [PAGES]

A job that computed would hold up every other one. So each hands its page to a pool of processes, and while it waits for
the answer the loop goes on with the other jobs; the pool's limit bounds how many pages are in memory at once.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Tuple

from nb_aiopool import NbAioPool


def primes_below(limit: int) -> int:
    """Count primes, the slow way: this is what takes the processor's time."""
    return sum(
        all(number % divisor for divisor in range(2, int(number**0.5) + 1)) for number in range(2, limit)
    )


async def fetch(page: int) -> int:
    """Wait for a page, as for a server."""
    await asyncio.sleep(0.02)
    return 1000 + page % 10 * 100


async def handle(page: int, processes: ProcessPoolExecutor) -> Tuple[int, int]:
    """One job: fetch a page here, compute elsewhere."""
    limit = await fetch(page)
    return page, await asyncio.get_running_loop().run_in_executor(processes, primes_below, limit)


async def watch() -> None:
    """Show that the loop stays free: print the longest time that it has not answered."""
    worst, last = 0.0, time.perf_counter()
    try:
        while True:
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            worst, last = max(worst, now - last), now
    finally:
        print(f"the loop was never away for longer than {worst * 1e3:.0f} ms")


async def main(pages: int) -> None:
    watcher = asyncio.ensure_future(watch())
    # New processes, not forked ones: a fork would take a copy of the busy loop along.
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        async with NbAioPool(max_concurrency=10, max_queue_size=20) as pool:
            results = await pool.map(lambda page: handle(page, processes), range(pages)).collect()
    watcher.cancel()
    await asyncio.wait([watcher])
    print(f"{len(results)} pages, {sum(primes for _, primes in results)} primes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Work for the processor inside jobs.", prog="cpu_bound.py")
    parser.add_argument("pages", type=int, nargs="?", default=100, help="how many pages")
    options = parser.parse_args()
    asyncio.run(main(options.pages))
