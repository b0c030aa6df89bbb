"""Has ours become slower since a saved run?

Two runs are never of the same machine in the same mood. So where a metric has a reference, such as a bare await, what
is compared is the ratio to the reference of the same run. A change counts if it is larger than three standard
deviations of what is compared, and larger than what nobody would mind.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Sequence, Tuple

if TYPE_CHECKING:
    from benchmarks.figures import Figure, Row, Run, Workload

DEVIATIONS = 3.0
TOLERANCE = 0.05
ENOUGH = 3
UNKNOWN = 0.1  # the relative error of a figure that has too few samples to tell
# Below these a change is nothing, however large it is in relation: what is left of memory may well be next to zero.
NEGLIGIBLE = {"MB": 2.0, "ms": 0.5, "%": 2.0}


class Change(NamedTuple):
    run: str
    what: str
    before: float
    after: float
    noise: float  # the relative change that could be chance
    regression: bool


def compared(row: Row) -> Optional[Tuple[float, float]]:
    """Return the value that is compared, and the square of its relative error."""
    ours = row.figures.get("ours")
    if ours is None:
        return None
    value, variance = ours.median, relative_error(ours) ** 2
    if row.reference and row.reference.median:
        value /= row.reference.median
        variance += relative_error(row.reference) ** 2
    if row.more:  # what takes less time
        value = 1 / value if value else math.inf
    return value, variance


def relative_error(figure: Figure) -> float:
    if figure.samples < ENOUGH:
        return UNKNOWN
    return abs(figure.error / figure.median) if figure.median else 0.0


def key(run: Run) -> Tuple[str, str]:
    """Runs are of one kind if the loop is, and Python's version but for the last number."""
    return run.python.rpartition(".")[0], run.loop


def changes(before: Sequence[Run], after: Sequence[Run], workloads: Sequence[Workload]) -> List[Change]:
    """Return how each metric of ours has changed that is in both."""
    result: List[Change] = []
    saved: Dict[Tuple[str, str], Run] = {key(run): run for run in before}
    for run in after:
        old_run = saved.get(key(run))
        if old_run is None:
            continue
        old_rows = {(row.workload, row.metric): row for row in old_run.rows(workloads)}
        for row in run.rows(workloads):
            old_row = old_rows.get((row.workload, row.metric))
            old, new = compared(old_row) if old_row else None, compared(row)
            if old is None or new is None or old_row is None:
                continue
            if (old_row.reference is None) != (row.reference is None):
                continue  # a ratio and a time cannot be compared
            noise = max(DEVIATIONS * math.sqrt(old[1] + new[1]), TOLERANCE)
            grown = row.figures["ours"].median - old_row.figures["ours"].median
            worse = new[0] > old[0] + abs(old[0]) * noise and not 0 <= grown <= NEGLIGIBLE.get(row.unit, 0)
            what = f"{row.workload} {row.metric}" + (f" / {row.reference_rival}" if row.reference else "")
            result.append(Change(run.name, what, old[0], new[0], noise, worse))
    return result


def is_slower(before: Sequence[Run], after: Sequence[Run], workloads: Sequence[Workload]) -> bool:
    """Print what has changed beyond the noise; whether something has become slower, or nothing could be compared."""
    found = changes(before, after, workloads)
    print("\nCompared with the saved run")
    for change in found:
        difference = change.after / change.before - 1 if change.before else 0.0
        word = "SLOWER" if change.regression else "faster" if difference < -change.noise else ""
        if word:
            print(f"  {word}  {change.run}: {change.what} {difference:+.1%} (noise {change.noise:.1%})")
    slower = sum(change.regression for change in found)
    print(f"  {len(found)} figures, {slower} slower beyond the noise")
    return slower > 0 or not found
