"""Importing: what it costs a program that imports asyncio anyway."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.workloads import Metric, Outcome, Run, Workload

if TYPE_CHECKING:
    from benchmarks.rivals import Rival

PROGRAM = "import time, asyncio; begin = time.perf_counter(); import {}; print(time.perf_counter() - begin)"


def import_time(rival: Rival, count: int, run: Run) -> Outcome:  # noqa: ARG001 - one signature for all
    """Measure the milliseconds in an interpreter that has imported nothing else; the best of a few."""
    command = [sys.executable, "-c", PROGRAM.format(rival.MODULE)]
    seconds = [
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(count)
    ]
    return {"time": min(seconds) * 1e3}


WORKLOADS = [
    Workload(
        "import",
        "import, beside asyncio",
        import_time,
        (Metric("time", "ms"),),
        3,
        1,
        "submit",
        whole=True,
        only=("ours", "original", "aiojobs", "asyncio_pool", "aiometer", "aiostream", "streamable", "anyio"),
    ),
]
