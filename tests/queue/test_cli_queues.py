"""`queues`: all queues of a server."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from redis_server import RedisServer, free_port

from nb_aiopool.contrib.nb_aio_task.cli.text import printable, table
from nb_aiopool.contrib.nb_aio_task.keys import QueueKeys, queue_of

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import Cli

pytestmark = pytest.mark.limit(60)


def test_it_shows_what_is_where_and_how_many_work(cli: Cli) -> None:
    cli.submit("b-queued", [1], [2])
    cli.redis.zadd("{nb_aio_task:c-delayed}:delayed", {"x": 1, "y": 2, "z": 3})
    for number in range(1100):
        cli.redis.hset("{nb_aio_task:a-dead}:dead", str(number), "")
    cli.redis.set("nb_aio_task:no-list", "")
    cli.redis.set("something else", "")
    cli.submit("hold", ["a"])
    worker = cli.start("worker", "cli_jobs:hold")
    cli.event()
    done = cli.run("queues")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "queue      queued  running  delayed   dead  workers",
        "a-dead          0        0        0  1,100        0",
        "b-queued        2        0        0      0        0",
        "c-delayed       0        0        3      0        0",
        "hold            0        1        0      0        1",
    ]
    worker.send(signal.SIGTERM)
    cli.open_gate("a")
    assert worker.wait() == 0
    # Its lease has ended.
    assert cli.run("queues").stdout.splitlines()[-1].split() == ["hold", "0", "0", "0", "0", "0"] or (
        "hold" not in cli.run("queues").stdout
    )


def test_a_lease_that_has_run_out_is_no_worker(cli: Cli) -> None:
    cli.redis.zadd("{nb_aio_task:q}:consumers", {"dead": 5, "condemned": -5})
    assert cli.run("queues").stdout.splitlines()[1].split() == ["q", "0", "0", "0", "0", "0"]


def test_it_says_so_if_there_are_none(cli: Cli) -> None:
    done = cli.run("queues")
    assert (done.returncode, done.stdout) == (0, "there are no queues on this server\n")


def test_more_keys_than_one_scan_returns(cli: Cli) -> None:
    with cli.redis.pipeline() as pipe:
        for number in range(3000):
            pipe.rpush(f"nb_aio_task:q{number:04d}", "x")
        pipe.execute()
    lines = cli.run("queues").stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [f"q{number:04d}" for number in range(3000)]


def test_the_url_is_an_option_or_comes_from_the_environment(cli: Cli) -> None:
    cli.submit("mails", [1])
    other = cli.url.replace("/7", "/8")
    assert "mails" in cli.run("queues", "--url", cli.url, NB_AIO_TASK_URL=other).stdout
    assert "mails" not in cli.run("queues", NB_AIO_TASK_URL=other).stdout


def test_a_server_that_is_not_there(cli: Cli) -> None:
    done = cli.run("queues", "--url", f"redis://user:secret@127.0.0.1:{free_port()}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("python -m nb_aiopool queues: error: redis://127.0.0.1:")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_a_server_that_refuses(cli: Cli) -> None:
    done = cli.run("queues", "--url", cli.url.replace("redis://", "redis://user:secret@"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Redis refuses the connection" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_server_that_does_not_answer(cli: Cli, tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        server.pause()
        done = cli.run("queues", "--url", server.url)
        server.resume()
    assert (done.returncode, done.stdout) == (1, "")
    assert "has not answered within 5 s" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "url",
    ["memory://", "http://localhost", "localhost:6379", "redis://localhost:port", "redis://localhost?db=x"],
)
def test_a_url_that_makes_no_sense(cli: Cli, url: str) -> None:
    done = cli.run("queues", "--url", url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_what_a_terminal_would_obey_is_not_sent_to_it(cli: Cli) -> None:
    cli.submit("evil\x1b[2J", [1])
    out = cli.run("queues").stdout
    assert "evil\\x1b[2J" in out
    assert "\x1b" not in out
    assert printable("plain ü 漢") == "plain ü 漢"


def test_a_key_tells_its_queue() -> None:
    keys = QueueKeys("nb_aio_task:a:b")
    for key in (
        keys.list,
        keys.dead,
        keys.consumers,
        keys.inflight("x:y"),
        keys.unique("{z}"),
        keys.result("}:"),
    ):
        assert queue_of(key) == "a:b"
    for key in ("", "nb_aio_task:", "{nb_aio_task:}:dead", "other", "{other}:dead", "{nb_aio_tas"):
        assert queue_of(key) is None


def test_a_table() -> None:
    rows = [("mails", "1,024", "x"), ("a", "0", "longer")]
    assert table(("queue", "dead", "why"), rows, left=("why",)).splitlines() == [
        "queue   dead  why",
        "mails  1,024  x",
        "a          0  longer",
    ]
    assert json.dumps(table(("a",), [])) == '"a"'
