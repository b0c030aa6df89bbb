"""The result as text: a block for each metric, the best first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, List, Mapping, Optional, Sequence

from benchmarks.rivals import TITLES

if TYPE_CHECKING:
    from benchmarks.figures import Figure, Row, Run, Workload

LEGEND = (
    "Medians with their median absolute deviation; less is better. `vs 1.0`: how many times less it is than with the\n"
    "original. The last column: how many times as much it is as without a pool."
)


def number(value: float) -> str:
    """Write three digits that count, and no exponent."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def spread(figure: Figure) -> str:
    """Write how far the samples are from their median; a single one does not tell."""
    return f"±{number(figure.spread)}" if figure.samples > 1 else ""


def ratio(above: Optional[Figure], below: Optional[Figure]) -> str:
    """Say how many times the one is the other; nothing where that makes no sense."""
    if above is None or below is None or below.median <= 0 or above.median <= 0:
        return ""
    return f"{number(above.median / below.median)}x"


def block(row: Row, titles: Mapping[str, str]) -> Iterator[str]:
    original = row.figures.get("original")
    yield f"{row.title}: {row.metric}, {row.unit}"
    head = f"{'':22}{'median':>12}{'spread':>9}"
    head += (
        f"{'vs 1.0' if original else '':>10}{'/ ' + titles[row.reference_rival] if row.reference else '':>16}"
    )
    yield head.rstrip()
    for name, figure in sorted(row.figures.items(), key=lambda item: item[1].median, reverse=row.more):
        line = f"  {titles[name]:<20}{number(figure.median):>12}{spread(figure):>9}"
        times = ratio(figure, original) if row.more else ratio(original, figure)
        line += f"{times:>10}{ratio(figure, row.reference):>16}"
        yield line.rstrip()


def text(
    runs: Sequence[Run],
    workloads: Sequence[Workload],
    titles: Mapping[str, str] = TITLES,
    legend: str = LEGEND,
) -> str:
    """Write the report of all runs."""
    lines: List[str] = [legend, ""]
    for run in runs:
        lines += [run.name, "=" * len(run.name), ""]
        versions = [
            f"{titles.get(name, name)} {version}"
            for name, version in run.versions.items()
            if "Python" not in version
        ]
        lines += [", ".join(versions)] if versions else []
        lines += [f"{titles[name]}: {note}" for name, note in run.notes.items()]
        for name, why in run.skipped.items():
            lines.append(f"skipped: {titles[name]} ({why})")
        for (name, workload), why in run.failures.items():
            lines += [f"FAILED: {titles[name]}, {workload}:", why]
        lines.append("")
        for row in run.rows(workloads):
            lines += [*block(row, titles), ""]
    return "\n".join(lines).rstrip()
