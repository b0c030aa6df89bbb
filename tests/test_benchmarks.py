"""The benchmarks run: their numbers are for people, but a program that broke unseen is for nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
# Enough of the original's interface for the harness; its speed is of no interest here.
ORIGINAL = """
import asyncio

class NbAioPool:
    def __init__(self, max_concurrency, max_queue_size):
        pass

    async def submit(self, coro):
        return asyncio.ensure_future(coro)

    async def run(self, coro):
        return await coro

    async def shutdown(self):
        pass
"""


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / name), *arguments],
        capture_output=True,
        text=True,
        timeout=28,
        check=False,
    )


@pytest.fixture
def original(tmp_path: Path) -> Path:
    package = tmp_path / "original" / "nb_aiopool"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from .nb_aiopool import NbAioPool\n", encoding="utf-8")
    (package / "nb_aiopool.py").write_text(ORIGINAL, encoding="utf-8")
    return package.parent


def test_submit_and_run_compares_the_two_packages(original: Path) -> None:
    done = run("submit_and_run.py", "--jobs", "40", "--rounds", "1", "--original", str(original), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    cases = json.loads(done.stdout)["cases"]
    assert len(cases) == 6
    for name, row in cases.items():
        assert row["ours"] > 0
        if name.startswith("bare await"):
            assert set(row) == {"ours"}
        else:
            assert row["ratio"] == pytest.approx(row["original"] / row["ours"])


def test_submit_and_run_notices_that_it_would_compare_a_package_with_itself(tmp_path: Path) -> None:
    (tmp_path / "nb_aiopool").mkdir()
    (tmp_path / "nb_aiopool" / "nb_aiopool.py").touch()  # no package: the installed one is found instead
    done = run("submit_and_run.py", "--jobs", "10", "--rounds", "1", "--original", str(tmp_path))
    assert done.returncode != 0
    assert "finds the native package, not the original one" in done.stderr


def test_submit_and_run_says_what_is_missing(tmp_path: Path) -> None:
    done = run("submit_and_run.py", "--original", str(tmp_path))
    assert done.returncode != 0
    assert str(tmp_path) in done.stderr


@pytest.mark.limit(60)
def test_timer_delay_compares_the_two_packages(original: Path) -> None:
    done = run("timer_delay.py", "--jobs", "2000", "--rounds", "1", "--original", str(original), "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result) == {"ours", "original"}
    for values in result.values():
        assert values["median"] <= values["p99"] <= values["worst"]


def test_import_time_measures_both_imports() -> None:
    done = run("import_time.py", "--rounds", "1", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(json.loads(done.stdout)) >= {"asyncio", "nb_aiopool", "difference"}
