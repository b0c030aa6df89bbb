"""What is asked of the server: commands it knows since 6.2, keys of one cluster slot, and every way to reach it."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterator, List

import pytest
from redis_server import RedisServer, free_port, server_program
from task_support import Notes, Workshop, raised

from nb_aiopool.contrib import nb_aio_task
from nb_aiopool.contrib.nb_aio_task import BrokerError
from nb_aiopool.contrib.nb_aio_task.keys import LIST_PREFIX, QueueKeys

SOURCES = Path(nb_aio_task.__file__).parent
# All of them are in Redis 6.2, and with the arguments that are used here.
KNOWN = {
    "BLMOVE",
    "CLIENT",
    "DEL",
    "EVAL",
    "EVALSHA",
    "GET",
    "HDEL",
    "HGET",
    "HKEYS",
    "HLEN",
    "HMGET",
    "HSCAN",
    "HSET",
    "HVALS",
    "LLEN",
    "LMOVE",
    "LPOP",
    "LPUSH",
    "LRANGE",
    "LREM",
    "MGET",
    "PEXPIRE",
    "RPUSH",
    "SET",
    "TIME",
    "UNLINK",
    "ZADD",
    "ZCARD",
    "ZRANGE",
    "ZRANGEBYSCORE",
    "ZREM",
    "ZREMRANGEBYSCORE",
    "ZSCORE",
}


def test_scripts_use_nothing_that_is_newer_than_redis_6_2() -> None:
    used = set()
    for path in (SOURCES / "lua").glob("*.lua"):
        text = re.sub("--.*", "", path.read_text(encoding="utf-8"))
        assert "#!" not in text and "redis.setresp" not in text and "FCALL" not in text, path
        used |= set(re.findall(r"redis\.p?call\('(\w+)'", text))
        assert len(re.findall(r"redis\.p?call\(", text)) == len(re.findall(r"redis\.p?call\('\w+'", text)), (
            path
        )
    assert {"EVAL", "EVALSHA"}.isdisjoint(used)
    assert used <= KNOWN, used - KNOWN
    # Options that came later to commands which are older.
    for path in (SOURCES / "lua").glob("*.lua"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"'(PEXPIRE|EXPIRE)'[^\n]*'(NX|XX|GT|LT)'", text), path
        assert not re.search(r"'SET'[^\n]*'NX'[^\n]*'GET'", text), path


def test_the_broker_calls_nothing_that_is_newer_than_redis_6_2() -> None:
    text = (SOURCES / "redis_broker.py").read_text(encoding="utf-8")
    used = set(re.findall(r"call\(\s*\"(\w+)\"", text))
    assert used
    assert used <= KNOWN, used - KNOWN


def slot(key: bytes) -> int:
    """The slot of a key in a Redis Cluster: CRC16 (XMODEM) of what stands between the first braces, if anything."""
    begin = key.find(b"{")
    end = key.find(b"}", begin + 1)
    if begin >= 0 and end > begin + 1:
        key = key[begin + 1 : end]
    crc = 0
    for byte in key:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc % 16384


def test_slots_are_computed_as_redis_does() -> None:
    assert slot(b"123456789") == 12739
    assert slot(b"{user1000}.following") == slot(b"user1000") == 3443


@pytest.mark.parametrize("queue", ["q", "a:b", "ä", "a b", "x" * 300])
def test_all_keys_of_a_queue_are_in_one_slot(queue: str) -> None:
    keys = QueueKeys(LIST_PREFIX + queue)
    names = [keys.list, keys.consumers, keys.delayed, keys.parked, keys.dead, keys.ids]
    names += [keys.inflight("c"), keys.wait("c"), keys.state("c"), keys.producer("p")]
    names += [keys.result("}{"), keys.unique("{other}")]
    assert len(set(names)) == 12
    assert len({slot(name.encode()) for name in names}) == 1


@pytest.mark.loop("asyncio")
async def test_all_keys_that_are_ever_touched_are_in_one_slot(
    redis_workshop: Workshop, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(x: int) -> None:
        if x:
            raise LookupError

    task = redis_workshop.task(fail, result_ttl=60, max_retries=1, retry_delay=0.001)
    with client.monitor() as monitor:
        for x in (0, 1):
            await task.options(id="{id%d}" % x).submit(x)
        await task.options(delay=0.01).submit(0)
        async with redis_workshop.consuming(task):
            while (await task.stats())[:3] != (0, 0, 0):
                await asyncio.sleep(0.01)
        await task.retry_dead()
        await task.clear_queue()
        handle = await task.submit(0)
        await handle.status()
        await task.delete_dead()
        client.echo("the end")
        touched: List[str] = []
        for entry in monitor.listen():
            if entry["command"].startswith("ECHO"):
                break
            touched += re.findall(r"\S*nb_aio_task:%s\S*" % task.definition.queue, entry["command"])
    assert len(set(touched)) > 12
    assert {slot(key.encode()) for key in touched if not key.endswith("}:")} == {
        slot(task.queue_name.encode())
    }


# -- Ways to reach it ------------------------------------------------------------------------------------------


async def round_trip(url: str) -> None:
    workshop = Workshop(url)
    notes = Notes()
    task = workshop.task(notes.function(), result_ttl=60)
    try:
        handle = await task.submit("a")
        await workshop.work_off(task)
        assert notes.calls == ["a"]
        assert await handle.result() == "a"
    finally:
        await workshop.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server with a password, and with a user who may do anything but wait."""
    pytest.importorskip("redis")
    if server_program() is None:
        pytest.skip("there is no redis-server on this machine")
    directory = tmp_path_factory.mktemp("guarded")
    options = ["--requirepass", "geheim/@:", "--user", "hasty", "on", ">p", "~*", "+@all", "-blmove"]
    options += ["--unixsocket", str(directory / "s")]
    with RedisServer(directory, options=options) as server:
        yield server


