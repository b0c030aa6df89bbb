"""How late is a timer beside a flood of jobs that never suspend? Ours and the pure-Python nb_aiopool 1.0 side by side.

    python benchmarks/timer_delay.py [--rounds N] [--jobs N] [--python PATH] [--original FOLDER] [--json]

One tight loop submits all the jobs to a queue with room for 100,000, while another task sleeps for a millisecond again
and again; its lateness is what it slept too long. The samples of both are interleaved, in fresh processes; printed are
the median of the rounds' medians and 99th percentiles, and the worst of all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from typing import Any, Dict, List, Optional

from submit_and_run import original_package, run_sample

PAUSE = 0.001


async def work() -> None:
    """A job that never suspends."""


async def lateness(jobs: int) -> List[float]:
    """Return the milliseconds by which each sleep beside the flood was too long."""
    from nb_aiopool import NbAioPool  # noqa: PLC0415 - only the samples need it, each its own

    late: List[float] = []
    over = False

    async def clock() -> None:
        while not over:
            due = time.perf_counter() + PAUSE
            await asyncio.sleep(PAUSE)
            late.append((time.perf_counter() - due) * 1e3)

    pool: Any = NbAioPool(100, 100_000)
    ticking = asyncio.ensure_future(clock())
    await asyncio.sleep(0.01)
    late.clear()
    for _ in range(jobs):
        await pool.submit(work())
    await pool.shutdown()
    over = True
    await ticking
    return late


def sample(python: str, folder: Optional[str], jobs: int) -> List[float]:
    printed = run_sample(python, folder, __file__, "--sample", "--jobs", str(jobs))
    result: List[float] = json.loads(printed)
    return result


def summary(rounds: List[List[float]]) -> Dict[str, float]:
    def quantile(values: List[float], share: float) -> float:
        return sorted(values)[min(int(len(values) * share), len(values) - 1)]

    return {
        "median": statistics.median(quantile(late, 0.5) for late in rounds),
        "p99": statistics.median(quantile(late, 0.99) for late in rounds),
        "worst": max(max(late) for late in rounds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Lateness of a timer beside a flood of jobs, in milliseconds."
    )
    parser.add_argument("--rounds", type=int, default=5, help="samples of each package")
    parser.add_argument("--jobs", type=int, default=500_000, help="jobs in a sample")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that runs the samples")
    parser.add_argument("--original", help="a folder with the original package")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--sample", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sample:
        print(json.dumps(asyncio.run(lateness(options.jobs))))
        return
    found: Dict[str, List[List[float]]] = {"ours": [], "original": []}
    with original_package(options.python, options.original) as folder:
        for _ in range(options.rounds):
            found["ours"].append(sample(options.python, None, options.jobs))
            found["original"].append(sample(options.python, folder, options.jobs))
    result = {name: summary(rounds) for name, rounds in found.items()}
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{'':10}{'median':>10}{'99 %':>10}{'worst':>10}   ms late")
    for name, values in result.items():
        print(f"{name:10}" + "".join(f"{values[key]:10.2f}" for key in ("median", "p99", "worst")))


if __name__ == "__main__":
    main()
