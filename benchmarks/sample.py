"""One sample, in a process of its own.

    python -m benchmarks.sample probe LOOP RIVAL...             what can be measured here
    python -m benchmarks.sample RIVAL WORKLOAD COUNT LOOP       one sample

Either prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Dict, Sequence

from benchmarks import loops, rivals
from benchmarks.workloads import Outcome, all_workloads


def take(rival: str, workload: str, count: int, loop: str) -> Outcome:
    """Measure a rival in this process."""
    [found] = [candidate for candidate in all_workloads() if candidate.name == workload]
    return found.measure(rivals.load(rival), count, lambda coro: loops.run(loop, coro))


def probe(loop: str, names: Sequence[str]) -> Dict[str, Any]:
    """Find out which rivals are here, what they can do and how many jobs they get, and whether the loop is."""
    result: Dict[str, Any] = {"python": sys.version.split()[0], "rivals": {}, "skipped": {}, "loop": None}
    try:
        loops.FACTORIES[loop]().close()
    except ImportError as error:
        result["loop"] = str(error)
    for name in names:
        try:
            rival = rivals.load(name)
        except rivals.Unavailable as error:
            result["skipped"][name] = str(error)
            continue
        fitting = [workload for workload in all_workloads() if workload.fits(rival)]
        result["rivals"][name] = {
            "version": rivals.version(rival),
            "jobs": {workload.name: workload.jobs(rival, quick=False) for workload in fitting},
        }
    return result


def main() -> None:
    if sys.argv[1] == "probe":
        print(json.dumps(probe(sys.argv[2], sys.argv[3:])))
    else:
        rival, workload, count, loop = sys.argv[1:]
        print(json.dumps(take(rival, workload, int(count), loop)))


if __name__ == "__main__":
    main()
