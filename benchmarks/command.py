"""What ``python -m benchmarks`` takes, and what it does with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Sequence

from benchmarks import fetch, harness, loops, markdown, plot, program, report
from benchmarks.rivals import TITLES
from benchmarks.workloads import selected

if TYPE_CHECKING:
    import argparse

    from benchmarks.figures import Run
    from benchmarks.harness import Sized

# What others are compared to is measured, whoever else is.
REFERENCES = ("bare", "workers", "threadsafe", "thread_pool")


def parser() -> argparse.ArgumentParser:
    result = program.common_options(
        "python -m benchmarks",
        "Measure the pool and its rivals side by side: medians of samples, each in a fresh process.",
        TITLES,
    )
    add = result.add_argument
    add("--loop", choices=sorted(loops.FACTORIES), action="append", help="the kind of loop (repeatable)")
    add("--uvloop", action="store_const", const="uvloop", help="short for --loop uvloop")
    add("--plot", metavar="FILE.svg", help="draw the main figures")
    return result


def measured(options: argparse.Namespace, workloads: Sequence[Sized]) -> List[Run]:
    rivals = program.rivals_of(options, TITLES, REFERENCES)
    pythons = program.pythons_of(options)
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
            program.rounds_of(options),
            options.quick,
            folder,
            why_not,
        )
        return harness.measure(plan, program.say)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    own = program.Program(parser(), selected, measured, report.text, markdown.tables)
    return program.run(own, arguments, plot.save)
