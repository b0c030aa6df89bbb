"""The loop goes on: how late a timer is beside a flood of jobs that never suspend."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import List

from benchmarks import jobs
from benchmarks.rivals import Limits, Rival
from benchmarks.workloads import Metric, Outcome, Run, Workload

LIMITS = Limits(100, 100_000)
PAUSE = 0.001


def lateness(rival: Rival, count: int, run: Run) -> Outcome:
    """Measure by how many milliseconds each sleep beside the flood was too long."""
    late: List[float] = []

    async def clock() -> None:
        while True:
            due = time.perf_counter() + PAUSE
            await asyncio.sleep(PAUSE)
            late.append((time.perf_counter() - due) * 1e3)

    async def flood() -> None:
        ticking = asyncio.ensure_future(clock())
        await asyncio.sleep(10 * PAUSE)
        late.clear()
        await rival.submit(LIMITS, jobs.value, range(count))
        await asyncio.sleep(2 * PAUSE)  # the last sleep may have begun in the flood
        ticking.cancel()
        await asyncio.wait([ticking])

    run(flood())
    late.sort()
    return {
        "median": statistics.median(late),
        "p99": late[min(int(len(late) * 0.99), len(late) - 1)],
        "worst": late[-1],
    }


WORKLOADS = [
    Workload(
        "timer",
        "lateness of a timer beside a flood",
        lateness,
        (Metric("median", "ms"), Metric("p99", "ms"), Metric("worst", "ms")),
        500_000,
        2000,
        "submit",
        limited=True,
        queues=("bounded",),
    ),
]
