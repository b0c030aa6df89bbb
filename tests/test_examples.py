"""The examples, each a program of a page: each runs against real parts on this machine, and says what it should."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import IO, Iterator, List

import pytest

import programs
from programs import COMPLETE, command, lines_of, need, run

unix = pytest.mark.skipif(os.name != "posix", reason="signals are sent as on Unix")


def test_every_example_runs_in_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    for example in programs.EXAMPLES.glob("*.py"):
        imported = example.name in ("memory.py", "sites.py")
        assert imported or '"%s"' % example.name in tests, example.name


def test_what_the_original_shows_works() -> None:
    assert lines_of("from_the_readmes.py", "--jobs", "20000") == [
        "submit: 10",
        "run: 20",
        "submit and gather: 9900",
        "batch_submit: 9900",
        "batch_run: 9900",
        "after shutdown: 9900",
        "global pool, two levels: 30 2175",
        "stream: 20000 jobs, never more than 11000 in memory: True",
        "executor: 435",
    ]


def test_producers_and_consumers_are_never_far_apart() -> None:
    stored, apart = lines_of("stages.py", "300")
    assert stored == "300 stored, their sum is %d" % sum(n * n for n in range(300))
    found = re.fullmatch(r"at most (\d+) of 300 were under way at once", apart)
    # Three producers with one each, the queue, one in the consumer's hands, and both pools with both their limits.
    assert found and int(found[1]) <= 3 + 10 + 1 + 16 + 6


@pytest.mark.parametrize("per_host", [1, 3])
def test_the_crawler_finds_every_page_and_is_polite(per_host: int, tmp_path: Path) -> None:
    need("aiohttp")
    file = tmp_path / "links.tsv"
    options = ["--quiet", "--pages", "60", "--per-host", str(per_host), "--output", str(file)]
    lines = lines_of("crawler.py", *options)
    # Of each site's tree of pages, what is behind the missing page 7 cannot be found.
    unreachable = {page for page in range(60) if any(ancestor == 7 for ancestor in ancestors(page))}
    pages = 60 - len(unreachable)
    retries = sum(page % 10 == 9 for page in range(60) if page not in unreachable)
    links = sum(
        sum(child < 60 for child in (2 * page + 1, 2 * page + 2)) + 4
        for page in range(60)
        if page not in unreachable and page != 7
    )
    assert lines[0] == "%d pages, %d links, %d retries" % (2 * pages, 2 * links, 2 * retries)
    written = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(written) == 2 * links
    assert {target for _, target in written if target.endswith("/30")} == {
        page[: page.rindex("/")] + "/30" for page, _ in written if page.endswith("/14")
    }
    assert [line.split(": ")[1] for line in lines[1:3]] == ["%d pages" % pages] * 2
    assert lines[3:5] == ["failed: /7: Not Found"] * 2
    found = re.fullmatch(r"the busiest host had (\d+) requests at once, the limit is \d+", lines[5])
    assert found and 1 <= int(found[1]) <= per_host


def ancestors(page: int) -> Iterator[int]:
    while page > 0:
        page = (page - 1) // 2
        yield page


def test_the_crawler_shows_how_far_it_is() -> None:
    need("aiohttp")
    done = run("crawler.py", "--pages", "20")
    assert re.search(r"\d+ of \d+ known pages, \d+ at once", done.stderr)
    assert done.stdout.startswith("36 pages, ")  # 20 of each site, less the two behind the missing one


def test_the_web_application_limits_its_backend_under_load() -> None:
    need("fastapi", "uvicorn")
    answers, backend = lines_of("webapp.py", "--requests", "300")
    counts = {what: int(times) for what, times in re.findall(r"(\w+ \d+): (\d+)", answers)}
    assert counts["mail 202"] == 60
    assert counts["price 200"] + counts["price 503"] == 240
    assert counts["price 200"] >= 44  # what the pool takes at once
    assert backend == "the backend had at most 4 callers, 60 mails were sent"


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A server of its own, on a free port."""
    need("redis")
    program = shutil.which("redis-server")
    if program is None:
        assert not COMPLETE, "there is no redis-server"
        pytest.skip("there is no redis-server on this machine")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < until and server.poll() is None, "redis-server does not start"
                time.sleep(0.01)
        yield "redis://127.0.0.1:%d/0" % port
    finally:
        server.terminate()
        server.wait(10)


