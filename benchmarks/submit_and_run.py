"""How fast is the pool, and how fast is the pure-Python nb_aiopool 1.0 on the same machine at the same time?

    python benchmarks/submit_and_run.py [--rounds N] [--jobs N] [--python PATH] [--original FOLDER] [--json]

The original has the same import name, so pip puts it into a temporary folder (or take the folder that
``pip install --target FOLDER nb_aiopool==1.0`` has filled: ``--original``). Each sample is a fresh
interpreter; the samples of both are interleaved, so that a busy moment of the machine hits them alike. Times
are medians, in nanoseconds for a job; a ratio is the original's median divided by ours.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List, Optional

SAMPLE = Path(__file__).with_name("submit_and_run_sample.py")
ORIGINAL = "nb_aiopool==1.0"
# The original's `run` is an order of magnitude slower than its `submit`: it gets fewer jobs.
CASES = {
    "submit, job does not suspend": ("submit", "value", 1.0),
    "submit, job does sleep(0)": ("submit", "sleep", 0.5),
    "run, job does not suspend": ("run", "value", 0.25),
    "run, job does sleep(0)": ("run", "sleep", 0.25),
    "bare await, does not suspend": ("await", "value", 1.0),
    "bare await, does sleep(0)": ("await", "sleep", 0.5),
}
REFERENCE = "await"  # this needs no pool, so it is measured once


def run_sample(python: str, folder: Optional[str], *arguments: str) -> str:
    """What a script prints in a fresh interpreter that finds its nb_aiopool first in ``folder``."""
    environment = dict(os.environ)
    environment.pop("PYTHONPATH", None)
    if folder is not None:
        environment["PYTHONPATH"] = folder
    command = [python, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def sample(python: str, folder: Optional[str], mode: str, job: str, jobs: int) -> float:
    """Nanoseconds for a job."""
    package = "original" if folder else "native"
    return float(run_sample(python, folder, str(SAMPLE), mode, job, str(jobs), package))


def measure(python: str, original: str, jobs: int, rounds: int) -> Dict[str, Dict[str, float]]:
    samples: Dict[str, Dict[str, List[float]]] = {name: {"ours": [], "original": []} for name in CASES}
    for _ in range(rounds):
        for name, (mode, job, share) in CASES.items():
            count = max(1, int(jobs * share))
            samples[name]["ours"].append(sample(python, None, mode, job, count))
            if mode != REFERENCE:
                samples[name]["original"].append(sample(python, original, mode, job, count))
    return {name: summary(both["ours"], both["original"]) for name, both in samples.items()}


def summary(ours: List[float], original: List[float]) -> Dict[str, float]:
    result = {"ours": statistics.median(ours)}
    if original:
        result["original"] = statistics.median(original)
        result["ratio"] = result["original"] / result["ours"]
    return result


@contextlib.contextmanager
def original_package(python: str, given: Optional[str]) -> Iterator[str]:
    """A folder that holds the original package."""
    if given is not None:
        if not Path(given, "nb_aiopool", "nb_aiopool.py").is_file():
            raise SystemExit(f"--original: there is no nb_aiopool/nb_aiopool.py in {given}")
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, ORIGINAL]
        if subprocess.run(command, check=False).returncode != 0:
            raise SystemExit(f"pip could not fetch {ORIGINAL}; give a folder that has it with --original")
        yield folder


def table(result: Dict[str, Dict[str, float]]) -> str:
    lines = ["{:<30} {:>9} {:>9} {:>7}".format("ns per job", "original", "ours", "ratio")]
    for name, row in result.items():
        original = f"{row['original']:9.0f}" if "original" in row else " " * 9
        ratio = f"{row['ratio']:6.1f}x" if "ratio" in row else ""
        lines.append(f"{name:<30} {original} {row['ours']:9.0f} {ratio}".rstrip())
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare the pool with the pure-Python nb_aiopool 1.0.")
    parser.add_argument("--rounds", type=int, default=5, help="samples of each case (default: 5)")
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs in a sample (default: 100000)")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has ours installed")
    parser.add_argument("--original", help="a folder that holds the original (default: pip fetches it)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    for name in ("rounds", "jobs"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} is {getattr(options, name)}, it takes at least 1")

    with original_package(options.python, options.original) as folder:
        result = measure(options.python, folder, options.jobs, options.rounds)
    if options.json:
        head = {"rounds": options.rounds, "jobs": options.jobs, "unit": "ns", "python": options.python}
        print(json.dumps({**head, "cases": result}, indent=2))
    else:
        print(table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
