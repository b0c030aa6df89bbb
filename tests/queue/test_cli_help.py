"""What the command line says of itself, and what it costs those who do not use it."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import nb_aiopool

if TYPE_CHECKING:
    from cli_support import Cli

pytestmark = pytest.mark.limit(60)


@pytest.mark.parametrize(
    ("command", "examples"),
    [
        ((), 3),
        (("worker",), 4),
        (("queues",), 3),
        (("dead",), 5),
        (("dead", "list"), 5),
        (("dead", "retry"), 5),
        (("dead", "delete"), 5),
    ],
    ids=str,
)
def test_help_teaches(cli: Cli, command: tuple, examples: int) -> None:
    done = cli.run(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    taught = done.stdout.partition("examples:")[2].partition("\n\n")[0]
    assert taught.count("nb-aiopool") == examples
    assert "--leash" not in done.stdout
    if command in (("queues",), ("dead", "list")):
        assert "NB_AIO_TASK_URL" in done.stdout


def test_version(cli: Cli) -> None:
    assert cli.run("--version").stdout == f"nb_aiopool {nb_aiopool.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("worker",),
        ("worker", "m", "--processes", "0"),
        ("worker", "m", "--processes", "two"),
        ("worker", "m", "--concurrency", "-1"),
        ("dead",),
        ("dead", "list"),
    ],
    ids=str,
)
def test_wrong_arguments(cli: Cli, arguments: tuple) -> None:
    done = cli.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_script_is_the_same_program(cli: Cli) -> None:
    points = metadata.distribution("nb_aiopool").entry_points
    (script,) = [point for point in points if point.group == "console_scripts"]
    assert (script.name, script.value) == ("nb-aiopool", "nb_aiopool.__main__:main")
    program = Path(sys.executable).parent / "nb-aiopool"
    done = subprocess.run(
        [str(program), "--version"],
        capture_output=True,
        check=False,
        timeout=25,
        encoding="utf-8",
        env=cli.env,
    )
    assert done.stdout == f"nb_aiopool {nb_aiopool.__version__}\n"


def test_importing_the_package_loads_none_of_it(cli: Cli) -> None:
    loaded = "import nb_aiopool, sys; print([m for m in sys.modules if 'contrib' in m or m == 'argparse'])"
    assert cli.run_python(loaded).stdout == "[]\n"


def test_a_reader_that_has_seen_enough_is_no_error(cli: Cli) -> None:
    for number in range(3000):
        cli.redis.rpush(f"nb_aio_task:{number}", "x")
    process = subprocess.Popen(
        [sys.executable, "-m", "nb_aiopool", "queues"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=cli.env,
        encoding="utf-8",
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(25) == 1


def test_what_may_be_left_out_is_not_asked_for(cli: Cli) -> None:
    for action in ("list", "retry", "delete"):
        asked = cli.run("dead", action).stderr.splitlines()[-1]
        assert asked.endswith("the following arguments are required: QUEUE")
