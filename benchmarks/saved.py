"""Runs as JSON: to look at later, to plot, and to compare with."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any, Dict, List, Sequence

from benchmarks.figures import Run

FORMAT = 1


class NotSaved(Exception):
    """A file does not hold what this program saves; the message says what is wrong."""


def as_data(runs: Sequence[Run], quick: bool) -> Dict[str, Any]:
    return {
        "format": FORMAT,
        "machine": {"system": platform.platform(), "processors": os.cpu_count()},
        "quick": quick,
        "runs": [
            {
                "python": run.python,
                "loop": run.loop,
                "versions": run.versions,
                "skipped": run.skipped,
                "notes": run.notes,
                "samples": [
                    {"workload": workload, "metric": metric, "rival": rival, "values": values}
                    for (workload, metric, rival), values in run.samples.items()
                ],
                "series": run.series,
            }
            for run in runs
        ],
    }


def save(path: str, runs: Sequence[Run], quick: bool) -> None:
    Path(path).write_text(json.dumps(as_data(runs, quick), indent=1) + "\n", encoding="utf-8")


def load(path: str) -> List[Run]:
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise NotSaved(f"{path} has format {data['format']}, this program reads {FORMAT}")
        runs = [read_run(saved) for saved in data["runs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotSaved(f"{path} is not a saved run: {error!r}") from error
    if not runs:
        raise NotSaved(f"{path} has no run in it")
    return runs


def read_run(data: Dict[str, Any]) -> Run:
    run = Run(data["python"], data["loop"], data["versions"], data["skipped"])
    run.notes = data.get("notes", {})  # older files have none
    for row in data["samples"]:
        run.samples[(row["workload"], row["metric"], row["rival"])] = row["values"]
    run.series = data["series"]
    return run
