"""The comparison of queues runs and draws the right conclusions, with a real Redis server. Nothing here depends on how
fast anything is."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import shutil
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Dict, List

import pytest

from benchmarks import compare, harness, report, saved
from benchmarks.figures import Run
from benchmarks.queue import command, markdown, redis_server, rivals, sample, site
from benchmarks.queue.journal import Journal
from benchmarks.queue.producer import portions
from benchmarks.queue.workloads import WORKLOADS, selected
from benchmarks.rivals import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

NAMED = {workload.name: workload for workload in WORKLOADS}
with_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None or importlib.util.find_spec("redis") is None,
    reason="needs redis-server and redis-py",
)

# Enough of the original's interface for the harness; its speed is of no interest here.
ORIGINAL = """
import pickle
import redis.asyncio
from nb_log import get_logger

class AioTask:
    def __init__(self, queue, function, url):
        self.queue, self.function, self.redis = queue, function, redis.asyncio.Redis.from_url(url)

    async def submit(self, *args):
        await self.redis.rpush(self.queue, pickle.dumps(args))
        get_logger(__name__).info("submitted")

    async def consume(self):
        while True:
            _, payload = await self.redis.blpop(self.queue)
            await self.function(*pickle.loads(payload))

    async def close(self):
        await self.redis.connection_pool.disconnect()

def aio_task(queue, max_concurrency, redis_url):
    return lambda function: AioTask(queue, function, redis_url)
