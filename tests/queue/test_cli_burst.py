"""`worker --burst`: when it ends, and what it shows meanwhile."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
from typing import TYPE_CHECKING, List, Optional

import pytest

from nb_aiopool.contrib.nb_aio_task import Outage, listener, worker
from nb_aiopool.contrib.nb_aio_task.cli import progress
from nb_aiopool.contrib.nb_aio_task.cli.progress import Counts, Progress, Speed, beside, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import Cli

pytestmark = pytest.mark.limit(90)


def test_it_ends_when_all_is_done_and_says_how_it_went(cli: Cli) -> None:
    cli.submit("count", *([number] for number in range(300)))
    cli.submit("fail", ["for the test"])
    done = cli.run("worker", "cli_jobs:count", "cli_jobs:fail", "--burst")
    assert done.returncode == 0
    assert cli.runs() == dict.fromkeys(range(300), 1)
    assert re.search(r"^\[#{20}\] 100%  301/301  \S+/s  1 failed$", done.stderr, re.MULTILINE)
    assert done.stderr.count("%") == 1
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr
    assert done.stdout == ""


def test_one_that_finds_nothing_to_do_says_so_once(cli: Cli) -> None:
    done = cli.run("worker", "cli_jobs:count", "--burst")
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1].endswith("100%  0/0  0/s  0 failed")
    assert done.stderr.count("0/0") == 1


def test_there_is_no_progress_without_burst(cli: Cli) -> None:
    cli.submit("loop", [])
    worker = cli.start("worker", "cli_jobs:tell_loop")
    assert cli.event() == "asyncio"
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert "%" not in worker.text


@pytest.mark.parametrize("processes", ["1", "3"])
def test_stages_that_feed_each_other_are_all_done(cli: Cli, processes: str) -> None:
    cli.submit("first", *([number] for number in range(60)))
    done = cli.run(
        "worker", "cli_jobs:second", "cli_jobs:first", "cli_jobs:fail", "--burst", "--processes", processes
    )
    assert done.returncode == 0, done.stderr
    assert cli.runs() == dict.fromkeys(range(60), 1)
    assert "120/120" in done.stderr


def test_delayed_tasks_are_waited_for(cli: Cli, script_of_producer: List[str]) -> None:
    assert cli.run_python(*script_of_producer).returncode == 0
    assert cli.redis.zcard("{nb_aio_task:count}:delayed") == 1
    done = cli.run("worker", "cli_jobs:count", "--burst")
    assert done.returncode == 0
    assert cli.runs() == {7: 1}


@pytest.fixture
def script_of_producer() -> List[str]:
    return ["import asyncio, cli_jobs; asyncio.run(cli_jobs.count.options(delay=1).submit(7))"]


def test_what_a_process_held_that_dies_in_a_burst_is_done_before_it_ends(cli: Cli) -> None:
    cli.submit("hold", *([name] for name in "abcdef"))
    supervisor = cli.start("worker", "cli_jobs:hold", "--burst", "--processes", "2", "--concurrency", "1")
    children = supervisor.children(2)
    told = [cli.event().split() for _ in range(2)]
    assert {int(pid) for _, _, _, pid in told} == set(children)
    os.kill(children[0], signal.SIGKILL)
    supervisor.wait_for("ended unexpectedly: killed by SIGKILL")
    # Twice for what ran and runs again: its gate was taken by who waited for it before.
    for name in "abcdef" * 2:
        cli.open_gate(name)
    assert supervisor.wait() == 0
    events = [cli.event() for _ in range(cli.redis.llen("events"))]
    assert {event for event in events if event.startswith("ended ")} == {f"ended {name}" for name in "abcdef"}
    assert "100%  6/6" in supervisor.text


def test_a_burst_outlives_whoever_brings_down_every_process(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text(
        "import os\n"
        "from nb_aiopool.contrib.nb_aio_task import aio_task\n"
        "@aio_task('leaving', redis_url=os.environ['CLI_TEST_URL'], lease=1, max_deliveries=2)\n"
        "async def leave(): os._exit(0)\n",
        encoding="utf-8",
    )
    cli.submit("leaving", [])
    done = cli.run("worker", "leaving", "--burst", "--processes", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ended unexpectedly: exit status 0" in done.stderr
    assert cli.redis.hlen("{nb_aio_task:leaving}:dead") == 1
    assert cli.redis.llen("nb_aio_task:leaving") == 0


def test_a_burst_of_several_processes_can_be_stopped(cli: Cli) -> None:
    cli.submit("hold", ["a"])
    supervisor = cli.start("worker", "cli_jobs:hold", "--burst", "--processes", "2")
    supervisor.children(2)
    assert cli.event().startswith("started a")
    supervisor.send(signal.SIGTERM)
    supervisor.wait_for("stopping 2 processes|stopping 1 processes")
    supervisor.send(signal.SIGTERM)
    assert cli.event() == "cancelled a"
    assert supervisor.wait() == 0
    assert cli.redis.llen("nb_aio_task:hold") == 1


@pytest.mark.skipif(os.name != "posix", reason="a terminal of POSIX")
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_terminal_shows_a_bar_that_moves(cli: Cli, processes: str) -> None:
    cli.submit("hold", ["a"], ["b"])
    shown = cli.on_terminal(
        "worker",
        "cli_jobs:hold",
        "--burst",
        "--processes",
        processes,
        while_running=[("0/2", lambda: cli.open_gate("a")), ("1/2", lambda: cli.open_gate("b"))],
    )
    assert "\r\x1b[K[####################] 100%  2/2" in shown
    assert shown.rstrip(" \r\n").endswith("0 failed") or "all 2 processes have ended" in shown
    # Log lines take the bar's place.
    assert re.search(r"\r\x1b\[K\d{4}-\d\d-\d\d .* INFO ", shown)


def test_whoever_stops_while_no_server_answers_has_a_second_to_spare() -> None:
    waits = [
        worker.LAST_ANSWER_SECONDS,  # for the answer that is on its way
        worker.LAST_ANSWER_SECONDS,  # for the end of that call
        listener.PARTING_SECONDS,
        worker.PARTING_SECONDS,  # to hand back
        worker.PARTING_SECONDS,  # to leave
        progress.STOPPED_PATIENCE,
    ]
    assert sum(waits) <= 5 - 1


def test_a_line() -> None:
    line = text_of(Counts(1500, 2), 4500, 250.0)
    assert line == "[#####---------------]  25%  1,500/6,000  250/s  0:18 left  2 failed"
    assert text_of(Counts(0, 0), 0, 0.0) == "[####################] 100%  0/0  0/s  0 failed"
    assert text_of(Counts(1, 0), 7200, 2.0).endswith("1/7,201  2.0/s  1:00:00 left  0 failed")
    assert text_of(Counts(999, 0), 1, 1.0).startswith("[###################-]  99%")


def test_the_rate_is_that_of_the_last_seconds() -> None:
    speed = Speed(0.0)
    assert speed.after(0, 0.0) == 0.0
    assert speed.after(10, 1.0) == 10.0
    for second in range(2, 100):
        rate = speed.after(10 + 3 * (second - 1), float(second))
    assert rate == 3.0


async def test_progress_shows_the_last_known_while_the_server_is_away() -> None:
    shown = io.StringIO()
    answers: List[Optional[int]] = [None, 5]

    async def remaining() -> Optional[int]:
        if not answers:
            raise Outage("away")
        return answers.pop(0)

    async def main() -> None:
        assert not shown.getvalue()

    one = Progress(shown, lambda: Counts(5, 1), remaining, lambda: False)
    await one.during(main())
    await one.during(main_that_ends())
    lines = shown.getvalue().splitlines()
    assert lines
    assert all("  5/10  " in line for line in lines)


async def main_that_ends() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("stopped", [False, True])
async def test_a_server_that_hangs_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch, stopped: bool
) -> None:
    # The other one of the two would outlast the test.
    monkeypatch.setattr(progress, "_PATIENCE", 1e6 if stopped else 0.01)
    monkeypatch.setattr(progress, "STOPPED_PATIENCE", 0.01 if stopped else 1e6)
    shown = io.StringIO()

    async def remaining() -> Optional[int]:
        await asyncio.get_running_loop().create_future()
        return 1

    await Progress(shown, lambda: Counts(0, 0), remaining, lambda: stopped).during(main_that_ends())
    assert shown.getvalue() == ""


async def test_what_breaks_the_progress_is_logged_and_breaks_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def step() -> None:
        raise ZeroDivisionError

    await beside(asyncio.sleep(0.01), step, 1.0)
    assert [record.message for record in caplog.records] == ["the progress cannot be shown"]


async def test_what_main_raises_is_raised_and_no_step_goes_on() -> None:
    cancelled = []

    async def step() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    async def main() -> None:
        await asyncio.sleep(0)
        raise KeyError("x")

    with pytest.raises(KeyError):
        await beside(main(), step, 1.0)
    assert cancelled == [1]
