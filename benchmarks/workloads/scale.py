"""Sizes: what a job costs as the queue and the limits grow, and what the first job of a large pool costs."""

from __future__ import annotations

import asyncio
from typing import Any, Iterator

from benchmarks import clock, jobs
from benchmarks.rivals import Job, Limits, Rival
from benchmarks.workloads import Metric, Outcome, Run, Workload
from benchmarks.workloads.flow import per_job

NS = (Metric("time", "ns"),)
FIRST = Limits(100_000, 1_000_000)
FIRST_SECONDS = 1.0


def first_job(rival: Rival, count: int, run: Run) -> Outcome:
    """Measure from the making of a pool to the result of its first job: the mean of the pools of a second."""

    async def timed() -> float:
        spent, pools = 0.0, 0
        while pools < count and spent < FIRST_SECONDS:
            begin = clock.now()
            close = await rival.first(FIRST, jobs.value)
            spent += clock.now() - begin
            await close()
            pools += 1
        return spent / pools

    return {"time": run(timed()) * 1e6}


class Gate:
    """Holds up the first jobs until the producer has delivered the last item: by then everything else waits."""

    def __init__(self, running: int, count: int) -> None:
        self._running = running
        self._count = count
        self._open = asyncio.Event()

    async def job(self, item: int) -> int:
        if item < self._running:
            await self._open.wait()
        return item

    def items(self) -> Iterator[int]:
        for item in range(self._count):
            if item == self._count - 1:
                self.at_last()
                self._open.set()
            yield item

    def at_last(self) -> None:
        """Do what there is to do when all the others wait."""


def full_queue(waiting: int) -> Any:
    """Measure a job when so many are let in first, and then run."""
    limits = Limits(100, waiting)

    def measure(rival: Rival, count: int, run: Run) -> Outcome:
        each = min(sum(limits), count)

        async def timed() -> float:
            begin = clock.now()
            for _ in range(max(count // each, 1)):
                gate = Gate(limits.running, each)
                await rival.submit(limits, gate.job, gate.items())
            return (clock.now() - begin) / (max(count // each, 1) * each)

        return {"time": run(timed()) * 1e9}

    return measure


def queue_size(waiting: int) -> Workload:
    return Workload(
        f"queue-size/{waiting}",
        f"submit to a queue with room for {waiting:,}",
        per_job("submit", jobs.value, Limits(100, waiting)),
        NS,
        200_000,
        300,
        "submit",
        queues=("bounded",),
    )


def queue_full(waiting: int) -> Workload:
    return Workload(
        f"queue-full/{waiting}",
        f"let {waiting:,} wait, then run them",
        full_queue(waiting),
        NS,
        max(100_000, waiting + 100),
        300,
        "submit",
        queues=("bounded",),
        whole=True,
        most_rounds=3 if waiting > 100_000 else 1000,
    )


def limit(running: int, job: Job) -> Workload:
    return Workload(
        f"limit/{job.__name__}/{running}",
        f"limit {running:,}, {'job does sleep(0)' if job is jobs.sleep0 else 'job does not suspend'}",
        per_job("submit", job, Limits(running, 1000)),
        NS,
        200_000,
        300,
        "submit",
        limited=True,
        queues=("bounded", "unbounded"),
    )


WORKLOADS = [
    Workload(
        "first-job",
        "first job of a pool(100_000, 1_000_000)",
        first_job,
        (Metric("time", "us"),),
        1000,
        2,
        "first",
        whole=True,
    ),
    *(queue_size(waiting) for waiting in (1000, 10_000, 100_000, 1_000_000)),
    *(queue_full(waiting) for waiting in (1000, 10_000, 100_000, 1_000_000)),
    *(limit(running, jobs.value) for running in (10, 100, 1000, 10_000, 100_000)),
    *(limit(running, jobs.sleep0) for running in (10, 100, 1000, 10_000, 100_000)),
]
