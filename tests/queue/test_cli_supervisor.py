"""`worker --processes N`: keeping processes alive, stopping them, and leaving none behind."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Dict, Iterable, List, Set

import pytest

from nb_aiopool.contrib.nb_aio_task.cli.child import described
from nb_aiopool.contrib.nb_aio_task.cli.restarts import STEADY_SECONDS, Restarts

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import Cli, Running

pytestmark = [
    pytest.mark.limit(90),
    pytest.mark.skipif(os.name != "posix", reason="signals and sockets of POSIX"),
]


def occupy(cli: Cli, supervisor: Running) -> Dict[str, int]:
    """Let each of two processes hold one task; returns the tasks' names, and the processes. Four more are queued."""
    children = supervisor.children(2)
    cli.submit("hold", *([name] for name in "abcdef"))  # each process reads one ahead
    told = [cli.event().split() for _ in range(2)]
    assert {int(pid) for _, _, _, pid in told} == set(children)
    return {name: int(pid) for _, name, _, pid in told}


def told_by_both(cli: Cli) -> Set[str]:
    return {cli.event(), cli.event()}


def finish(cli: Cli, names: Iterable[str]) -> int:
    """Let the tasks end; returns how many did: one that was read ahead may start in the very moment of the stop."""
    held = set(names)
    for name in held:
        cli.open_gate(name)
    ended: Set[str] = set()
    while ended != held:
        word, name = cli.event().split()[:2]
        if word == "started":
            held.add(name)
            cli.open_gate(name)
        else:
            assert word == "ended"
            ended.add(name)
    return len(ended)


TWO = ("worker", "cli_jobs:hold", "--processes", "2", "--concurrency", "1")


def test_each_process_runs_tasks_and_all_end_in_peace(cli: Cli) -> None:
    supervisor = cli.start(*TWO)
    names = occupy(cli, supervisor)
    supervisor.send(signal.SIGTERM)
    supervisor.wait_for("stopping 2 processes")
    ended = finish(cli, names)
    assert supervisor.wait() == 0
    assert cli.redis.llen("nb_aio_task:hold") == 6 - ended
    assert "stopping at once" not in supervisor.text


def test_a_second_signal_is_passed_on(cli: Cli) -> None:
    supervisor = cli.start(*TWO)
    names = occupy(cli, supervisor)
    supervisor.send(signal.SIGINT)
    supervisor.wait_for("stopping 2 processes")
    supervisor.send(signal.SIGINT)
    assert told_by_both(cli) == {f"cancelled {name}" for name in names}
    assert supervisor.wait() == 0
    assert cli.redis.llen("nb_aio_task:hold") == 6


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_to_the_whole_group_counts_once(cli: Cli, number: int) -> None:
    supervisor = cli.start(*TWO, start_new_session=True)
    names = occupy(cli, supervisor)
    os.killpg(supervisor.pid, number)
    supervisor.wait_for_all(3, "stopping[ :]")  # the supervisor and both children say so
    finish(cli, names)
    assert supervisor.wait() == 0
    assert "Traceback" not in supervisor.text


def test_a_second_signal_to_the_whole_group_cancels(cli: Cli) -> None:
    supervisor = cli.start(*TWO, start_new_session=True)
    names = occupy(cli, supervisor)
    os.killpg(supervisor.pid, signal.SIGINT)
    supervisor.wait_for("stopping 2 processes")
    os.killpg(supervisor.pid, signal.SIGINT)
    assert told_by_both(cli) == {f"cancelled {name}" for name in names}
    assert supervisor.wait() == 0


def test_a_process_that_dies_is_started_again_and_its_tasks_run(cli: Cli) -> None:
    supervisor = cli.start(*TWO)
    children = supervisor.children(2)
    cli.submit("hold", ["a"])
    pid = int(cli.event().split()[3])
    os.kill(pid, signal.SIGKILL)
    number = children.index(pid) + 1
    supervisor.wait_for(
        r"WARNING .*worker %d \(pid %d\) has ended unexpectedly: killed by SIGKILL; it is started again in \d"
        % (number, pid)
    )
    (new,) = supervisor.children(1)
    assert new not in children
    told = cli.event().split()
    assert told[:2] == ["started", "a"]
    assert int(told[3]) in {*children, new} - {pid}
    cli.open_gate("a")
    assert cli.event() == "ended a"
    supervisor.send(signal.SIGTERM)
    assert supervisor.wait() == 0


def test_one_that_is_stopped_by_hand_is_started_again(cli: Cli) -> None:
    supervisor = cli.start("worker", "cli_jobs:hold", "--processes", "2")
    children = supervisor.children(2)
    supervisor.wait_for_all(2, "consuming")
    os.kill(children[1], signal.SIGTERM)
    supervisor.wait_for(
        r"worker 2 \(pid %d\) has ended unexpectedly: exit status 0; it is started" % children[1]
    )
    supervisor.wait_for_all(3, "consuming")


def test_one_that_dies_again_and_again_is_started_again_and_again(cli: Cli) -> None:
    cli.submit("die", [])
    supervisor = cli.start("worker", "cli_jobs:die", "--processes", "2")
    pids = [int(cli.event().split()[2]) for _ in range(3)]
    assert len(set(pids)) == 3
    for _ in range(3):
        supervisor.wait_for("WARNING.*has ended unexpectedly: killed by SIGKILL")
    cli.redis.flushdb()
    supervisor.send(signal.SIGTERM)
    supervisor.wait()


