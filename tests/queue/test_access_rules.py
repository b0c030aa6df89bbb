"""A user of Redis with no more rights than the documentation lists can make every call and run every command."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("redis")

from cli_support import Cli

from nb_aiopool.contrib.nb_aio_task import aio_task
from nb_aiopool.contrib.nb_aio_task.redis_scripts import SCRIPTS

if TYPE_CHECKING:
    from redis_server import RedisServer

DOCS = Path(__file__).resolve().parents[2] / "docs" / "queue"
MODULE = """
import os
from nb_aiopool.contrib.nb_aio_task import aio_task

@aio_task("modest", redis_url=os.environ["NB_AIO_TASK_URL"], lease=1, max_deliveries=2)
async def work(what="", number=0):
    if what == "die":
        os._exit(1)
    if what == "fail":
        raise ValueError(number)
"""

pytestmark = pytest.mark.limit(120)


@pytest.fixture
def modest_url(own_server: RedisServer) -> str:
    """The server, as that user; whoever gives no name may do nothing."""
    rules = [
        re.findall(r"^ACL SETUSER .*$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE)
        for page in ("operating.md", "operating.zh.md")
    ]
    assert rules[0] == rules[1]
    assert len(rules[0]) == 1
    assert own_server.command(*rules[0][0].split()) == b"+OK\r\n"
    return own_server.url.replace("redis://", "redis://worker:secret@")


async def make_every_call(url: str) -> None:
    failing = True

    async def work(what: str = "", number: int = 0) -> int:
        if what == "fail" and failing:
            raise ValueError(what)
        return number

    task = aio_task(
        "modest", redis_url=url, lease=1, result_ttl=60, max_retries=1, retry_delay=0.01, timeout=9
    )(work)
    assert await (await task.submit(number=1)).status() == "queued"
    later = await task.options(delay=3600, id="later").submit()
    assert await later.status() == "delayed"
    await task.clear_queue()
    assert tuple(await task.stats()) == (0, 0, 0, 0)
    handles = await task.submit_many([((), {"number": number}) for number in range(50)])
    bad = await task.options(id="bad").submit("fail")
    consuming = asyncio.ensure_future(task.consume())
    assert [await handle.result(timeout=60) for handle in handles] == list(range(50))
    with pytest.raises(Exception, match="ValueError"):
        await bad.result(timeout=60)
    assert await task.get_queue_size() == 0
    assert [letter.id for letter in await task.dead_letters()] == ["bad"]
    failing = False
    assert await task.retry_dead("bad") == 1
    assert await bad.result(timeout=60) == 0
    failing = True
    worse = await task.submit("fail")
    with pytest.raises(Exception, match="ValueError"):
        await worse.result(timeout=60)
    assert await task.delete_dead() == 1
    await task.stop()
    await consuming
    await task.close()


def run_every_command(server: RedisServer, url: str, directory: Path) -> None:
    (directory / "modest.py").write_text(MODULE, encoding="utf-8")
    cli = Cli(server.url)
    cli.env["NB_AIO_TASK_URL"] = url

    def run(*arguments: str) -> str:
        done = cli.run(*arguments, cwd=directory)
        assert done.returncode == 0, done.stderr
        return done.stdout

    cli.submit("modest", ["fail", 1], ["die"], *(["", number] for number in range(20)))
    assert "modest" in run("queues")
    run("worker", "modest", "--burst", "--processes", "2")
    assert "ValueError" in run("dead", "list", "modest")
    assert "2 dead letters of modest queued again" in run("dead", "retry", "modest")
    run("worker", "modest", "--burst", "--processes", "2")
    assert "2 dead letters of modest deleted" in run("dead", "delete", "modest")
    cli.close()


def test_a_user_with_the_rights_that_are_listed_needs_no_others(
    own_server: RedisServer, modest_url: str, tmp_path: Path
) -> None:
    asyncio.run(make_every_call(modest_url))
    run_every_command(own_server, modest_url, tmp_path)
    assert own_server.command("ACL", "LOG") == b"*0\r\n"
    # None was left out: the server has met each of them.
    digests = [script.digest.decode() for script in SCRIPTS.values()]
    assert own_server.command("SCRIPT", "EXISTS", *digests) == b"*%d\r\n" % len(digests) + b":1\r\n" * len(
        digests
    )
