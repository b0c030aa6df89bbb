"""The result as tables for each run: every figure for all queues, and what each of them promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Sequence

from benchmarks.markdown import cell, head, line, what
from benchmarks.queue.rivals import TITLES
from benchmarks.report import ratio

if TYPE_CHECKING:
    from benchmarks.figures import Row, Run, Workload


def tables(runs: Sequence[Run], workloads: Sequence[Workload]) -> str:
    parts: List[str] = []
    for run in runs:
        rows = list(run.rows(workloads))
        names = [name for name in TITLES if any(name in row.figures for row in rows)]
        tools = [f"{name} {version}" for name, version in run.versions.items() if name not in TITLES]
        parts += [f"### {run.name}, {', '.join(tools)}", ""]
        parts += head(["", *(TITLES[name] for name in names), "ours / 1.0"])
        for row in rows:
            cells = [cell(row.figures.get(name)) for name in names]
            parts.append(line([described(row), *cells, times(row)]))
        parts += ["", *promises(run, names), ""]
    return "\n".join(parts)


def described(row: Row) -> str:
    return f"{row.title} ({row.unit})" if row.metric == "rate" else what(row)


def times(row: Row) -> str:
    """Say how many times better ours is than the original."""
    ours, original = row.figures.get("ours"), row.figures.get("original")
    return ratio(ours, original) if row.more else ratio(original, ours)


def promises(run: Run, names: Sequence[str]) -> List[str]:
    rows = [[TITLES[name], run.versions.get(name, ""), run.notes.get(name, "")] for name in names]
    return [line(["", "release", "with the settings used"]), line(["---"] * 3), *(line(row) for row in rows)]
