"""`dead`: listing, retrying and deleting dead letters, without ever decoding one."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, List

import pytest

if TYPE_CHECKING:
    from cli_support import Cli

pytestmark = pytest.mark.limit(60)

POISON = b"cos\nsystem\n(S'touch poisoned'\ntR."
DEAD = "{nb_aio_task:mails}:dead"
LIST = "nb_aio_task:mails"


def bury(cli: Cli, name: str, payload: bytes = POISON, **fields: Any) -> None:
    """Put a dead letter there, as a worker would."""
    header = {
        "name": name,
        "token": name,
        "given_id": "",
        "error": f"Traceback\n  {name}.py\nValueError: {name}",
    }
    header.update({"deliveries": 1, "died_at": time.time()}, **fields)
    record = json.dumps(header).encode() + b"\tthe signature of somebody\n" + payload
    cli.redis.hset(DEAD, name, record)


def raw(cli: Cli) -> List[bytes]:
    """What is queued."""
    import redis

    with redis.Redis.from_url(cli.url) as connection:
        queued: List[bytes] = connection.lrange(LIST, 0, -1)
        return queued


def test_list_shows_them_the_oldest_first(cli: Cli) -> None:
    bury(cli, "second", died_at=2e9, deliveries=3)
    bury(cli, "first", died_at=1e9)
    done = cli.run("dead", "list", "mails", TZ="UTC")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "id      died at              deliveries  error",
        "first   2001-09-09 01:46:40           1  ValueError: first",
        "second  2033-05-18 03:33:20           3  ValueError: second",
    ]


def test_list_in_full_and_by_id(cli: Cli) -> None:
    for name in ("a", "b", "c"):
        bury(cli, name, died_at=1e9)
    done = cli.run("dead", "list", "mails", "a", "c", "--full", TZ="UTC")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "a  died at 2001-09-09 01:46:40, delivered once",
        "  Traceback",
        "    a.py",
        "  ValueError: a",
        "",
        "c  died at 2001-09-09 01:46:40, delivered once",
        "  Traceback",
        "    c.py",
        "  ValueError: c",
    ]


def test_those_of_a_real_worker(cli: Cli) -> None:
    cli.submit("fail", ["for a test"])
    assert cli.run("worker", "cli_jobs:fail", "--burst").returncode == 0
    done = cli.run("dead", "list", "fail")
    assert done.stdout.splitlines()[1].endswith("  1  ValueError: for a test")
    assert cli.run("dead", "retry", "fail").stdout == "1 dead letter of fail queued again\n"
    assert cli.redis.llen("nb_aio_task:fail") == 1
    assert cli.run("worker", "cli_jobs:fail", "--burst").returncode == 0
    assert "for a test" in cli.run("dead", "list", "fail").stdout


def test_there_are_none(cli: Cli) -> None:
    for arguments, said in (
        (("list",), "mails has no dead letters\n"),
        (("retry",), "0 dead letters of mails queued again\n"),
        (("delete",), "0 dead letters of mails deleted\n"),
    ):
        done = cli.run("dead", *arguments, "mails")
        assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


def test_retry_queues_payloads_as_they_are(cli: Cli) -> None:
    for name in ("a", "b", "c"):
        bury(cli, name, name.encode() + POISON)
    done = cli.run("dead", "retry", "mails", "c", "a")
    assert (done.returncode, done.stdout) == (0, "2 dead letters of mails queued again\n")
    assert raw(cli) == [b"c" + POISON, b"a" + POISON]
    assert cli.redis.hkeys(DEAD) == ["b"]
    done = cli.run("dead", "retry", "mails")
    assert (done.returncode, done.stdout) == (0, "1 dead letter of mails queued again\n")
    assert raw(cli)[2:] == [b"b" + POISON]


def test_retry_resets_the_counts(cli: Cli) -> None:
    from nb_aiopool.contrib.nb_aio_task import trailer

    bury(cli, "a", trailer.join(b"body", 4, 2))
    cli.run("dead", "retry", "mails")
    assert raw(cli) == [b"body"]


def test_retry_of_one_whose_id_is_taken(cli: Cli) -> None:
    bury(cli, "order-1", given_id="order-1", token="t1")
    bury(cli, "order-2", given_id="order-2", token="t2")
    cli.redis.set("{nb_aio_task:mails}:unique:order-1", "another")
    done = cli.run("dead", "retry", "mails")
    assert (done.returncode, done.stdout) == (1, "1 dead letter of mails queued again\n")
    assert done.stderr.startswith("order-1 stays a dead letter: another task with its id is alive")
    assert cli.redis.hkeys(DEAD) == ["order-1"]


def test_delete(cli: Cli) -> None:
    for number in range(250):
        bury(cli, str(number))
    done = cli.run("dead", "delete", "mails", "7", "8")
    assert (done.returncode, done.stdout) == (0, "2 dead letters of mails deleted\n")
    assert cli.redis.hlen(DEAD) == 248
    assert cli.run("dead", "delete", "mails").stdout == "248 dead letters of mails deleted\n"
    assert cli.redis.hlen(DEAD) == 0
    assert raw(cli) == []


@pytest.mark.parametrize("action", ["list", "retry", "delete"])
def test_unknown_ids_are_named_and_the_others_are_seen_to(cli: Cli, action: str) -> None:
    bury(cli, "a")
    bury(cli, "b")
    done = cli.run("dead", action, "mails", "x", "a", "y")
    assert done.returncode == 1
    assert done.stderr == "mails has no dead letter x\nmails has no dead letter y\n"
    assert ("ValueError: a" if action == "list" else "1 dead letter of mails") in done.stdout
    assert set(cli.redis.hkeys(DEAD)) == ({"a", "b"} if action == "list" else {"b"})
    done = cli.run("dead", action, "mails", "x")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "mails has no dead letter x\n")
    assert "b" in cli.redis.hkeys(DEAD)


def test_records_of_somebody_who_means_no_good(cli: Cli) -> None:
    bury(cli, "a\x1b[2J", error="one\ntwo \x1b]0;title\x07", died_at=1e9)
    bury(cli, "future", died_at=1e300)
    bury(cli, "typed", died_at="soon")
    bury(cli, "wrong", error=["no", "text"])
    bury(cli, "much", deliveries=None)
    cli.redis.hset(DEAD, "torn", "{")
    for options in ((), ("--full",)):
        done = cli.run("dead", "list", "mails", *options)
        assert (done.returncode, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout
        assert "\x07" not in done.stdout
        for name in ("typed", "wrong", "much", "torn"):
            assert any(line.startswith(name + " ") for line in done.stdout.splitlines()), name
        assert done.stdout.count("this record is not to be trusted") == 4
    done = cli.run("dead", "retry", "mails")
    assert done.returncode == 1
    assert done.stdout == "2 dead letters of mails queued again\n"
    assert set(cli.redis.hkeys(DEAD)) == {"typed", "wrong", "much", "torn"}


def test_a_name_that_no_queue_can_have(cli: Cli) -> None:
    done = cli.run("dead", "list", "{mails}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "queue_name must not hold braces" in done.stderr


def test_a_server_that_is_not_there(cli: Cli) -> None:
    for action in ("list", "retry", "delete"):
        done = cli.run("dead", action, "mails", "--url", "redis://127.0.0.1:1")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("python -m nb_aiopool dead: error: redis://127.0.0.1:1: ")
        assert done.stderr.count("\n") == 1
