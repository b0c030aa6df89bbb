"""Memory: a million jobs with large arguments, what is left of them, and what a job takes that waits."""

from __future__ import annotations

import array
import asyncio
import gc
import time
from typing import Iterator, List, Tuple

from benchmarks import resident
from benchmarks.rivals import Limits, Rival
from benchmarks.workloads import Metric, Outcome, Run, Workload
from benchmarks.workloads.scale import Gate

LIMITS = Limits(1000, 10_000)
SAMPLES = 200
PAUSE = 0.1
MEGABYTE = 1e6


async def clean(argument: str) -> str:
    """Be the job of the scenario with which the original's documentation explains what a pool is for."""
    await asyncio.sleep(0.005)
    return f"result_{'x' * 200}_{len(argument)}"


class Curve:
    """The resident memory over the run. Kept in arrays: small objects would hold the arenas that they are made in."""

    def __init__(self) -> None:
        self._seconds, self._sizes = array.array("d"), array.array("d")
        self._begin = time.perf_counter()

    def note(self) -> None:
        self._seconds.append(time.perf_counter() - self._begin)
        self._sizes.append(resident.resident() / MEGABYTE)

    def points(self) -> List[Tuple[float, float]]:
        return list(zip(self._seconds, self._sizes))

    async def watch(self) -> None:
        """Note it now and then, for those who have drawn all arguments long before the last job is done."""
        while True:
            await asyncio.sleep(PAUSE)
            self.note()


def arguments(count: int, curve: Curve) -> Iterator[str]:
    """Make the arguments, of 400 bytes and more, one by one, and note the memory now and then."""
    every = max(count // SAMPLES, 1)
    for number in range(count):
        if number % every == 0:
            curve.note()
        yield f"{'task' * 100}_{number}"


async def settled() -> float:
    """Return the resident memory when the loop, too, has let go of what is done."""
    await asyncio.sleep(0.01)
    gc.collect()
    return resident.resident()


def million(rival: Rival, count: int, run: Run) -> Outcome:
    """Sample the resident memory over the run, and look at what is left when all jobs are done."""

    async def scenario() -> Outcome:
        await rival.submit(LIMITS, clean, arguments(min(count, 2000), Curve()))
        before = await settled()
        curve = Curve()
        watching = asyncio.ensure_future(curve.watch())
        try:
            await rival.submit(LIMITS, clean, arguments(count, curve))
        finally:
            watching.cancel()
        curve.note()
        left = await settled() - before
        curve.note()
        peak = resident.most_resident(max(size for _, size in curve.points()) * MEGABYTE)
        return {"peak": peak / MEGABYTE, "left": left / MEGABYTE, "series": curve.points()}

    result: Outcome = run(scenario())
    return result


class Census(Gate):
    """Takes the resident memory when nothing waits yet, and when all do."""

    first = 0.0
    last = 0.0

    def items(self) -> Iterator[int]:
        self.first = resident.resident()
        yield from super().items()

    def at_last(self) -> None:
        self.last = resident.resident()


def waiting_job(rival: Rival, count: int, run: Run) -> Outcome:
    """Measure the bytes of a job that waits, its coroutine included."""

    async def timed() -> float:
        census = Census(1, count)
        await rival.submit(Limits(1, count), census.job, census.items())
        return (census.last - census.first) / count

    return {"bytes": run(timed())}


WORKLOADS = [
    Workload(
        "memory",
        "a million jobs with arguments of 400 bytes",
        million,
        (Metric("peak", "MB"), Metric("left", "MB")),
        1_000_000,
        2000,
        "submit",
        only=("ours", "original", "workers", "semaphore", "aiojobs"),  # for others it would take many minutes
        whole=True,
        most_rounds=3,
    ),
    Workload(
        "waiting-job",
        "a job that waits, with its coroutine",
        waiting_job,
        (Metric("bytes", "bytes"),),
        100_000,
        1000,
        "submit",
        queues=("bounded", "unbounded"),
    ),
]
