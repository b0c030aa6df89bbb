"""What is measured: each workload is a kind of work, done by every rival that does such work by nature."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Any, Callable, Coroutine, Dict, List, NamedTuple, Optional, Sequence, Tuple

from benchmarks.rivals import Rival

Run = Callable[[Coroutine[Any, Any, Any]], Any]  # runs a coroutine on the loop that is measured
Outcome = Dict[str, Any]  # a number for each metric, and perhaps a "series" for the plot
Measure = Callable[[Rival, int, Run], Outcome]


class Metric(NamedTuple):
    """A number that a workload yields; less is better, unless it says that more is."""

    name: str
    unit: str
    reference: Optional[Tuple[str, str]] = (
        None  # the workload, and its only rival, that this is to be compared to
    )
    more: bool = False


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    measure: Measure
    metrics: Tuple[Metric, ...]
    count: int  # how many jobs a sample has
    quick: int  # how many are enough to see that it works
    shape: str  # the function that a rival must have
    limited: bool = False  # whether it is about the number of running jobs
    queues: Tuple[str, ...] = ("bounded", "unbounded", "")  # the rivals for whom it makes sense
    only: Tuple[str, ...] = ()  # the only rivals, if not all
    whole: bool = False  # whether all the jobs are needed, however slow a rival is
    most_rounds: int = 1_000_000  # some take so long that fewer samples must do

    def fits(self, rival: Rival) -> bool:
        """Whether a rival does this work by nature."""
        name = rival.__name__.rpartition(".")[2]
        return (
            (not self.only or name in self.only)
            and hasattr(rival, self.shape)
            and rival.QUEUE in self.queues
            and (rival.LIMITED or not self.limited)
        )

    def jobs(self, rival: Rival, quick: bool) -> int:
        """How many jobs a sample of this rival has."""
        if quick:
            return self.quick
        share = 1 if self.whole else getattr(rival, "SHARE", 1)
        return max(int(self.count * share), self.quick)


def all_workloads() -> List[Workload]:
    """Return every workload, in the order of the report."""
    # They import this.
    from benchmarks.workloads import clients, flow, imports, memory, scale, threads, timer  # noqa: PLC0415

    modules = (flow, threads, scale, memory, timer, imports, clients)
    return [workload for module in modules for workload in module.WORKLOADS]


def selected(patterns: Sequence[str]) -> List[Workload]:
    """Return the workloads whose names contain one of the patterns, which may have wildcards; all without any."""
    found = all_workloads()
    if not patterns:
        return found
    return [w for w in found if any(fnmatch.fnmatch(w.name, f"*{pattern}*") for pattern in patterns)]