"""


@pytest.fixture
def original(tmp_path: Path) -> Path:
    contrib = tmp_path / "original" / "nb_aiopool" / "contrib"
    contrib.mkdir(parents=True)
    package = contrib.parent
    (package / "__init__.py").write_text("from .nb_aiopool import NbAioPool\n", encoding="utf-8")
    (package / "nb_aiopool.py").write_text("class NbAioPool: pass\n", encoding="utf-8")
    (contrib / "__init__.py").write_text("", encoding="utf-8")
    (contrib / "nb_aio_task.py").write_text(ORIGINAL, encoding="utf-8")
    return package.parent


@with_redis
@pytest.mark.parametrize("name", NAMED)
def test_every_workload_measures_what_needs_no_package(name: str) -> None:
    workload = NAMED[name]
    assert workload.fits(rivals.load("ceiling"))
    outcome = sample.take("ceiling", name, workload.quick)
    assert set(outcome) == {metric.name for metric in workload.metrics}
    assert all(math.isfinite(value) for value in outcome.values())
    assert all(outcome[metric.name] > 0 for metric in workload.metrics if metric.more)


@with_redis
@pytest.mark.limit(120)
@pytest.mark.parametrize("name", [name for name in rivals.TITLES if name not in ("original", "ceiling")])
def test_a_rival_drains_what_it_submits(name: str) -> None:
    try:
        rival = rivals.load(name)
    except Unavailable as error:
        pytest.skip(str(error))
    for workload in ("noop", "bulk"):
        if NAMED[workload].fits(rival):
            assert sample.take(name, workload, NAMED[workload].quick)["rate"] > 0


@with_redis
def test_one_command_measures_reports_saves_and_tabulates(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, tables = tmp_path / "result.json", tmp_path / "tables.md"
    common = ["--only", "noop", "--rivals", "original,ceiling", "--original", str(original)]
    assert command.main([*common, "--quick", "--json", str(result)]) == 0
    printed = capsys.readouterr().out
    for words in (
        "no-op tasks, 1 worker: rate, tasks/s",
        "nb_aio_task 1.0: at most once",
        "vs 1.0",
        "redis-server ",
    ):
        assert words in printed
    [run] = saved.load(str(result))
    assert set(run.samples) == {
        ("noop", metric, rival) for metric in ("rate", "cpu", "commands") for rival in ("original", "ceiling")
    }
    assert command.main(["--from", str(result), "--markdown", str(tables)]) == 0
    written = tables.read_text(encoding="utf-8")
    assert "| no-op tasks, 1 worker (tasks/s) |" in written
    assert "acknowledges nothing" in written


@pytest.mark.parametrize(
    "arguments",
    [["--rivals", "ours,nobody"], ["--only", "nothing"], ["--rounds", "0"], ["--from", "/nowhere"]],
)
def test_a_wrong_argument_is_named(arguments: List[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == 2
    assert arguments[1].rpartition(",")[2] in capsys.readouterr().err


def test_without_a_server_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redis_server, "PROGRAM", "no-such-server")
    assert command.main(["--rivals", "ceiling", "--quick"]) == 2
    assert "no no-such-server on this machine" in capsys.readouterr().err


def test_without_a_client_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redis_server, "version", lambda: "7.0.0")
    monkeypatch.setitem(sys.modules, "redis", None)
    assert command.main(["--rivals", "ceiling", "--quick"]) == 2
    assert "bench-queue" in capsys.readouterr().err


def test_what_is_not_installed_is_skipped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server, "version", lambda: "7.0.0")
    monkeypatch.setitem(sys.modules, "saq", None)
    monkeypatch.delitem(sys.modules, "benchmarks.queue.rivals.saq", raising=False)
    found = sample.probe(["saq"])
    assert found["rivals"] == {}
    run = Run("3.11.7", "asyncio", {}, found["skipped"])
    assert "skipped: SAQ (" in report.text([run], WORKLOADS, rivals.TITLES)


@with_redis
def test_samples_notice_that_they_would_compare_a_package_with_itself(original: Path) -> None:
    ask = ("noop", "10", "asyncio")
    for folder, rival, why in (
        (str(original), "ours", "is the original"),
        (None, "original", "is not the original"),
    ):
        with pytest.raises(harness.SampleFailed, match=why):
            harness.sample(sys.executable, folder, rival, *ask, module="benchmarks.queue.sample")


@with_redis
def test_a_worker_that_dies_is_told_of_with_what_it_said() -> None:
    with site.opened("ceiling") as place:
        place.start_workers("no_such_job", 10)
        with pytest.raises(RuntimeError, match=r"(?s)ended with status 1.*no_such_job"):
            place.go()


@with_redis
def test_a_server_ends_with_who_has_started_it(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\n"
        "from benchmarks.queue import redis_server\n"
        "with redis_server.running(pathlib.Path(sys.argv[1])) as client:\n"
        "    print(client.connection_pool.connection_kwargs['port'], flush=True)\n"
        "    sys.stdin.read()\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=harness.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    port = int(starter.stdout.readline())
    with contextlib.closing(socket.create_connection(("127.0.0.1", port))) as connection:
        starter.send_signal(signal.SIGKILL)
        starter.communicate()
        assert connection.recv(1) == b""  # the server has closed it, having ended


def test_a_journal_tells_what_a_worker_has_noted(tmp_path: Path) -> None:
    read, written = (Journal(tmp_path / "journal", 1000) for _ in range(2))
    assert (read.count, read.rows, read.delays) == (0, [], [])
    for number in range(1234):  # a task may run again, so there may be more than planned
        written.delayed(number)
        written.task_done()
    assert read.count == 1234
    assert [row.tasks for row in read.rows[:3]] == [1, 10, 20]
    assert [row.tasks for row in read.rows[-2:]] == [1220, 1230]
    assert read.delays == list(range(1000))
    assert all(row.resident > 1e6 for row in read.rows)
    times = [row.at for row in read.rows] + [read.last]
    assert times == sorted(times)


def test_portions_cover_everything_once() -> None:
    assert list(portions(5, 2)) == [[0, 1], [2, 3], [4]]
    assert list(portions(0, 2)) == []


def run_with(rates: Dict[str, float]) -> Run:
    run = Run("3.11.7", "asyncio", {"ours": "2", "redis-server": "7"}, {})
    run.notes["ours"] = "promises"
    for rival, rate in rates.items():
        run.samples[("noop", "rate", rival)] = [rate] * 5
    return run


def test_more_tasks_in_a_second_are_better() -> None:
    run = run_with({"original": 10_000.0, "ours": 50_000.0, "ceiling": 100_000.0})
    printed = report.text([run], WORKLOADS, rivals.TITLES)
    words = [line.split() for line in printed.splitlines()]
    assert ["nb_aio_task", "50,000", "±0.00", "5.00x", "0.50x"] in words
    assert (
        printed.index("bare script  ") < printed.index("nb_aio_task  ") < printed.index("nb_aio_task 1.0  ")
    )
    run.samples[("noop", "cpu", "ours")], run.samples[("noop", "cpu", "original")] = [20.0], [60.0]
    assert ["nb_aio_task", "20.0", "3.00x"] in [
        line.split() for line in report.text([run], WORKLOADS, rivals.TITLES).splitlines()
    ]
    assert "promises" in printed
    assert "| 5.00x |" in markdown.tables([run], WORKLOADS)


def test_fewer_tasks_in_a_second_are_a_regression() -> None:
    before = run_with({"ours": 50_000.0, "ceiling": 100_000.0})
    for rates, worse in (
        ({"ours": 40_000.0, "ceiling": 100_000.0}, True),
        ({"ours": 60_000.0, "ceiling": 100_000.0}, False),
        ({"ours": 25_000.0, "ceiling": 50_000.0}, False),  # the machine is slower, not the queue
    ):
        found = compare.changes([before], [run_with(rates)], selected(["noop"]))
        assert [change.regression for change in found] == [worse]
