"""What does ``import nb_aiopool`` cost a program that imports asyncio anyway?

Each sample is a fresh interpreter that imports one of the two; the samples of both are interleaved, so that a
busy moment of the machine hits them alike. The cost is the difference of the medians.

    python benchmarks/import_time.py [--rounds N] [--json] [--limit MILLISECONDS]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from typing import Dict, List

PROGRAM = "import time; begin = time.perf_counter(); import {module}; print(time.perf_counter() - begin)"
MODULES = ("asyncio", "nb_aiopool")


def sample(module: str) -> float:
    """Milliseconds that a fresh interpreter spends on importing the module."""
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module)], check=True, capture_output=True, text=True
    ).stdout
    return float(output) * 1e3


def measure(rounds: int) -> Dict[str, float]:
    for module in MODULES:  # Byte code is compiled and files are cached from here on.
        sample(module)
    samples: Dict[str, List[float]] = {module: [] for module in MODULES}
    for _ in range(rounds):
        for module in MODULES:
            samples[module].append(sample(module))
    medians = {module: statistics.median(values) for module, values in samples.items()}
    return {**medians, "difference": medians["nb_aiopool"] - medians["asyncio"]}


def main() -> int:
    parser = argparse.ArgumentParser(description="The cost of importing nb_aiopool beyond importing asyncio.")
    parser.add_argument("--rounds", type=int, default=21, help="samples of each import (default: 21)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, in milliseconds")
    parser.add_argument("--limit", type=float, help="exit with 1 if the difference is more milliseconds")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}, it takes at least 1")

    result = measure(options.rounds)
    if options.json:
        print(json.dumps({"rounds": options.rounds, "unit": "ms", **result}))
    else:
        print(f"import asyncio     {result['asyncio']:7.2f} ms")
        print(f"import nb_aiopool  {result['nb_aiopool']:7.2f} ms")
        print(f"difference         {result['difference']:7.2f} ms  (medians of {options.rounds})")
    return int(options.limit is not None and result["difference"] > options.limit)


if __name__ == "__main__":
    sys.exit(main())
