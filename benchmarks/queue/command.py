"""What ``python -m benchmarks.queue`` takes, and what it does with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Sequence

from benchmarks import fetch, harness, program, report
from benchmarks.queue import markdown, redis_server
from benchmarks.queue.rivals import TITLES
from benchmarks.queue.workloads import selected
from benchmarks.rivals import Unavailable

if TYPE_CHECKING:
    import argparse

    from benchmarks.figures import Run
    from benchmarks.harness import Sized

LEGEND = (
    "Queues on Redis: a fresh server for each sample (default configuration, nothing kept on disk), the worker in a\n"
    "process of its own with 100 tasks at a time, asyncio's own loop, no log configured. Medians with their median\n"
    "absolute deviation, the best first. `vs 1.0`: how many times better than the original. The last column: the\n"
    "share of what a bare script does that acknowledges and fetches in one call."
)


def parser() -> argparse.ArgumentParser:
    return program.common_options(
        "python -m benchmarks.queue",
        "Measure nb_aio_task and other queues on Redis side by side, each sample in fresh processes.",
        TITLES,
    )


def check_redis() -> None:
    """Raise Unavailable if there is no server, or no client."""
    redis_server.version()
    try:
        import redis  # noqa: F401, PLC0415 - only whether it is here
    except ImportError as error:
        raise Unavailable(f"{error}; `pip install '.[bench-queue]'` installs what is measured") from error


def measured(options: argparse.Namespace, workloads: Sequence[Sized]) -> List[Run]:
    rivals = program.rivals_of(options, TITLES)
    check_redis()
    pythons = program.pythons_of(options)
    with fetch.original_package(pythons[0], options.original, "original" in rivals) as (folder, why_not):
        plan = harness.Plan(
            workloads,
            rivals,
            pythons,
            ["asyncio"],
            program.rounds_of(options),
            options.quick,
            folder,
            why_not,
            "benchmarks.queue.sample",
        )
        return harness.measure(plan, program.say)


def text(runs: Sequence[Run], workloads: Sequence[Sized]) -> str:
    return report.text(runs, workloads, TITLES, LEGEND)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    return program.run(program.Program(parser(), selected, measured, text, markdown.tables), arguments)
