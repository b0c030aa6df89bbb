"""What signals do to a worker in one process."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, List

import pytest
from redis_server import RedisServer

from nb_aiopool.contrib.nb_aio_task.cli.signals import ABORT, STOP, StopRequests
from support import turns

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import Cli

pytestmark = pytest.mark.limit(90)

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])


@BOTH
def test_running_tasks_finish_and_the_rest_goes_back(cli: Cli, number: int) -> None:
    names = ["a", "b", "c", "d"]
    cli.submit("hold", *([name] for name in names))
    worker = cli.start("worker", "cli_jobs:hold", "--concurrency", "2")
    assert [cli.event(), cli.event()] == [f"started {name} in {worker.pid}" for name in "ab"]
    worker.send(number)
    worker.wait_for("INFO .*stopping: what is running may finish; a second signal cancels it")
    cli.open_gate("b")
    assert cli.event() == "ended b"
    cli.open_gate("a")
    assert cli.event() == "ended a"
    assert worker.wait() == 0
    worker.wait_for("nb_aio_task:hold: stopped consuming")
    left = cli.start("worker", "cli_jobs:hold", "--concurrency", "1")
    assert cli.event() == f"started c in {left.pid}"


def test_nothing_is_fetched_after_the_first_signal(cli: Cli) -> None:
    cli.submit("hold", ["a"])
    worker = cli.start("worker", "cli_jobs:hold")
    assert cli.event() == f"started a in {worker.pid}"
    worker.send(signal.SIGTERM)
    worker.wait_for("stopping")
    cli.submit("hold", ["b"])
    cli.open_gate("a")
    assert cli.event() == "ended a"
    assert worker.wait() == 0
    assert cli.redis.llen("nb_aio_task:hold") == 1


@BOTH
def test_a_second_signal_cancels_what_is_running_and_hands_it_back(cli: Cli, number: int) -> None:
    cli.submit("hold", ["a"])
    worker = cli.start("worker", "cli_jobs:hold")
    assert cli.event() == f"started a in {worker.pid}"
    worker.send(number)
    worker.wait_for("stopping: ")
    worker.send(number)
    worker.wait_for("stopping at once")
    assert cli.event() == "cancelled a"
    assert worker.wait() == 0
    assert cli.redis.llen("nb_aio_task:hold") == 1
    other = cli.start("worker", "cli_jobs:hold")
    assert cli.event() == f"started a in {other.pid}"


def test_signals_that_come_together_are_one(cli: Cli) -> None:
    cli.submit("hold", ["a"])
    worker = cli.start("worker", "cli_jobs:hold")
    assert cli.event() == f"started a in {worker.pid}"
    # As `timeout` does: to the process, and to its group.
    worker.send(signal.SIGTERM)
    worker.send(signal.SIGINT)
    worker.wait_for("stopping: ")
    cli.open_gate("a")
    assert cli.event() == "ended a"
    assert worker.wait() == 0
    assert "stopping at once" not in worker.text


def test_a_signal_stops_a_module_that_is_still_being_loaded(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(
        "import sys, time\n"
        "print('loading', file=sys.stderr, flush=True)\n"
        "while True:\n"
        "    try:\n"
        "        time.sleep(60)\n"
        "    except Exception:\n"
        "        pass\n",
        encoding="utf-8",
    )
    worker = cli.start("worker", "endless", cwd=tmp_path)
    worker.wait_for("loading")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert worker.lines == ["loading\n"]


@pytest.mark.parametrize("processes", ["1", "2"])
@BOTH
def test_a_signal_stops_a_command_that_is_still_loading_itself(
    cli: Cli, tmp_path: Path, number: int, processes: str
) -> None:
    # In place of what the command imports first.
    (tmp_path / "argparse.py").write_text(
        "import sys, time\nprint('loading', file=sys.stderr, flush=True)\ntime.sleep(60)\n", encoding="utf-8"
    )
    cli.env["PYTHONPATH"] = str(tmp_path)
    worker = cli.start("worker", "cli_jobs", "--processes", processes)
    worker.wait_for("loading")
    worker.send(number)
    assert worker.wait() == 0
    assert worker.lines == ["loading\n"]


def test_under_load_nothing_is_lost_and_nothing_runs_twice(cli: Cli) -> None:
    total = 3000
    cli.submit("count", *([number] for number in range(total)))
    worker = cli.start("worker", "cli_jobs:count")
    assert cli.event() == "many"
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    begun = cli.runs()
    assert 0 < len(begun) < total
    assert len(begun) + cli.redis.llen("nb_aio_task:count") == total
    assert cli.run("worker", "cli_jobs:count", "--burst").returncode == 0
    assert cli.runs() == dict.fromkeys(range(total), 1)


def test_it_ends_in_time_and_in_peace_while_redis_is_down(cli: Cli, tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        cli.env["CLI_TEST_URL"] = server.url
        worker = cli.start("worker", "cli_jobs:count")
        worker.wait_for("consuming")
        server.command("RPUSH", "nb_aio_task:count", "no task")
        worker.wait_for("ERROR.*dead letters")  # it has been served by now
        server.kill()
        worker.wait_for("WARNING.*cannot be used")
        worker.send(signal.SIGTERM)
        assert worker.wait() == 0


async def test_a_request_from_before_reaches_who_listens_later() -> None:
    requests = StopRequests()
    requests.ask(ABORT)
    heard: List[int] = []
    requests.listen(heard.append)
    assert heard == [ABORT]


async def test_signals_count_as_two_once_the_first_was_obeyed() -> None:
    requests = StopRequests()
    heard: List[int] = []
    with requests.installed():
        requests.listen(heard.append)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        await turns(2)
        assert heard == [STOP]
        signal.raise_signal(signal.SIGINT)
        await turns(2)
    assert heard == [STOP, ABORT]


async def test_under_a_supervisor_signals_never_ask_for_more_than_to_stop() -> None:
    requests = StopRequests(escalate=False)
    heard: List[int] = []
    with requests.installed():
        requests.listen(heard.append)
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
            await turns(2)
        assert heard == [STOP]
        requests.ask(ABORT)
        await turns(2)
    assert heard == [STOP, ABORT]


def test_signals_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with StopRequests().installed(), pytest.raises(SystemExit) as ended:
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 0
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
