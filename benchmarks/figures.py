"""Medians with spread, and what they are to one another."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, NamedTuple, Optional, Protocol, Sequence, Tuple

if TYPE_CHECKING:
    from benchmarks.workloads import Metric

# The spread of a median of n samples is their own, divided by the square root of n; for samples that are normally
# distributed, these two factors make it a standard deviation.
MAD_TO_DEVIATION = 1.4826
MEDIAN_TO_MEAN = 1.2533


class Figure(NamedTuple):
    """The median of some samples, and their median absolute deviation from it."""

    median: float
    spread: float
    samples: int

    @property
    def error(self) -> float:
        """How far the median itself may be off: a standard deviation of it."""
        return float(MEDIAN_TO_MEAN * MAD_TO_DEVIATION * self.spread / self.samples**0.5)


def figure(samples: Sequence[float]) -> Figure:
    median = statistics.median(samples)
    spread = statistics.median(abs(sample - median) for sample in samples)
    return Figure(median, spread, len(samples))


class Row(NamedTuple):
    """All that a run has found out about one metric of one workload: a figure for each rival."""

    workload: str
    title: str
    metric: str
    unit: str
    figures: Dict[str, Figure]
    reference: Optional[Figure]  # what the metric is compared to, such as a bare await
    reference_rival: str
    more: bool = False  # whether more is better


class Workload(Protocol):
    """What a report needs to know of a kind of work."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def metrics(self) -> Tuple[Metric, ...]: ...


Samples = Dict[Tuple[str, str, str], List[float]]  # by workload, metric and rival


class Run:
    """What was measured with one interpreter on one kind of loop."""

    def __init__(self, python: str, loop: str, versions: Dict[str, str], skipped: Dict[str, str]) -> None:
        self.python = python
        self.loop = loop
        self.versions = versions
        self.skipped = skipped
        self.notes: Dict[str, str] = {}  # what a reader has to know of a rival
        self.samples: Samples = {}
        self.series: Dict[str, List[Tuple[float, float]]] = {}
        self.failures: Dict[Tuple[str, str], str] = {}  # what went wrong, by rival and workload

    @property
    def name(self) -> str:
        return f"Python {self.python}, {self.loop}"

    def add(self, workload: str, rival: str, outcome: Dict[str, Any]) -> None:
        for metric, value in outcome.items():
            if metric == "series":
                self.series[rival] = value
            else:
                self.samples.setdefault((workload, metric, rival), []).append(value)

    def figure(self, workload: str, metric: str, rival: str) -> Optional[Figure]:
        samples = self.samples.get((workload, metric, rival))
        return figure(samples) if samples else None

    def rows(self, workloads: Sequence[Workload]) -> Iterator[Row]:
        for workload in workloads:
            for metric in workload.metrics:
                row = self.row(workload, metric)
                if row.figures:
                    yield row

    def row(self, workload: Workload, metric: Metric) -> Row:
        figures = {
            rival: figure(samples)
            for (name, kind, rival), samples in self.samples.items()
            if (name, kind) == (workload.name, metric.name)
        }
        reference, rival = None, ""
        if metric.reference is not None:
            name, rival = metric.reference
            reference = self.figure(name, metric.name, rival)
        return Row(
            workload.name, workload.title, metric.name, metric.unit, figures, reference, rival, metric.more
        )
