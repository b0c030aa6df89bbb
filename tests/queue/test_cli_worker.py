"""`worker` in one process: which tasks it runs, and how."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cli_support import Cli

pytestmark = pytest.mark.limit(90)


def test_all_tasks_of_a_module_run_side_by_side(cli: Cli) -> None:
    cli.submit("hold", ["a"])
    worker = cli.start("worker", "cli_jobs")
    assert cli.event() == f"started a in {worker.pid}"
    cli.submit("loop", [])
    assert cli.event() == "asyncio"
    cli.open_gate("a")
    assert cli.event() == "ended a"


def test_only_the_named_task_runs(cli: Cli) -> None:
    cli.submit("hold", ["a"])
    cli.submit("loop", [])
    worker = cli.start("worker", "cli_jobs:tell_loop")
    assert cli.event() == "asyncio"
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert cli.redis.llen("nb_aio_task:hold") == 1
    assert "nb_aio_task:loop: consuming, 50 at a time" in worker.text
    assert "nb_aio_task:hold" not in worker.text


def test_a_task_that_is_named_twice_is_consumed_once(cli: Cli) -> None:
    worker = cli.start("worker", "cli_jobs:tell_loop", "cli_jobs:hold", "cli_jobs:tell_loop")
    worker.wait_for("nb_aio_task:loop: consuming")
    worker.wait_for("nb_aio_task:hold: consuming")
    cli.submit("loop", [])
    assert cli.event() == "asyncio"
    worker.send(signal.SIGINT)
    assert worker.wait() == 0
    assert worker.text.count("nb_aio_task:loop: consuming") == 1
    assert "WARNING" not in worker.text


def test_the_current_directory_is_where_modules_are_looked_for(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "tasks.py").write_text(
        "import sys\nsys.path.append(%r)\nfrom cli_jobs import tell_loop\n" % str(Path(__file__).parent),
        encoding="utf-8",
    )
    cli.submit("loop", [])
    cli.start("worker", "shop.tasks", cwd=tmp_path)
    assert cli.event() == "asyncio"


def test_concurrency_takes_the_place_of_what_the_task_says(cli: Cli) -> None:
    cli.submit("hold", ["a"], ["b"], ["c"])
    worker = cli.start("worker", "cli_jobs:hold", "--concurrency", "2")
    worker.wait_for("nb_aio_task:hold: consuming, 2 at a time")
    assert [cli.event(), cli.event()] == [f"started {name} in {worker.pid}" for name in "ab"]
    cli.open_gate("a")
    # Had the third one begun beside the others, it would have told so before.
    assert [cli.event(), cli.event()] == ["ended a", f"started c in {worker.pid}"]


def test_a_task_that_stops_itself_ends_the_worker_also_with_another_concurrency(cli: Cli) -> None:
    cli.submit("stop", [])
    worker = cli.start("worker", "cli_jobs:stop_myself", "--concurrency", "3")
    assert cli.event() == "asked to stop"
    assert worker.wait() == 0


def test_uvloop_runs_it_if_it_is_asked_for(cli: Cli) -> None:
    pytest.importorskip("uvloop")
    cli.submit("loop", [])
    worker = cli.start("worker", "cli_jobs:tell_loop", "--uvloop")
    assert cli.event() == "uvloop"
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0


def test_two_tasks_on_one_queue_are_warned_of(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "twins.py").write_text(
        "import os\n"
        "from nb_aiopool.contrib.nb_aio_task import aio_task\n"
        "@aio_task('same', redis_url=os.environ['CLI_TEST_URL'])\n"
        "async def one(): ...\n"
        "@aio_task('same', redis_url=os.environ['CLI_TEST_URL'])\n"
        "async def two(): ...\n",
        encoding="utf-8",
    )
    worker = cli.start("worker", "twins", cwd=tmp_path)
    worker.wait_for("WARNING.* nb_aio_task:same is the queue of one and of two")


def test_a_queue_that_nobody_else_can_reach_is_warned_of(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "lonely.py").write_text(
        "import os\n"
        "from nb_aiopool.contrib.nb_aio_task import aio_task\n"
        "@aio_task('here', redis_url='memory://')\n"
        "async def one(): ...\n"
        "@aio_task('there', redis_url=os.environ['CLI_TEST_URL'])\n"
        "async def two(): ...\n",
        encoding="utf-8",
    )
    worker = cli.start("worker", "lonely", cwd=tmp_path)
    worker.wait_for("WARNING.* here: redis_url is memory://.*no other process")
    worker.wait_for("nb_aio_task:there: consuming")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert worker.text.count("WARNING") == 1


def test_logging_is_left_alone_if_the_module_has_configured_it(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "logged.py").write_text(
        "import logging, os\n"
        "from nb_aiopool.contrib.nb_aio_task import aio_task\n"
        "logging.basicConfig(format='MINE %(message)s', level=logging.INFO)\n"
        "@aio_task('logged', redis_url=os.environ['CLI_TEST_URL'])\n"
        "async def one(): ...\n",
        encoding="utf-8",
    )
    worker = cli.start("worker", "logged", cwd=tmp_path)
    worker.wait_for("^MINE nb_aio_task:logged: consuming, 50 at a time$")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert all(line.startswith("MINE ") for line in worker.lines)
