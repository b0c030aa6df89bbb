"""The result as tables for `docs/performance.md`: for each run ours beside the original, ours among all rivals,
and what threads send."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Sequence

from benchmarks.report import number, ratio, spread
from benchmarks.rivals import TITLES

if TYPE_CHECKING:
    from benchmarks.figures import Figure, Row, Run, Workload


OF_THREADS = ("threadsafe", "threadsafe_queue", "thread_pool")


def tables(runs: Sequence[Run], workloads: Sequence[Workload]) -> str:
    """Write three tables for each run."""
    parts: List[str] = []
    for run in runs:
        every_row = list(run.rows(workloads))
        rows = [row for row in every_row if not is_of_threads(row)]
        parts += [f"### {run.name}", ""]
        if rows:
            parts += [*beside_the_original(rows), ""]
        rivals = [name for name in TITLES if name not in ("ours", "original", "bare") and used(name, rows)]
        if rivals:
            parts += [*among_all(rows, ["ours", "original", *rivals]), ""]
        if len(every_row) > len(rows):
            parts += [*from_threads([row for row in every_row if is_of_threads(row)]), ""]
    return "\n".join(parts)


def is_of_threads(row: Row) -> bool:
    return row.reference_rival in OF_THREADS


def used(name: str, rows: Sequence[Row]) -> bool:
    return any(name in row.figures for row in rows)


def line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def head(cells: Sequence[str]) -> List[str]:
    return [line(cells), line(["---", *["---:"] * (len(cells) - 1)])]


def cell(figure: Optional[Figure], with_spread: bool = True) -> str:
    if figure is None:
        return ""
    return f"{number(figure.median)} {spread(figure)}".rstrip() if with_spread else number(figure.median)


def what(row: Row) -> str:
    metric = "" if row.metric == "time" else f", {row.metric}"
    return f"{row.title}{metric} ({row.unit})"


def beside_the_original(rows: Sequence[Row]) -> List[str]:
    result = head(["", "nb_aiopool", "1.0", "times less", "as much as"])
    for row in rows:
        ours, original = row.figures.get("ours"), row.figures.get("original")
        if ours is None:  # nobody has it but who works without a pool
            [ours] = row.figures.values()
            result.append(line([f"*no pool:* {what(row)}", cell(ours), "", "", ""]))
            continue
        times = ratio(original, ours)
        compared = ratio(ours, row.reference)
        compared += f" {TITLES[row.reference_rival]}" if compared else ""
        result.append(line([what(row), cell(ours), cell(original), times, compared]))
    return result


def among_all(rows: Sequence[Row], rivals: Sequence[str]) -> List[str]:
    result = head(["", *(TITLES[name] for name in rivals)])
    for row in rows:
        if len(set(row.figures) - {"ours", "original", "bare"}) > 0:
            cells = [cell(row.figures.get(name), with_spread=False) for name in rivals]
            result.append(line([what(row), *cells]))
    return result


def from_threads(rows: Sequence[Row]) -> List[str]:
    """Write what others take beside ours, and how many times as much that is."""
    result = head(["", "nb_aiopool", *(TITLES[name] for name in OF_THREADS)])
    for row in rows:
        ours = row.figures.get("ours")
        cells = [cell(ours)]
        for name in OF_THREADS:
            figure = row.figures.get(name)
            times = ratio(figure, ours)
            cells.append(f"{cell(figure)} ({times})" if times else cell(figure))
        result.append(line([what(row), *cells]))
    return result
