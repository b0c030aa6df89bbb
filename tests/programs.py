"""Runs the programs in examples/, each in a process of its own."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
# Set where every optional package is to be there: an example that cannot run is a failure then.
COMPLETE = os.environ.get("NB_AIOPOOL_COMPLETE") == "1"


# What others deprecate in one another is none of our business; what is left unclosed or never awaited is.
OTHERS = {"crawler.py", "progress.py", "redis_consumer.py", "task_queue.py", "webapp.py"}


def command(name: str, *arguments: str) -> List[str]:
    kinds = ["error::RuntimeWarning", "error::ResourceWarning"] if name in OTHERS else ["error"]
    flags = [flag for kind in kinds for flag in ("-W", kind)]
    return [sys.executable, *flags, str(EXAMPLES / name), *arguments]


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an example to its end; it must succeed."""
    done = subprocess.run(
        command(name, *arguments), capture_output=True, encoding="utf-8", timeout=25, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def lines_of(name: str, *arguments: str) -> List[str]:
    """Return what an example prints; it must have nothing to complain about."""
    done = run(name, *arguments)
    assert done.stderr == ""
    return done.stdout.splitlines()


def imported(source: str) -> List[str]:
    """The packages that a program imports, but for the files beside the examples."""
    found = {
        ((node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    return sorted(name for name in found if not (EXAMPLES / (name + ".py")).exists())


def need(*packages: str) -> None:
    """Skip the test if a package is missing, and fail where all are to be there."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        assert not COMPLETE, "not installed: %s" % missing
        pytest.skip("not installed: %s" % ", ".join(missing))
