"""What is said to be typed in a console exists, and takes what it is given."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

from pages import ROOT
from programs import imported, need


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=str(ROOT),
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        timeout=30,
        check=False,
    )


def check_install(command: List[str]) -> None:
    assert command[:4] == ["python", "-m", "pip", "install"]
    [what] = command[4:]
    extra = re.fullmatch(r'(?:"\.\[([\w-]+)\]"|\.)', what)
    assert extra, what
    if extra[1]:
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        assert re.search(r"^%s = \[" % extra[1], text, re.MULTILINE)
    # That it works is seen by whoever runs these tests: the test command does the same.
    test_command = (ROOT / "scripts" / "test").read_text(encoding="utf-8")
    assert re.search(r'-m pip install "\.\[test\]"', test_command)
    of_ci = ROOT / ".ci" / "run"
    # An sdist comes without it.
    assert not of_ci.exists() or "./scripts/test" in of_ci.read_text(encoding="utf-8")


def check_benchmarks(command: List[str]) -> None:
    assert command[:2] == ["python", "-m"]
    done = run_python("-m", *command[2:], "--list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout, "no workload has such a name"


def check_program(command: List[str]) -> None:
    """A program of the repository is there, and knows the options that it is given."""
    python, program, *options = command
    assert python == "python"
    need(*imported((ROOT / program).read_text(encoding="utf-8")))
    done = run_python(program, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(program).name in done.stdout
    for option in options:
        assert not option.startswith("-") or option in done.stdout, option


def check_script(command: List[str]) -> None:
    name = command[0]
    script = ROOT / name
    assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
    if os.name == "posix":
        assert os.access(str(script), os.X_OK)
        bash = shutil.which("bash")
        if bash is not None:
            assert subprocess.run([bash, "-n", str(script)], check=False).returncode == 0


def check_line(line: str) -> None:
    assert line.startswith("$ ")
    for command in (part.split() for part in line[2:].split(" && ")):
        if command[:3] in (["python", "-m", "benchmarks"], ["python", "-m", "benchmarks.queue"]):
            check_benchmarks(command)
        elif command[:2] == ["python", "-m"]:
            check_install(command)
        elif command[0] == "python":
            check_program(command)
        else:
            check_script(command)
