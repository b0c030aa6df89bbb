"""What the two benchmark commands have in common: most options, and what is done with what was measured."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Callable, List, Mapping, NamedTuple, Optional, Sequence

from benchmarks import compare, harness, saved
from benchmarks.rivals import Unavailable

if TYPE_CHECKING:
    from benchmarks.figures import Run
    from benchmarks.harness import Sized


class Program(NamedTuple):
    """What one of the commands adds to `common_options`, `select` and `run`."""

    parser: argparse.ArgumentParser
    select: Callable[[Sequence[str]], Sequence[Sized]]
    measure: Callable[[argparse.Namespace, Sequence[Sized]], List[Run]]
    text: Callable[[Sequence[Run], Sequence[Sized]], str]
    tables: Callable[[Sequence[Run], Sequence[Sized]], str]


def common_options(prog: str, description: str, titles: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=description)
    add = parser.add_argument
    add(
        "--only",
        metavar="PATTERN",
        action="append",
        default=[],
        help="workloads whose names contain this (repeatable)",
    )
    add("--rivals", metavar="NAMES", help=f"separated by commas, of: {','.join(titles)} (default: all)")
    add(
        "--python",
        metavar="PATH",
        action="append",
        help="an interpreter with ours and the rivals (repeatable)",
    )
    add("--rounds", type=int, default=5, help="samples of each rival (default: 5)")
    add("--quick", action="store_true", help="one round of little work: whether it works, not how fast it is")
    add("--original", metavar="FOLDER", help="has nb_aiopool 1.0 (default: pip fetches it)")
    add("--json", metavar="FILE", help="save all samples")
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
    return parser


def rivals_of(
    options: argparse.Namespace, titles: Mapping[str, str], always: Sequence[str] = ()
) -> List[str]:
    """The names of those to measure, in the order of the titles. Raises Unavailable if there is none of a name."""
    if options.rivals is None:
        return list(titles)
    wanted: List[str] = options.rivals.split(",")
    unknown = [name for name in wanted if name not in titles]
    if unknown:
        raise Unavailable(f"--rivals: there is no {', '.join(unknown)}; there are {', '.join(titles)}")
    return [name for name in titles if name in wanted or name in always]


def pythons_of(options: argparse.Namespace) -> List[str]:
    """The interpreters to measure with. Raises Unavailable if one of them is no program."""
    pythons: List[str] = options.python or [sys.executable]
    for python in pythons:
        if shutil.which(python) is None:
            raise Unavailable(f"--python: {python} is no program")
    return pythons


def rounds_of(options: argparse.Namespace) -> int:
    return 1 if options.quick else options.rounds


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run(
    program: Program, arguments: Optional[Sequence[str]], plot: Optional[Callable[..., None]] = None
) -> int:
    """Do what the arguments ask for; `plot(file, runs, workloads)` serves an option --plot. Return the exit status."""
    options = program.parser.parse_args(arguments)
    workloads = program.select(options.only)
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
        runs = [one for path in sources for one in saved.load(path)] or program.measure(options, workloads)
    except (Unavailable, saved.NotSaved, harness.SampleFailed) as error:
        say(str(error))
        return 2
    print(program.text(runs, workloads))
    if options.json:
        saved.save(options.json, runs, options.quick)
    if options.markdown:
        Path(options.markdown).write_text(program.tables(runs, workloads), encoding="utf-8")
    if plot is not None and options.plot:
        plot(options.plot, runs, workloads)
    failed = any(one.failures for one in runs)
    slower = before is not None and compare.is_slower(before, runs, workloads)
    return int(failed or slower)
