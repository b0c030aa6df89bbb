"""What ``python -m benchmarks`` takes, and what it does with it."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Sequence

from benchmarks import compare, fetch, harness, loops, markdown, plot, report, saved
from benchmarks.rivals import TITLES, Unavailable
from benchmarks.workloads import Workload, selected

if TYPE_CHECKING:
    from benchmarks.figures import Run

# What others are compared to is measured, whoever else is.
REFERENCES = ("bare", "workers", "threadsafe", "thread_pool")


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the pool and its rivals side by side: medians of samples, each in a fresh process.",
    )
    add = result.add_argument
    add(
        "--only",
        metavar="PATTERN",
        action="append",
        default=[],
        help="workloads whose names contain this (repeatable)",
    )
    add("--rivals", metavar="NAMES", help=f"separated by commas, of: {','.join(TITLES)} (default: all)")
    add(
        "--python",
        metavar="PATH",
        action="append",
        help="an interpreter with ours and the rivals (repeatable)",
    )
    add("--loop", choices=sorted(loops.FACTORIES), action="append", help="the kind of loop (repeatable)")
    add("--uvloop", action="store_const", const="uvloop", help="short for --loop uvloop")
    add("--rounds", type=int, default=5, help="samples of each rival (default: 5)")
    add("--quick", action="store_true", help="one round of few jobs: whether it works, not how fast it is")
    add("--original", metavar="FOLDER", help="has nb_aiopool 1.0 (default: pip fetches it)")
    add("--json", metavar="FILE", help="save all samples")
    add("--plot", metavar="FILE.svg", help="draw the main figures")
    add("--compare", metavar="SAVED.json", help="exit with 1 if ours has become slower beyond the noise")
    add("--markdown", metavar="FILE.md", help="write the figures as tables")
    add(
        "--from",
        metavar="SAVED.json",
        dest="sources",
        action="append",
        help="report saved runs, measure nothing (repeatable)",
    )
    add("--list", action="store_true", help="print the names of the workloads")
    return result


def names_of(option: Optional[str]) -> List[str]:
    if option is None:
        return list(TITLES)
    wanted = option.split(",")
    unknown = [name for name in wanted if name not in TITLES]
    if unknown:
        raise Unavailable(f"--rivals: there is no {', '.join(unknown)}; there are {', '.join(TITLES)}")
    return [name for name in TITLES if name in wanted or name in REFERENCES]


def measured(options: argparse.Namespace, workloads: Sequence[Workload]) -> List[Run]:
    rivals = names_of(options.rivals)
    pythons = options.python or [sys.executable]
    for python in pythons:
        if shutil.which(python) is None:
            raise Unavailable(f"--python: {python} is no program")
    chosen = [*(options.loop or []), *([options.uvloop] if options.uvloop else [])] or ["asyncio"]
    # Rows that are compared to a bare await need it measured, also if the pattern does not name it.
    needed = {metric.reference[0] for w in workloads for metric in w.metrics if metric.reference}
    everything = [w for w in selected([]) if w in workloads or w.name in needed]
    with fetch.original_package(pythons[0], options.original, "original" in rivals) as (folder, why_not):
        plan = harness.Plan(
            everything,
            rivals,
            pythons,
            list(dict.fromkeys(chosen)),
            1 if options.quick else options.rounds,
            options.quick,
            folder,
            why_not,
        )
        return harness.measure(plan, lambda line: print(line, file=sys.stderr, flush=True))


def main(arguments: Optional[Sequence[str]] = None) -> int:
    options = parser().parse_args(arguments)
    workloads = selected(options.only)
    try:
        if not workloads:
            raise Unavailable(f"--only {' '.join(options.only)}: no workload has such a name; see --list")
        if options.rounds < 1:
            raise Unavailable(f"--rounds is {options.rounds}, it takes at least 1")
        if options.list:
            print("\n".join(f"{workload.name:24}{workload.title}" for workload in workloads))
            return 0
        before = saved.load(options.compare) if options.compare else None
        sources = options.sources or []
        runs = [run for path in sources for run in saved.load(path)] or measured(options, workloads)
    except (Unavailable, saved.NotSaved, harness.SampleFailed) as error:
        print(error, file=sys.stderr)
        return 2
    print(report.text(runs, workloads))
    if options.json:
        saved.save(options.json, runs, options.quick)
    if options.markdown:
        Path(options.markdown).write_text(markdown.tables(runs, workloads), encoding="utf-8")
    if options.plot:
        plot.save(options.plot, runs, workloads)
    failed = any(run.failures for run in runs)
    slower = before is not None and compare.is_slower(before, runs, workloads)
    return int(failed or slower)
