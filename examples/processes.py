"""Several processes, each with a loop and a pool of its own: for more I/O than one processor can take.

    python examples/processes.py [ITEMS [PROCESSES]]

The items are dealt out in pieces. Each process runs its piece through a pool, and what they find is put together here;
a counter in shared memory, behind its lock, shows how far all of them are.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Counter, Iterable

from nb_aiopool import NbAioPool

PIECE = 50
progress: Any = None  # set in each process


def begin(counter: Any) -> None:
    """Keep what the processes share; it can be handed over only when they are made."""
    global progress  # noqa: PLW0603
    progress = counter


async def count_words(item: int) -> Counter[str]:
    """One job: wait for a document, and look at it."""
    await asyncio.sleep(0.005)
    return Counter(f"all numbers are numbers and {item % 3} is one".split())


async def count_all(items: Iterable[int]) -> Counter[str]:
    total: Counter[str] = Counter()
    async with NbAioPool(max_concurrency=20) as pool:
        async for words in pool.map(count_words, items, ordered=False):
            total.update(words)
            with progress.get_lock():
                progress.value += 1
    return total


def work(items: Iterable[int]) -> Counter[str]:
    """Be one piece of work in one of the processes: a loop for it, and in it a pool."""
    return asyncio.run(count_all(items))


def main(items: int, processes: int) -> None:
    context = multiprocessing.get_context("spawn")
    counter = context.Value("i", 0)
    pieces = [range(first, min(first + PIECE, items)) for first in range(0, items, PIECE)]
    total: Counter[str] = Counter()
    with ProcessPoolExecutor(processes, context, initializer=begin, initargs=(counter,)) as workers:
        for words in workers.map(work, pieces):
            total.update(words)
    print(f"{counter.value} of {items} documents in {len(pieces)} pieces by {processes} processes")
    print(", ".join(f"{word}: {times}" for word, times in sorted(total.items())))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Several processes with a pool each.", prog="processes.py")
    parser.add_argument("items", type=int, nargs="?", default=400, help="how many documents")
    parser.add_argument("processes", type=int, nargs="?", default=2, help="how many processes")
    options = parser.parse_args()
    main(options.items, options.processes)