def test_messages_are_taken_from_redis_only_as_there_is_room(redis_url: str) -> None:
    options = ["--url", redis_url, "--messages", "300", "--concurrency", "5"]
    back, handled, left = lines_of("redis_consumer.py", *options)
    assert (back, left) == ("1 put back", "0 waiting, 0 taken")
    found = re.fullmatch(r"301 handled, at most (\d+) taken at once", handled)
    # Those that run, the one that waits, and the one that the consumer holds.
    assert found and 1 <= int(found[1]) <= 5 + 1 + 1


@pytest.mark.parametrize("where", ["memory", "redis"])
def test_tasks_are_retried_chained_and_end_as_dead_letters(
    where: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = request.getfixturevalue("redis_url") if where == "redis" else "memory://"
    monkeypatch.setenv("NB_AIO_TASK_URL", url)
    done = run("task_queue.py", "--orders", "30")
    assert done.stdout.splitlines() == [
        # The last one, which nothing helps, has used up its three retries.
        "29 of 30 orders charged, %d in all, 5 retries" % sum(range(1, 30)),
        "29 mails sent",
        "dead: (30, -1) ValueError: order 30 has the price -1",
    ]
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.startswith("example-orders: charge failed for good: ValueError: ")


def test_tasks_wait_in_redis_for_a_later_worker(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NB_AIO_TASK_URL", redis_url)
    assert lines_of("task_queue.py", "--submit", "--orders", "7") == ["7 orders are waiting"]
    assert lines_of("task_queue.py", "--submit", "--orders", "2") == ["9 orders are waiting"]


@pytest.mark.parametrize("kind", ["plain", "tqdm", "rich"])
def test_batch_jobs_show_a_live_bar(kind: str) -> None:
    if kind != "plain":
        need(kind)
    done = run("progress.py", "--items", "200", "--bar", kind)
    assert done.stdout == "200 results, 100 different ones, the smallest is 0\n"
    assert {"plain": "200/200", "tqdm": "200/200", "rich": "100%"}[kind] in done.stderr


def read_until(stream: IO[str], beginning: str) -> List[str]:
    lines = []
    for line in stream:
        lines.append(line.rstrip("\n"))
        if line.startswith(beginning):
            return lines
    raise AssertionError("ended with %r" % lines)


@unix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_lets_its_jobs_end(number: signal.Signals) -> None:
    with subprocess.Popen(command("service.py"), stdout=subprocess.PIPE, encoding="utf-8") as service:
        try:
            read_until(service.stdout, "working")  # type: ignore[arg-type]
            service.send_signal(number)
            lines = read_until(service.stdout, "stopped")  # type: ignore[arg-type]
            assert service.wait(10) == 0
        finally:
            service.kill()
    assert re.fullmatch(r"stopping, \d+ jobs are left", lines[-2])
    assert lines[-1] == "stopped: 0 cancelled, 0 of them cleaned up, 0 running"


@unix
@pytest.mark.parametrize("signals", [1, 2], ids=["the grace period ends", "a second signal"])
def test_a_service_cancels_what_does_not_end(signals: int) -> None:
    grace = "0.1" if signals == 1 else "60"
    slow = command("service.py", "--slow", "--grace", grace)
    with subprocess.Popen(slow, stdout=subprocess.PIPE, encoding="utf-8") as service:
        try:
            read_until(service.stdout, "working")  # type: ignore[arg-type]
            service.send_signal(signal.SIGTERM)
            lines = read_until(service.stdout, "stopping")  # type: ignore[arg-type]
            if signals == 2:
                service.send_signal(signal.SIGTERM)
            lines += read_until(service.stdout, "stopped")  # type: ignore[arg-type]
            assert service.wait(10) == 0
        finally:
            service.kill()
    assert ("a second signal: cancelling" in lines) is (signals == 2)
    found = re.fullmatch(r"stopped: (\d+) cancelled, (\d+) of them cleaned up, 0 running", lines[-1])
    assert found and int(found[1]) >= int(found[2]) >= 1