def test_pauses_grow_and_begin_anew_after_a_longer_life() -> None:
    restarts = Restarts()
    pauses = [restarts.pause(0.1) for _ in range(14)]
    for shorter, longer in zip(pauses, pauses[4:]):
        assert shorter < longer or longer >= 15.0  # jitter is 0.5 to 1.5: four steps grow by 16 / 3 at least
    assert max(pauses) <= 45.0
    assert restarts.pause(STEADY_SECONDS) < 0.1
    assert len({Restarts().pause(0) for _ in range(20)}) == 20


def test_no_child_is_left_when_the_supervisor_is_killed(cli: Cli) -> None:
    supervisor = cli.start(*TWO)
    names = occupy(cli, supervisor)
    supervisor.send(signal.SIGKILL)
    supervisor.wait_for_all(2, "stopping: ")
    # In peace: what finishes soon is not cancelled.
    finish(cli, names)
    assert supervisor.wait() == -signal.SIGKILL


def test_tasks_that_last_are_handed_back_when_the_supervisor_is_killed(cli: Cli) -> None:
    supervisor = cli.start(*TWO)
    names = occupy(cli, supervisor)
    supervisor.send(signal.SIGKILL)
    assert told_by_both(cli) == {f"cancelled {name}" for name in names}
    assert supervisor.wait() == -signal.SIGKILL
    assert cli.redis.llen("nb_aio_task:hold") == 6


def test_a_blocked_event_loop_does_not_outlive_the_supervisor(cli: Cli) -> None:
    cli.submit("blocking", [])
    supervisor = cli.start("worker", "cli_jobs:block", "--processes", "2")
    supervisor.children(2)
    assert cli.event().startswith("blocking in ")
    supervisor.send(signal.SIGKILL)
    assert supervisor.wait() == -signal.SIGKILL


def test_modules_that_cannot_be_loaded_are_complained_of_once(cli: Cli) -> None:
    done = cli.run("worker", "cli_no_such_module", "--processes", "3")
    assert done.returncode == 2
    assert done.stderr.count("module 'cli_no_such_module' is not found") == 1
    assert done.stderr.count(" is process ") == 1


def test_one_that_cannot_load_its_modules_any_more_is_not_started_again(cli: Cli, tmp_path: Path) -> None:
    module = tmp_path / "deployed.py"
    module.write_text(
        "import os\n"
        "from nb_aiopool.contrib.nb_aio_task import aio_task\n"
        "@aio_task('deployed', redis_url=os.environ['CLI_TEST_URL'])\n"
        "async def f(): ...\n",
        encoding="utf-8",
    )
    supervisor = cli.start("worker", "deployed", "--processes", "2", cwd=tmp_path)
    children = supervisor.children(2)
    supervisor.wait_for_all(2, "consuming")
    module.write_text("1 / 0\n", encoding="utf-8")
    os.kill(children[0], signal.SIGKILL)
    supervisor.wait_for("ZeroDivisionError")
    supervisor.wait_for("ERROR .*worker 1 cannot load its modules; it is not started again")
    os.kill(children[1], signal.SIGKILL)
    supervisor.wait_for("ERROR .*worker 2 cannot load its modules; it is not started again")
    assert supervisor.wait() == 2


def test_an_exit_status_of_2_of_a_task_is_not_taken_for_that(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text(
        "import os\n"
        "from nb_aiopool.contrib.nb_aio_task import aio_task\n"
        "@aio_task('leaving', redis_url=os.environ['CLI_TEST_URL'], lease=1, max_deliveries=1)\n"
        "async def leave(): os._exit(2)\n",
        encoding="utf-8",
    )
    cli.submit("leaving", [])
    supervisor = cli.start("worker", "leaving", "--processes", "2", cwd=tmp_path)
    supervisor.wait_for("has ended unexpectedly: exit status 2; it is started again")
    supervisor.send(signal.SIGTERM)
    assert supervisor.wait() == 0


def test_one_that_dies_while_it_is_stopping_is_not_passed_over(cli: Cli) -> None:
    supervisor = cli.start(*TWO)
    supervisor.children(2)
    cli.submit("hold", ["a"])
    pid = int(cli.event().split()[3])
    supervisor.send(signal.SIGTERM)
    supervisor.wait_for("stopping 2 processes")
    os.kill(pid, signal.SIGKILL)
    assert supervisor.wait() == 1
    supervisor.wait_for(r"WARNING .*\(pid %d\) did not stop in peace: killed by SIGKILL" % pid)


def test_under_load_nothing_is_lost_and_nothing_runs_twice(cli: Cli) -> None:
    total = 4000
    cli.submit("count", *([number] for number in range(total)))
    supervisor = cli.start("worker", "cli_jobs:count", "--processes", "3")
    supervisor.children(3)
    assert cli.event() == "many"
    supervisor.send(signal.SIGTERM)
    assert supervisor.wait() == 0
    assert len(cli.runs()) + cli.redis.llen("nb_aio_task:count") == total
    assert cli.run("worker", "cli_jobs:count", "--burst", "--processes", "2").returncode == 0
    assert cli.runs() == dict.fromkeys(range(total), 1)


def test_a_wrong_password_ends_all_of_it(cli: Cli) -> None:
    url = cli.url.replace("redis://", "redis://user:wrong@")
    done = cli.run("worker", "cli_jobs:hold", "--processes", "2", CLI_TEST_URL=url)
    assert done.returncode == 1
    assert "Redis refuses the connection" in done.stderr
    assert "wrong@" not in done.stderr
    assert "started again" not in done.stderr


def test_exit_statuses_in_words() -> None:
    words: List[str] = [described(status) for status in (0, 2, -9, -200)]
    assert words == ["exit status 0", "exit status 2", "killed by SIGKILL", "killed by signal 200"]
