"""The main figures as a picture: a panel of bars for each workload, and the memory over the run."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, List, Sequence, Tuple

from benchmarks.report import number
from benchmarks.rivals import TITLES
from benchmarks.svg import Picture

if TYPE_CHECKING:
    from benchmarks.figures import Row, Run
    from benchmarks.workloads import Workload

PANELS = (
    ("submit/value", "time"),
    ("submit/sleep0", "time"),
    ("run/value", "time"),
    ("batch/value", "time"),
    ("map-unordered/value", "time"),
    ("map-ordered/value", "time"),
    ("sleeps", "cpu"),
)
WIDTH = 880
COLUMN = 452
PANEL = 428
LABEL = 128
BARS = 220
LINE = 19
# A bar that is longer than so many usual ones is cut off: it would leave nothing to be seen of the others.
LONGEST = 2.0
CURVES = 150
AXIS = 36
CURVE = 280


def save(path: str, runs: Sequence[Run], workloads: Sequence[Workload]) -> None:
    """Draw the first of the runs, and the first that has a curve of the memory."""
    Path(path).write_text(str(draw(runs, workloads)), encoding="utf-8")


def draw(runs: Sequence[Run], workloads: Sequence[Workload]) -> Picture:
    run = runs[0]
    picture = Picture(WIDTH, f"What a job costs: {run.name}")
    rows = {(row.workload, row.metric): row for row in run.rows(workloads)}
    tops = [0.0, 0.0]
    for name in PANELS:
        if name in rows:
            column = tops.index(min(tops))
            tops[column] = panel(picture, rows[name], column * COLUMN, tops[column])
    for curves in [other for other in runs if other.series][:1]:
        column = tops.index(min(tops))
        tops[column] = memory(picture, curves, column * COLUMN, tops[column])
    picture.text(0, max(tops) + 16, f"{run.name}. Medians; less is better.", "muted")
    return picture


def style(rival: str) -> str:
    return rival if rival in ("ours", "original") else "other"


def panel(picture: Picture, row: Row, left: float, top: float) -> float:
    """Draw the bars of a row, the shortest first; where the next panel may begin."""
    picture.text(left, top + 16, row.title + (", CPU time" if row.metric == "cpu" else ""), "title")
    picture.text(left + PANEL, top + 16, f"{row.unit} per job", "muted end")
    figures = sorted(row.figures.items(), key=lambda item: item[1].median)
    most = figures[-1][1].median
    longest = min(most, LONGEST * statistics.median(figure.median for _, figure in figures))
    y = top + 26
    for name, figure in figures:
        strong = " strong" if name == "ours" else ""
        picture.text(left + LABEL - 8, y + 12, TITLES[name], "end" + strong)
        width = max(min(figure.median / longest, 1.0) * BARS, 1.0)
        if figure.median > longest:  # a gap says that the bar goes on
            picture.bar(left + LABEL, y + 2, width - 14, 13, style(name))
            picture.bar(left + LABEL + width - 11, y + 2, 11, 13, style(name))
        else:
            picture.bar(left + LABEL, y + 2, width, 13, style(name))
        picture.text(left + LABEL + width + 6, y + 12, number(figure.median), "muted" + strong)
        y += LINE
    return y + 18


def memory(picture: Picture, run: Run, left: float, top: float) -> float:
    """Draw the resident memory over the run, of those who keep it flat; name the others."""
    picture.text(left, top + 16, "memory over a million jobs", "title")
    picture.text(left + PANEL, top + 16, "MB resident", "muted end")
    peaks = {name: max(size for _, size in points) for name, points in run.series.items()}
    flat = [name for name in peaks if peaks[name] <= 4 * min(peaks.values())]
    most = math.ceil(max(peaks[name] for name in flat) / 20) * 20
    bottom = top + 34 + CURVES
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * CURVES
        picture.line(left + AXIS, y, left + AXIS + CURVE, y)
        picture.text(left + AXIS - 6, y + 4, f"{share * most:.0f}", "muted end")
    for name in sorted(flat, key=lambda name: name == "ours"):
        points = run.series[name]
        seconds = points[-1][0] or 1.0
        curve: List[Tuple[float, float]] = [
            (left + AXIS + at / seconds * CURVE, bottom - size / most * CURVES) for at, size in points
        ]
        picture.curve(curve, style(name) + "-curve")
    names = sorted(flat, key=lambda name: -run.series[name][-1][1])
    heights = spaced([bottom - run.series[name][-1][1] / most * CURVES for name in names])
    for name, y in zip(names, heights):
        picture.text(left + AXIS + CURVE + 6, y + 4, TITLES[name], "strong" if name == "ours" else "muted")
    y = bottom + 18
    picture.text(left + AXIS, y, "from the first job to the last", "muted")
    for name in sorted(set(peaks) - set(flat)):
        y += LINE
        picture.text(left + AXIS, y, f"{TITLES[name]}: {number(peaks[name])} MB at most", "muted")
    return y + 18


def spaced(heights: Sequence[float]) -> List[float]:
    """Move labels apart that would lie on one another; they come from the top down."""
    result: List[float] = []
    for height in heights:
        result.append(max(height, result[-1] + 14) if result else height)
    return result
