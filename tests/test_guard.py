"""The guard over all tests (conftest.py, guard.py): it must find what it is there to find."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BAD_TESTS = """
import asyncio
import gc
import time

import pytest

KEPT = []


async def job():
    pass


class Thrower:
    def __del__(self):
        raise ValueError("from a finaliser")


def lose_an_exception():
    asyncio.get_running_loop().create_future().set_exception(KeyError("lost"))


async def test_good():
    await job()


async def test_never_awaited():
    job()


async def test_live_coroutine():
    KEPT.append(job())


async def test_loop_report():
    lose_an_exception()


async def test_loop_report_claimed(reports):
    lose_an_exception()
    gc.collect()
    assert len(reports) == 1


async def test_unraisable():
    Thrower()


async def test_unraisable_claimed(unraisables):
    Thrower()
    gc.collect()
    assert unraisables == ["ValueError: from a finaliser"]


@pytest.mark.limit(0.2)
async def test_endless_wait():
    await asyncio.get_running_loop().create_future()


@pytest.mark.limit(0.2)
async def test_endless_work():
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass


def test_noisy_script(script):
    script("import sys; print('noise', file=sys.stderr)")


def test_failing_script(script):
    script("raise SystemExit(3)")
"""

CAUGHT = {
    "test_never_awaited": "coroutine 'job' was never awaited",
    "test_live_coroutine": "still alive: <coroutine object job",
    "test_loop_report": "loop exception handler: .*lost",
    "test_unraisable": "unraisable: ValueError: from a finaliser",
    "test_endless_wait": "the test took longer than 0.6 s",
    "test_endless_work": "the test took longer than 0.6 s",
    "test_noisy_script": "noise",
    "test_failing_script": "exit 3",
}


@pytest.mark.skipif(sys.platform == "win32", reason="without alarms a test that hangs ends its whole process")
def test_the_guard_fails_exactly_the_tests_that_leave_something(tmp_path: Path) -> None:
    for name in ("conftest.py", "guard.py", "loops.py"):
        shutil.copy(str(Path(__file__).with_name(name)), str(tmp_path / name))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = limit(seconds)\n", encoding="utf-8")
    (tmp_path / "test_bad.py").write_text(BAD_TESTS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rfEp", "-p", "no:cacheprovider", "-k", "asyncio or script"],
        cwd=str(tmp_path),
        env={**os.environ, "COLUMNS": "200", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        check=False,
        timeout=25,
        encoding="utf-8",
    )
    assert set(re.findall(r"^FAILED \S+::(\w+)", done.stdout, re.MULTILINE)) == set(CAUGHT), done.stdout
    passed = set(re.findall(r"^PASSED \S+::(\w+)", done.stdout, re.MULTILINE))
    assert passed == {"test_good", "test_loop_report_claimed", "test_unraisable_claimed"}, done.stdout
    assert "ERROR" not in done.stdout, done.stdout
    for name, text in CAUGHT.items():
        assert re.search(r"_ %s[\s\S]*?%s" % (name, text), done.stdout), (name, done.stdout)
