"""What is measured, and how a sample of it is taken."""

from __future__ import annotations

import fnmatch
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Dict, List, Sequence, Tuple

from benchmarks.workloads import Metric

if TYPE_CHECKING:
    from benchmarks.queue.rivals import Rival
    from benchmarks.queue.site import Site

Outcome = Dict[str, float]
Measure = Callable[["Site", int], Outcome]
CEILING = "ceiling"
SETTLED_SECONDS = 0.5


def drain(site: Site, job: str, count: int, processes: int = 1) -> int:
    """Have workers drain a queue that is full from the beginning; return how many commands Redis carried out."""
    site.start_workers(job, count, processes)
    site.produce("somehow", count)
    before = site.commands()
    site.go()
    site.wait_done(count)
    return site.commands() - before


def rate(site: Site) -> float:
    """Return the tasks per second from the first task's end to the last one's."""
    journals = [worker.journal for worker in site.workers if worker.journal.rows]
    begin = min(journal.rows[0].at for journal in journals)
    end = max(journal.last for journal in journals)
    return (site.done() - 1) / (end - begin) * 1e9


def noop(site: Site, count: int) -> Outcome:
    commands = drain(site, "noop", count)
    first, *_, last = site.workers[0].journal.rows
    cpu = (last.cpu - first.cpu) / (last.tasks - first.tasks)
    return {"rate": rate(site), "cpu": cpu / 1e3, "commands": commands / count}


def sleeping(site: Site, count: int) -> Outcome:
    drain(site, "sleep_10ms", count)
    return {"rate": rate(site)}


def processes(number: int) -> Measure:
    def measure(site: Site, count: int) -> Outcome:
        drain(site, "noop", count, number)
        return {"rate": rate(site)}

    return measure


def submitting(way: str) -> Measure:
    def measure(site: Site, count: int) -> Outcome:
        seconds, cpu = site.produce(way, count)
        return {"rate": count / seconds, "cpu": cpu / count * 1e6}

    return measure


def latency(site: Site, count: int) -> Outcome:
    """Measure the time from submit to start, without what the first tenth of the tasks takes."""
    site.start_workers("note_delay", count)
    site.go()
    time.sleep(SETTLED_SECONDS)
    site.produce("paced", count)
    site.wait_done(count)
    delays = sorted(site.workers[0].journal.delays[count // 10 :])
    return {"p50": delays[len(delays) // 2] / 1e6, "p99": delays[len(delays) * 99 // 100] / 1e6}


def idle(site: Site, count: int) -> Outcome:
    """Measure the CPU time that a worker takes for so many seconds while there is nothing to do, between two tasks."""
    site.start_workers("noop", 3)
    site.go()
    for done, seconds in enumerate(
        (0, SETTLED_SECONDS, count)
    ):  # the first task is that of the worker's start
        time.sleep(seconds)
        site.produce("somehow", 1)
        site.wait_done(done + 1)
    _, first, last = site.workers[0].journal.rows
    return {"cpu": (last.cpu - first.cpu) / (last.at - first.at) * 100}


def memory(site: Site, count: int) -> Outcome:
    """Measure the growth from the moment when a tenth of the tasks is done."""
    drain(site, "noop", count)
    rows = site.workers[0].journal.rows
    early = next(row for row in rows if row.tasks >= count // 10)
    last = rows[-1]
    growth = (last.resident - early.resident) / max(last.tasks - early.tasks, 1)
    return {"growth": growth, "resident": last.resident / 1e6}


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    measure: Measure
    metrics: Tuple[Metric, ...]
    speed: str  # by which of a rival's speeds a sample is sized, and for how many seconds
    seconds: float
    quick: int  # how many tasks are enough to see that it works
    most: int = 1_000_000
    shape: str = "work"  # what a rival's Queue must have
    most_rounds: int = 1_000_000

    def fits(self, rival: Rival) -> bool:
        if self.speed and self.speed not in rival.SPEED:
            return False
        return hasattr(rival.Queue, self.shape)

    def jobs(self, rival: Rival) -> int:
        """How many tasks a sample of this rival has; where no speed matters, it is seconds that are counted."""
        speed = rival.SPEED[self.speed] if self.speed else 1
        return max(min(int(self.seconds * speed), self.most), self.quick)


def per_second(reference: str = "") -> Metric:
    return Metric("rate", "tasks/s", (reference, CEILING) if reference else None, more=True)


PRODUCER_CPU = Metric("cpu", "producer's CPU µs per task")

WORKLOADS = [
    Workload(
        "noop",
        "no-op tasks, 1 worker",
        noop,
        (
            per_second("noop"),
            Metric("cpu", "worker's CPU µs per task"),
            Metric("commands", "Redis commands per task"),
        ),
        "drain",
        2,
        20,
    ),
    Workload("sleep", "10 ms tasks, 1 worker", sleeping, (per_second(),), "drain", 2, 20, most=20_000),
    Workload("workers/2", "no-op tasks, 2 workers", processes(2), (per_second("workers/2"),), "drain", 2, 20),
    Workload("workers/4", "no-op tasks, 4 workers", processes(4), (per_second("workers/4"),), "drain", 2, 20),
    Workload(
        "submit",
        "submit, awaited one by one",
        submitting("one_by_one"),
        (per_second("submit"), PRODUCER_CPU),
        "submit",
        1.5,
        20,
    ),
    Workload(
        "gather",
        "100 concurrent submits",
        submitting("gathered"),
        (per_second("gather"), PRODUCER_CPU),
        "gather",
        1.5,
        200,
    ),
    Workload(
        "bulk",
        "lists of 1,000 in one call",
        submitting("in_bulk"),
        (per_second("bulk"), PRODUCER_CPU),
        "bulk",
        1.5,
        1000,
        shape="submit_many",
    ),
    Workload(
        "latency",
        "from submit to start, 200 tasks/s",
        latency,
        (Metric("p50", "ms"), Metric("p99", "ms")),
        "",
        1000,  # tasks: five seconds
        40,
    ),
    Workload(
        "idle", "a worker with nothing to do", idle, (Metric("cpu", "% of a core"),), "", 5, 1, most_rounds=3
    ),
    Workload(
        "memory",
        "a worker over many tasks",
        memory,
        (Metric("growth", "bytes per task"), Metric("resident", "MB at the end")),
        "drain",
        6,
        20,
        most=200_000,
        most_rounds=2,
    ),
]


def selected(patterns: Sequence[str]) -> List[Workload]:
    """Return the workloads whose names contain one of the patterns, which may have wildcards; all without any."""
    if not patterns:
        return WORKLOADS
    return [w for w in WORKLOADS if any(fnmatch.fnmatch(w.name, f"*{pattern}*") for pattern in patterns)]
