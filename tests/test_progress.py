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
    shown = done.stderr.decode().split()
    assert shown[1::2] == ["%d/300" % number for number in range(30, 301, 30)]
    assert [bar.count("#") for bar in shown[::2]] == list(range(4, 41, 4))
