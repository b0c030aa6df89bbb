"""The example of a progress bar: it counts every result, and its bar ends full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent / "examples" / "progress.py"


def test_the_bar_ends_with_the_last_result() -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--plain", "--items", "300", "--concurrency", "20"],
        capture_output=True,
        timeout=25,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().strip() == "300 results, 100 different ones, the smallest is 0"
    lines = [line.split(maxsplit=2) for line in done.stderr.decode().split("\n") if line]
    assert [line[1] for line in lines] == ["%d/300" % number for number in range(30, 301, 30)]
    assert [line[0].count("#") for line in lines] == list(range(4, 41, 4))
    assert lines[-1][2].strip() == "(0 s left)"
