"""Pushes many small jobs through a small pool, and shows throughput, memory and the accounting as it goes.

    python examples/quickstart.py [--jobs N] [--concurrency N] [--queue N] [--every SECONDS]

Of every thousand jobs one fails and one is cancelled. The exit status is 0 if each one is accounted for.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from typing import List, Optional

from memory import megabytes

from nb_aiopool import NbAioPool

FAILS = 999  # the job with this number in every thousand raises an exception
CANCELLED = 500  # ... and the one with this number is cancelled before it can start


async def work(number: int) -> int:
    """One job: gives way once, as a real one would while it waits for a reply."""
    await asyncio.sleep(0)
    if number % 1000 == FAILS:
        raise LookupError(f"nothing is known about {number}")
    return number


class Results:
    """What comes out: each future hands its outcome over as it ends, and none is kept."""

    def __init__(self) -> None:
        self.total = 0
        self.failed = 0
        self.cancelled = 0

    def take(self, job: asyncio.Future[int]) -> None:
        if job.cancelled():
            self.cancelled += 1
        elif job.exception() is not None:
            self.failed += 1
        else:
            self.total += job.result()


class Display:
    """One line that is written over and over on a terminal, a line now and then anywhere else."""

    def __init__(self, pool: NbAioPool, interval: Optional[float]) -> None:
        self.pool = pool
        self.live = sys.stdout.isatty()
        self.interval = interval if interval is not None else 0.1 if self.live else 1.0
        self.begin = self.shown = time.perf_counter()
        self.seen = 0

    async def refresh(self) -> None:
        while True:
            await asyncio.sleep(self.interval)
            self.show()

    def show(self) -> None:
        now, stats = time.perf_counter(), self.pool.stats()
        ended = stats.succeeded + stats.failed + stats.cancelled
        rate = (ended - self.seen) / max(now - self.shown, 1e-9)
        self.shown, self.seen = now, ended
        line = (
            f"{now - self.begin:5.1f} s  {rate:9,.0f} jobs/s  {megabytes()}  {stats.submitted:,} submitted"
            f" = {ended:,} ended + {stats.queued:,} queued + {stats.running:,} running"
        )
        if self.live:
            fitting = line[
                : shutil.get_terminal_size().columns - 1
            ]  # a line that wraps cannot be written over
            print(f"\r\x1b[2K{fitting}", end="", flush=True)
        else:
            print(line, flush=True)

    def close(self) -> None:
        if self.live:
            print("\r\x1b[2K", end="")


async def push(jobs: int, concurrency: int, queue: int, interval: Optional[float]) -> bool:
    """Run the jobs, print the summary, and tell whether every job was accounted for."""
    results = Results()
    async with NbAioPool(concurrency, queue) as pool:
        display = Display(pool, interval)
        refresher = asyncio.ensure_future(display.refresh())
        for number in range(jobs):
            job = await pool.submit(work(number))  # waits while the queue is full: memory stays where it is
            job.add_done_callback(results.take)
            if number % 1000 == CANCELLED:
                job.cancel()
        await pool.join()
        seconds = time.perf_counter() - display.begin
        refresher.cancel()
    display.close()

    stats = pool.stats()
    print(f"{jobs:,} jobs in {seconds:.2f} s: {jobs / seconds:,.0f} jobs/s, {megabytes()}")
    print(
        f"submitted {stats.submitted:,} = succeeded {stats.succeeded:,} + failed {stats.failed:,} "
        f"+ cancelled {stats.cancelled:,} + queued {stats.queued} + running {stats.running}"
    )
    wrong = list(differences(jobs, results, stats))
    print("\n".join(wrong) if wrong else "every job is accounted for")
    return not wrong


def differences(jobs: int, results: Results, stats: object) -> List[str]:
    """Where the pool's accounting, the outcomes that came back, and what was sent in disagree."""
    fails, cancelled = range(FAILS, jobs, 1000), range(CANCELLED, jobs, 1000)
    expected = {
        "submitted": (jobs, jobs),
        "succeeded": (jobs - len(fails) - len(cancelled), jobs - results.failed - results.cancelled),
        "failed": (len(fails), results.failed),
        "cancelled": (len(cancelled), results.cancelled),
        "queued": (0, 0),
        "running": (0, 0),
    }
    wrong = [
        f"{name}: {sent} expected, {came} came back, the pool counted {getattr(stats, name)}"
        for name, (sent, came) in expected.items()
        if not sent == came == getattr(stats, name)
    ]
    total = sum(range(jobs)) - sum(fails) - sum(cancelled)
    if results.total != total:
        wrong.append(f"results: they add up to {results.total}, not to {total}")
    return wrong


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Push many small jobs through a small pool.")
    parser.add_argument("--jobs", type=positive, default=500_000, help="how many (default: 500000)")
    parser.add_argument("--concurrency", type=positive, default=100, help="how many at once (default: 100)")
    parser.add_argument("--queue", type=positive, default=1000, help="how many may wait (default: 1000)")
    parser.add_argument("--every", type=float, help="seconds between two looks (default: 0.1 or 1)")
    options = parser.parse_args(arguments)
    done = asyncio.run(push(options.jobs, options.concurrency, options.queue, options.every))
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
