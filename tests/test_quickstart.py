"""The example that the README starts with: it shows what it promises, and its accounting is right."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import List, Tuple

import pytest

PROGRAM = Path(__file__).resolve().parent.parent / "examples" / "quickstart.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True, timeout=25, check=False
    )


def summary(output: str) -> List[str]:
    return output.splitlines()[-3:]


@pytest.mark.parametrize(
    ("arguments", "counts"),
    [
        (("--jobs", "5000"), (5000, 4990, 5, 5)),
        (("--jobs", "2500", "--concurrency", "1", "--queue", "1"), (2500, 2496, 2, 2)),
        (("--jobs", "3000", "--concurrency", "5000"), (3000, 2994, 3, 3)),
        (("--jobs", "1"), (1, 1, 0, 0)),
    ],
    ids=["usual", "one at a time", "all at once", "a single job"],
)
def test_the_summary_accounts_for_every_job(
    arguments: Tuple[str, ...], counts: Tuple[int, int, int, int]
) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    submitted, succeeded, failed, cancelled = counts
    speed, accounting, verdict = summary(done.stdout)
    assert re.match(r"^%s jobs in \d+\.\d\d s: [\d,]+ jobs/s, " % format(submitted, ","), speed)
    assert accounting == (
        f"submitted {submitted:,} = succeeded {succeeded:,} + failed {failed:,} "
        f"+ cancelled {cancelled:,} + queued 0 + running 0"
    )
    assert verdict == "every job is accounted for"


def test_the_summary_shows_the_memory_of_the_process() -> None:
    (speed, _, _) = summary(run("--jobs", "100").stdout)
    shown = re.search(r", (\d+\.\d) MB( at most)?$", speed)
    assert shown is not None, speed
    assert 1 < float(shown.group(1)) < 1000


def test_progress_is_shown_in_lines_when_the_output_is_no_terminal() -> None:
    done = run("--jobs", "3000", "--concurrency", "10", "--queue", "50", "--every", "0")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()[:-3]
    assert len(lines) > 10
    assert all("\r" not in line and "\x1b" not in line for line in lines)
    for line in lines:
        shown = re.match(
            r"^ *\d+\.\d s +[\d,]+ jobs/s  .+  ([\d,]+) submitted = ([\d,]+) ended \+ ([\d,]+) queued"
            r" \+ ([\d,]+) running$",
            line,
        )
        assert shown is not None, line
        submitted, ended, queued, running = (int(number.replace(",", "")) for number in shown.groups())
        assert submitted == ended + queued + running
        assert queued <= 50
        assert running <= 10


@pytest.mark.skipif(os.name != "posix", reason="there are pseudo terminals on POSIX systems only")
def test_progress_is_one_line_written_over_on_a_terminal() -> None:
    import pty

    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), "--jobs", "3000", "--every", "0"],
        stdin=side,
        stdout=side,
        stderr=subprocess.PIPE,
    )
    os.close(side)
    output = b""
    while True:
        try:
            chunk = os.read(main, 65536)
        except OSError:  # how Linux reports that the other side is closed
            break
        if not chunk:
            break
        output += chunk
    os.close(main)
    _, errors = process.communicate(timeout=25)
    assert (process.returncode, errors) == (0, b"")
    text = output.decode("utf-8")
    assert text.count("\n") == 3
    assert text.count("\r\x1b[2K") > 10
    assert summary(text)[-1] == "every job is accounted for"


@pytest.mark.parametrize("value", ["0", "-5", "many"])
def test_a_number_of_jobs_that_makes_no_sense_is_refused(value: str) -> None:
    done = run("--jobs=" + value)
    assert done.returncode == 2
    assert value in done.stderr
