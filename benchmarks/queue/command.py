"""What ``python -m benchmarks.queue`` takes, and what it does with it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Sequence

from benchmarks import compare, fetch, harness, report, saved
from benchmarks.queue import markdown, redis_server
from benchmarks.queue.rivals import TITLES
from benchmarks.queue.workloads import Workload, selected
from benchmarks.rivals import Unavailable

if TYPE_CHECKING:
    from benchmarks.figures import Run

LEGEND = (
    "Queues on Redis: a fresh server for each sample (default configuration, nothing kept on disk), the worker in a\n"
    "process of its own with 100 tasks at a time, asyncio's own loop, no log configured. Medians with their median\n"
    "absolute deviation, the best first. `vs 1.0`: how many times better than the original. The last column: the\n"
    "share of what a bare script does that acknowledges and fetches in one call."
)


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m benchmarks.queue",
        description="Measure nb_aio_task and other queues on Redis side by side, each sample in fresh processes.",
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
    add("--rounds", type=int, default=5, help="samples of each rival (default: 5)")
    add("--quick", action="store_true", help="one round of few tasks: whether it works, not how fast it is")
    add("--original", metavar="FOLDER", help="has nb_aiopool 1.0 (default: pip fetches it)")
    add("--json", metavar="FILE", help="save all samples")
    add("--compare", metavar="SAVED.json", help="exit with 1 if ours has become slower beyond the noise")
    add("--markdown", metavar="FILE.md", help="write the figures as a table")
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
    return [name for name in TITLES if name in wanted]


def check_redis() -> None:
    """Raise Unavailable if there is no server, or no client."""
    redis_server.version()
    try:
        import redis  # noqa: F401, PLC0415 - only whether it is here
    except ImportError as error:
        raise Unavailable(f"{error}; `pip install '.[bench-queue]'` installs what is measured") from error


def measured(options: argparse.Namespace, workloads: Sequence[Workload]) -> List[Run]:
    rivals = names_of(options.rivals)
    check_redis()
    pythons = options.python or [sys.executable]
    with fetch.original_package(pythons[0], options.original, "original" in rivals) as (folder, why_not):
        plan = harness.Plan(
            workloads,
            rivals,
            pythons,
            ["asyncio"],
            1 if options.quick else options.rounds,
            options.quick,
            folder,
            why_not,
            "benchmarks.queue.sample",
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
            print("\n".join(f"{workload.name:12}{workload.title}" for workload in workloads))
            return 0
        before = saved.load(options.compare) if options.compare else None
        sources = options.sources or []
        runs = [run for path in sources for run in saved.load(path)] or measured(options, workloads)
    except (Unavailable, saved.NotSaved, harness.SampleFailed) as error:
        print(error, file=sys.stderr)
        return 2
    print(report.text(runs, workloads, TITLES, LEGEND))
    if options.json:
        saved.save(options.json, runs, options.quick)
    if options.markdown:
        Path(options.markdown).write_text(markdown.tables(runs, workloads), encoding="utf-8")
    failed = any(run.failures for run in runs)
    slower = before is not None and compare.is_slower(before, runs, workloads)
    return int(failed or slower)
