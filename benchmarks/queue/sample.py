"""One sample, or what can be measured here; `benchmarks.harness` runs it as it runs `benchmarks.sample`.

    python -m benchmarks.queue.sample probe LOOP RIVAL...
    python -m benchmarks.queue.sample RIVAL WORKLOAD COUNT LOOP

Either prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Dict, Sequence

from benchmarks.queue import redis_server, rivals, site
from benchmarks.queue.workloads import WORKLOADS, Outcome
from benchmarks.rivals import Unavailable, version


def take(rival: str, workload: str, count: int) -> Outcome:
    [found] = [candidate for candidate in WORKLOADS if candidate.name == workload]
    with site.opened(rival) as opened:
        return found.measure(opened, count)


def tools() -> Dict[str, str]:
    """Tell the versions of what all rivals use."""
    from importlib import metadata  # noqa: PLC0415 - a sample does not need it

    found = {"redis-server": redis_server.version()}
    for name in ("redis", "hiredis"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def probe(names: Sequence[str]) -> Dict[str, Any]:
    result: Dict[str, Any] = {"python": sys.version.split()[0], "rivals": {}, "skipped": {}, "loop": None}
    result["tools"] = tools()
    for name in names:
        try:
            rival = rivals.load(name)
        except Unavailable as error:
            result["skipped"][name] = str(error)
            continue
        result["rivals"][name] = {
            "version": version(rival) if rival.REQUIREMENT else "of this run",
            "jobs": {workload.name: workload.jobs(rival) for workload in WORKLOADS if workload.fits(rival)},
            "note": rival.SETTINGS,
        }
    return result


def main() -> None:
    if sys.argv[1] == "probe":
        print(json.dumps(probe(sys.argv[3:])))
    else:
        rival, workload, count, _ = sys.argv[1:]
        print(json.dumps(take(rival, workload, int(count))))


if __name__ == "__main__":
    main()