def with_user(server: RedisServer, user: str) -> str:
    return "redis://%s@127.0.0.1:%d/0" % (user, server.port)


PASSWORD = "geheim%2F%40%3A"


@pytest.mark.loop("asyncio", "uvloop")
@pytest.mark.parametrize("options", ["", "?protocol=3", "?decode_responses=True", "?socket_timeout=5"])
async def test_a_password_and_options_in_the_url(guarded: RedisServer, options: str) -> None:
    await round_trip(with_user(guarded, ":" + PASSWORD) + options)
    await round_trip(with_user(guarded, "default:" + PASSWORD) + options)


@pytest.mark.loop("asyncio", "uvloop")
async def test_a_unix_socket(guarded: RedisServer) -> None:
    await round_trip("unix://:%s@%s/s?db=2" % (PASSWORD, guarded.directory))


@pytest.mark.loop("asyncio", "uvloop")
@pytest.mark.parametrize("user", [":falsch", "nobody:falsch", ""])
async def test_a_wrong_password_fails_at_once_wherever_it_is_met(
    guarded: RedisServer, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    workshop = Workshop(with_user(guarded, user) if user else guarded.url)
    task = workshop.task(Notes().function(), result_ttl=60)
    calls = [
        lambda: task.submit(1),
        lambda: task.submit_many([((1,), {})]),
        task.consume,
        lambda: nb_aio_task.batch_consume([task]),
        task.stats,
        task.get_queue_size,
        task.clear_queue,
        task.dead_letters,
        task.retry_dead,
        task.delete_dead,
    ]
    for call in calls:
        error = await raised(call())
        assert isinstance(error, BrokerError), (call, error)
        assert re.search("WRONGPASS|NOAUTH|[Aa]uthenticat|invalid username-password", str(error)), error
        assert ".. " not in str(error)
        assert "redis_url" in str(error)
        assert "falsch" not in str(error)
    await workshop.close()
    assert "falsch" not in caplog.text


@pytest.mark.loop("asyncio", "uvloop")
async def test_who_may_not_wait_is_told_so(guarded: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    workshop = Workshop(with_user(guarded, "hasty:p"))
    task = workshop.task(Notes().function())
    error = await raised(task.consume())
    assert isinstance(error, BrokerError)
    assert "blmove" in str(error).lower()
    await workshop.close()


@pytest.mark.loop("asyncio")
async def test_a_database_that_is_not_there_fails_at_once(redis_workshop: Workshop) -> None:
    task = redis_workshop.task(Notes().function(), redis_url=redis_workshop.url[:-1] + "99")
    assert isinstance(await raised(task.submit(1)), BrokerError)
    assert isinstance(await raised(task.consume()), BrokerError)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The URL of a server that speaks TLS only, without options, and the file of its certificate."""
    pytest.importorskip("redis")
    if shutil.which("openssl") is None or server_program() is None:
        pytest.skip("there is no openssl or no redis-server on this machine")
    directory = tmp_path_factory.mktemp("tls")
    key, certificate = directory / "key.pem", directory / "cert.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            str(key),
            "-out",
            str(certificate),
        ],
        check=True,
        capture_output=True,
    )
    port = free_port()
    options = ["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    server = RedisServer(directory, options=[*options, "--tls-auth-clients", "no"])
    try:
        server.start()
    except RuntimeError:
        pytest.skip("this redis-server knows no TLS")
    try:
        yield "rediss://127.0.0.1:%d/0" % port, certificate
    finally:
        server.kill()


@pytest.mark.loop("asyncio", "uvloop")
@pytest.mark.parametrize("options", ["?ssl_cert_reqs=none&ssl_check_hostname=False", "?ssl_ca_certs={}"])
async def test_tls_with_its_options_in_the_url(tls: Any, options: str) -> None:
    url, certificate = tls
    await round_trip(url + options.format(certificate))


WITHOUT_REDIS = """
import asyncio, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "redis":
            raise ModuleNotFoundError("No module named 'redis'", name="redis")

sys.meta_path.insert(0, Block())
from nb_aiopool.contrib.nb_aio_task import aio_task

async def double(x):
    return 2 * x

here = aio_task("q", redis_url="memory://", result_ttl=60)(double)
there = aio_task("q", redis_url="redis://localhost:1/0")(double)

async def main():
    handle = await here.submit(2)
    consumer = asyncio.ensure_future(here.consume())
    print(await handle.result())
    await here.stop()
    await consumer
    for call in (lambda: there.submit(1), there.consume, there.stats):
        try:
            await call()
        except ImportError as error:
            print(error)
    print(await there(3))

asyncio.run(main())
"""


def test_without_redis_py_memory_works_and_the_rest_says_what_to_install(script: Any) -> None:
    lines = script(WITHOUT_REDIS).stdout.splitlines()
    assert (lines[0], lines[-1]) == ("4", "6")
    assert len(lines) == 5
    for line in lines[1:-1]:
        assert "pip install 'nb_aiopool[redis]'" in line and "memory://" in line
