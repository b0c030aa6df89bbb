"""The ways in: what one job costs when many go through."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Callable, List, Optional

from benchmarks import clock, jobs
from benchmarks.rivals import Job, Limits, Rival
from benchmarks.workloads import Metric, Outcome, Run, Workload

WARM_UP = 2000
BATCH = 1000


def per_job(shape: str, job: Job, limits: Optional[Limits] = None) -> Callable[[Rival, int, Run], Outcome]:
    """Measure the nanoseconds for a job, after a run that is not counted."""
    limits = limits or Limits()

    def measure(rival: Rival, count: int, run: Run) -> Outcome:
        work = getattr(rival, shape)

        async def timed() -> float:
            await work(limits, job, items(min(count, WARM_UP)))
            begin = clock.now()
            await work(limits, job, items(count))
            return clock.now() - begin

        return {"time": run(timed()) / count * 1e9}

    def items(count: int) -> Any:
        return batches(count) if shape == "batch" else range(count)

    return measure


def batches(count: int) -> List[range]:
    return [range(begin, min(begin + BATCH, count)) for begin in range(0, count, BATCH)]


def sleeps(rival: Rival, count: int, run: Run) -> Outcome:
    """Measure the time, and the CPU time of it, for a job that waits, while a thousand of them wait."""
    limits = Limits(1000, 1000)

    async def timed() -> Outcome:
        await rival.submit(limits, jobs.sleep_5ms, range(min(count, WARM_UP)))
        begin, begin_cpu = time.perf_counter(), clock.now()
        await rival.submit(limits, jobs.sleep_5ms, range(count))
        return {
            "time": (time.perf_counter() - begin) / count * 1e9,
            "cpu": (clock.now() - begin_cpu) / count * 1e9,
        }

    result: Outcome = run(timed())
    return result


def steps(_rival: Rival, count: int, run: Run) -> Outcome:
    """Measure the nanoseconds for one step of a task while a hundred take turns."""
    tasks = Limits().running

    async def walk() -> None:
        for _ in range(count // tasks):
            await asyncio.sleep(0)

    async def timed() -> float:
        walkers = [asyncio.ensure_future(walk()) for _ in range(tasks)]
        await asyncio.sleep(0)
        begin = clock.now()
        await asyncio.gather(*walkers)
        return clock.now() - begin

    return {"time": run(timed()) / count * 1e9}


def flow(name: str, title: str, shape: str, job: Job, count: int) -> Workload:
    reference = ("await/" + job.__name__, "bare")
    metric = Metric("time", "ns", None if shape == "bare_await" else reference)
    return Workload(f"{name}/{job.__name__}", title, per_job(shape, job), (metric,), count, 300, shape)


WORKLOADS = [
    flow("await", "await, job does not suspend", "bare_await", jobs.value, 100_000),
    flow("await", "await, job does sleep(0)", "bare_await", jobs.sleep0, 50_000),
    Workload(
        "step", "one step of a task, of 100", steps, (Metric("time", "ns"),), 100_000, 300, "bare_await"
    ),
    flow("submit", "submit, job does not suspend", "submit", jobs.value, 100_000),
    flow("submit", "submit, job does sleep(0)", "submit", jobs.sleep0, 50_000),
    flow("run", "run, job does not suspend", "run", jobs.value, 50_000),
    flow("run", "run, job does sleep(0)", "run", jobs.sleep0, 25_000),
    flow("submit-await", "submit and await, job does not suspend", "submit_await", jobs.value, 25_000),
    flow("submit-await", "submit and await, job does sleep(0)", "submit_await", jobs.sleep0, 25_000),
    flow("batch", "batches of 1,000, job does not suspend", "batch", jobs.value, 100_000),
    flow("batch", "batches of 1,000, job does sleep(0)", "batch", jobs.sleep0, 50_000),
    flow(
        "map-unordered",
        "unordered map, job does not suspend",
        "map_unordered",
        jobs.value,
        100_000,
    ),
    flow(
        "map-unordered",
        "unordered map, job does sleep(0)",
        "map_unordered",
        jobs.sleep0,
        100_000,
    ),
    flow("map-ordered", "ordered map, job does not suspend", "map_ordered", jobs.value, 100_000),
    flow("map-ordered", "ordered map, job does sleep(0)", "map_ordered", jobs.sleep0, 100_000),
    Workload(
        "sleeps",
        "5 ms sleeps, limit 1,000",
        sleeps,
        (Metric("time", "ns", ("sleeps", "workers")), Metric("cpu", "ns", ("sleeps", "workers"))),
        20_000,
        300,
        "submit",
        limited=True,
    ),
]
