"""One sample of submit_and_run.py: prints the nanoseconds for a job.

Arguments: mode, job, number of jobs, package.
The package is checked, so that a comparison of a package with itself cannot go unnoticed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any, Callable

from nb_aiopool import NbAioPool

MAX_CONCURRENCY = 100
MAX_QUEUE_SIZE = 1000


async def value() -> int:
    return 1


async def sleep() -> int:
    await asyncio.sleep(0)
    return 1


async def submit(pool: Any, job: Callable[[], Any], jobs: int) -> None:
    for _ in range(jobs):
        await pool.submit(job())


async def run(pool: Any, job: Callable[[], Any], jobs: int) -> None:
    for _ in range(jobs):
        await pool.run(job())


async def bare_await(pool: Any, job: Callable[[], Any], jobs: int) -> None:  # noqa: ARG001 - one signature for all
    for _ in range(jobs):
        await job()


MODES = {"submit": submit, "run": run, "await": bare_await}
JOBS = {"value": value, "sleep": sleep}


async def timed(mode: str, job: str, jobs: int) -> float:
    pool = NbAioPool(MAX_CONCURRENCY, MAX_QUEUE_SIZE)
    if mode != "await":
        await MODES[mode](pool, JOBS[job], min(jobs, 2000))  # the original starts its workers here
    begin = time.perf_counter()
    await MODES[mode](pool, JOBS[job], jobs)
    if mode != "await":
        await pool.shutdown()  # the jobs that are still queued belong to the measured time
    return (time.perf_counter() - begin) / jobs * 1e9


def main() -> None:
    mode, job, jobs, package = sys.argv[1:]
    found = "native" if hasattr(NbAioPool, "submit_nowait") else "original"
    if found != package:
        sys.exit(f"this interpreter finds the {found} package, not the {package} one")
    print(asyncio.run(timed(mode, job, int(jobs))))


if __name__ == "__main__":
    main()
