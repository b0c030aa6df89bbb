"""A Redis that goes away, hangs, forgets, is full, or has another time: nothing is lost, and all goes on by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from chaos import Chaos, full, item, until
from chaos_producer import Producers

from nb_aiopool.contrib.nb_aio_task.keys import QueueKeys

if TYPE_CHECKING:
    from pathlib import Path

    from redis_server import RedisServer

HOURS = 3 * 3600 * 1000
LEASE = 1.0


def count_of(log: Path, text: str) -> int:
    return log.read_text(encoding="utf-8").count(text)


@full
@pytest.mark.limit(90)
@pytest.mark.parametrize("outage", ["restart", "kill", "pause"])
def test_under_load(tmp_path: Path, own_server: RedisServer, outage: str) -> None:
    with Chaos(tmp_path, own_server, lease=10.0) as chaos:
        with Producers(own_server.url, chaos.queue, 2) as producers:
            chaos.start(2)
            for _ in range(4):
                producers.wait_for(150)
                if outage == "restart":
                    own_server.restart()
                elif outage == "kill":
                    own_server.kill()
                    own_server.start()
                else:
                    own_server.pause()
                    time.sleep(0.2)
                    own_server.resume()
        chaos.until_done(producers.told)
        chaos.stop()
        # What was told to nobody may run again; what a producer repeated, because it was not answered, may not.
        repeated = chaos.history.repeated()
        assert max(repeated.values(), default=1) == 1 or outage != "pause", chaos.tell(repeated)
        assert len(repeated) <= 4 * 2 * 2 * 11, chaos.tell(repeated)
        assert chaos.dead() == []


@full
@pytest.mark.limit(60)
@pytest.mark.parametrize("outage", ["kill", "pause"])
def test_an_outage_longer_than_every_lease_takes_nobodys_work(
    tmp_path: Path, own_server: RedisServer, outage: str
) -> None:
    gate = tmp_path / "gate"
    with Chaos(tmp_path, own_server, max_concurrency=5, lease=LEASE) as chaos:
        chaos.submit([item(label, gate=str(gate)) for label in range(24)])
        victim, *_ = chaos.start(4)
        chaos.until_started(20)
        victim.kill()
        getattr(own_server, outage)()
        time.sleep(3 * LEASE)
        own_server.start() if outage == "kill" else own_server.resume()
        # The dead one's work is taken over; that of the others would be as well by then, if anybody were about to.
        until(lambda: chaos.queued() == 6, lambda: chaos.tell(range(24)))
        gate.touch()
        chaos.until_done(range(24))
        again = set(chaos.history.repeated())
        mine = {event.label for event in chaos.history.events() if event.worker == victim.pid}
        assert again == mine, chaos.tell(again ^ mine)


@pytest.mark.limit(60)
def test_redis_is_full(tmp_path: Path, forgetful_server: RedisServer) -> None:
    server = forgetful_server
    gate = tmp_path / "gate"
    with Chaos(tmp_path, server, lease=LEASE) as chaos:
        chaos.submit([item(label, gate=str(gate)) for label in range(30)])
        chaos.start(2)
        chaos.until_started(20)
        server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        server.command("CONFIG", "SET", "maxmemory", "1")
        with Producers(server.url, chaos.queue, 1) as producers:
            gate.touch()  # what runs goes on, and is told later
            until(lambda: chaos.history.count("end") >= 20, lambda: chaos.tell(range(20)))
            until(lambda: count_of(chaos.log, "cannot be used") == 2, lambda: chaos.tell([]))
            until(lambda: b"errorstat_OOM" in server.command("INFO", "errorstats"))
            assert chaos.history.count("start") <= 22  # what they had read ahead
            server.command("CONFIG", "SET", "maxmemory", "0")
            producers.wait_for(10)
        labels = [*range(30), *producers.told]
        chaos.until_done(labels)
        chaos.stop()
        chaos.assert_once(labels)


@pytest.mark.limit(60)
@pytest.mark.parametrize("direction", [-HOURS, HOURS], ids=["back", "ahead"])
def test_leases_and_delays_are_far_off(tmp_path: Path, redis_server: RedisServer, direction: int) -> None:
    """As after a jump of the server's clock: nobody's work is taken, and a dead one's is, all the same."""
    gate = tmp_path / "gate"
    with Chaos(tmp_path, redis_server, max_concurrency=5, lease=LEASE) as chaos:
        keys = QueueKeys(chaos.task.queue_name)
        chaos.submit([item(label, gate=str(gate)) for label in range(18)])
        victim, *_ = chaos.start(3)
        chaos.until_started(15)
        victim.kill()
        move(redis_server, keys.consumers, direction)
        until(lambda: chaos.queued() == 6, lambda: chaos.tell(range(18)))
        gate.touch()
        chaos.until_done(range(18))
        again = set(chaos.history.repeated())
        mine = {event.label for event in chaos.history.events() if event.worker == victim.pid}
        assert again == mine, chaos.tell(again ^ mine)


def move(server: RedisServer, zset: str, by: int) -> None:
    """Shift all scores of the sorted set."""
    script = (
        "local all = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')"
        " for i = 1, #all, 2 do redis.call('ZADD', KEYS[1], all[i + 1] + ARGV[1], all[i]) end return #all"
    )
    assert server.command("EVAL", script, "1", zset, str(by)) != b":0\r\n"


@pytest.mark.limit(60)
@pytest.mark.parametrize("direction", [-HOURS, HOURS], ids=["back", "ahead"])
def test_delays_are_far_off(tmp_path: Path, redis_server: RedisServer, direction: int) -> None:
    """They come too early or too late, but once."""
    labels = range(40)
    with Chaos(tmp_path, redis_server, lease=LEASE) as chaos:
        chaos.submit([item(label) for label in labels], chaos.task.options(delay=HOURS / 2000))
        chaos.start(2)
        delayed = QueueKeys(chaos.task.queue_name).delayed
        move(redis_server, delayed, direction)
        if direction > 0:
            assert chaos.stats() == (0, 0, 40, 0)
            move(redis_server, delayed, -2 * direction)
        chaos.until_done(labels)
        chaos.stop()
        chaos.assert_once(labels)


@pytest.mark.limit(60)
@pytest.mark.parametrize("loss", ["FLUSHALL", "restart"])
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_redis_forgets_everything(
    tmp_path: Path, forgetful_server: RedisServer, loss: str, busy: bool
) -> None:
    """Workers go on with what comes after that; what they run ends."""
    server, gate = forgetful_server, tmp_path / "gate"
    with Chaos(tmp_path, server, lease=LEASE) as chaos:
        running = range(22 if busy else 0)
        chaos.submit([item(label, gate=str(gate)) for label in running])
        workers = chaos.start(2)
        chaos.until_started(20 if busy else 0)
        if not busy:
            until(lambda: b"blocked_clients:2" in server.command("INFO", "clients"))
        if loss == "restart":
            server.restart()
        else:
            server.command("FLUSHALL")
        new = ["new-%d" % number for number in range(100)]
        chaos.submit([item(label) for label in new])
        gate.touch()
        chaos.until_done(new)
        until(lambda: len(chaos.history.missing(running)) <= 2)  # but not what was not running yet
        # What a blocking call has taken before its worker knew that it was forgotten may run again.
        again = chaos.history.repeated()
        assert len(again) <= len(workers) and set(again) <= set(new), chaos.tell(again)
        chaos.submit([item("last-%d" % number) for number in range(40)])
        chaos.until_done(["last-%d" % number for number in range(40)])
        chaos.stop(workers)
