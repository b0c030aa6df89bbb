"""Workers that are told to end: nothing is lost, nothing runs twice, and they go in time."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, List

import pytest
from chaos import Chaos, full, item, until
from chaos_producer import Producers

if TYPE_CHECKING:
    from pathlib import Path

    from redis_server import RedisServer

LONG = 1000.0


@full
@pytest.mark.limit(90)
def test_workers_are_replaced_under_load(tmp_path: Path, redis_server: RedisServer) -> None:
    with Chaos(tmp_path, redis_server, lease=10.0) as chaos:
        with Producers(redis_server.url, chaos.queue, 2) as producers:
            chaos.start(3)
            for round_ in range(8):
                producers.wait_for(150)
                worker = chaos.workers[round_]
                worker.signal(signal.SIGTERM if round_ % 2 else signal.SIGINT)
                chaos.start(1)
                assert worker.wait() == 0, chaos.tell([])
        chaos.until_done(producers.told)
        chaos.stop()
        chaos.assert_once(producers.told)


@full
@pytest.mark.limit(90)
def test_idle_workers_are_replaced_while_something_comes_now_and_then(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """What comes to a worker that waits is started before it is told of: also while the worker is told to end."""
    with Chaos(tmp_path, redis_server, lease=10.0) as chaos:
        with Producers(redis_server.url, chaos.queue, 2, pause=0.003) as producers:
            chaos.start(2)
            for round_ in range(8):
                producers.wait_for(40)
                worker = chaos.workers[round_]
                chaos.start(1)
                worker.signal(signal.SIGTERM)
                assert worker.wait() == 0, chaos.tell([])
        chaos.until_done(producers.told)
        chaos.stop()
        chaos.assert_once(producers.told)


def test_the_second_signal_hands_back_what_runs(tmp_path: Path, redis_server: RedisServer) -> None:
    with Chaos(tmp_path, redis_server) as chaos:
        gate = tmp_path / "gate"
        chaos.submit([item(label, gate=str(gate)) for label in range(15)])
        (worker,) = chaos.start(1)
        chaos.until_started(10)
        worker.signal(signal.SIGTERM)
        until(lambda: chaos.queued() == 5)
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0, chaos.tell([])
        assert chaos.stats() == (15, 0, 0, 0)
        assert sorted(map(int, chaos.history.labels("cancel"))) == list(range(10))
        gate.touch()
        (second,) = chaos.start(1, max_concurrency=1)
        chaos.until_done(range(15))
        order = [int(e.label) for e in chaos.history.events() if e.worker == second.pid and e.what == "start"]
        assert order == list(range(15))
        assert chaos.dead() == []


@full
@pytest.mark.limit(60)
@pytest.mark.parametrize("outage", ["kill", "pause"])
@pytest.mark.parametrize("running", [0, 5], ids=["idle", "running"])
def test_redis_is_down(tmp_path: Path, own_server: RedisServer, outage: str, running: int) -> None:
    """The worker goes without having been answered; its lease covers the rest."""
    gate = tmp_path / "gate"
    with Chaos(tmp_path, own_server, lease=2.0) as chaos:
        chaos.submit([item(label, gate=str(gate)) for label in range(running)])
        (worker,) = chaos.start(1)
        chaos.until_started(running)
        until(lambda: b"blocked_clients:1" in own_server.command("INFO", "clients"))
        getattr(own_server, outage)()
        worker.signal(signal.SIGTERM)
        gate.touch()
        assert worker.wait() == 0, chaos.tell([])
        assert sorted(map(int, chaos.history.labels("end")))[:running] == list(range(running))
        own_server.start() if outage == "kill" else own_server.resume()
        chaos.start(1)
        chaos.until_done(range(running))
        chaos.stop()


@pytest.mark.limit(60)
def test_redis_goes_down_and_later_the_worker_is_told_to_end(tmp_path: Path, own_server: RedisServer) -> None:
    with Chaos(tmp_path, own_server, lease=2.0) as chaos:
        chaos.submit([item(label, 0.05) for label in range(200)])
        workers = chaos.start(2)
        chaos.until_started(50)
        own_server.kill()
        until(lambda: "cannot be used" in chaos.log.read_text(encoding="utf-8"))
        for worker in workers:
            worker.signal(signal.SIGTERM)
        assert [worker.wait() for worker in workers] == [0, 0], chaos.tell([])
        own_server.start()
        chaos.start(2)
        chaos.until_done(range(200))
        chaos.stop()


@pytest.mark.limit(60)
def test_a_loop_that_is_left_and_closed_keeps_no_tasks(tmp_path: Path, redis_server: RedisServer) -> None:
    """The process lives on, and so does the thread that renews its leases: but nobody is left to run anything."""
    with Chaos(tmp_path, redis_server) as chaos:
        gate, left = tmp_path / "gate", tmp_path / "left"
        chaos.submit([item(label, gate=str(gate)) for label in range(15)])
        (leaver,) = chaos.start(1, end=str(left))
        chaos.until_started(10)
        left.touch()
        until(lambda: chaos.history.count("left") == 1)
        gate.touch()
        chaos.start(1)
        chaos.until_done(range(15))
        assert leaver.alive


def test_a_worker_of_several_queues_hands_back_to_each(tmp_path: Path, redis_server: RedisServer) -> None:
    with Chaos(tmp_path, redis_server) as chaos:
        queues = ["%s-%d" % (chaos.queue, number) for number in range(4)]
        gate = tmp_path / "gate"
        labels: List[str] = []
        for queue in queues:
            mine = ["%s:%d" % (queue, number) for number in range(20)]
            labels += mine
            chaos.submit([item(label, gate=str(gate)) for label in mine], chaos.make_task(queue=queue))
        (first,) = chaos.start(1, queues=queues)
        chaos.until_started(40)
        first.signal(signal.SIGTERM)
        until(lambda: [chaos.queued(queue) for queue in queues] == [10] * 4, lambda: chaos.tell([]))
        gate.touch()
        assert first.wait() == 0, chaos.tell([])
        assert chaos.history.count("start") == 40, chaos.tell(labels)
        (second,) = chaos.start(1, queues=queues)
        until(lambda: not chaos.history.missing(labels), lambda: chaos.tell(chaos.history.missing(labels)))
        second.signal(signal.SIGTERM)
        assert second.wait() == 0
        chaos.assert_once(labels)


def test_a_worker_of_several_queues_is_killed(tmp_path: Path, redis_server: RedisServer) -> None:
    with Chaos(tmp_path, redis_server) as chaos:
        queues = ["%s-%d" % (chaos.queue, number) for number in range(3)]
        labels: List[str] = []
        for queue in queues:
            mine = ["%s:%d" % (queue, number) for number in range(50)]
            labels += mine
            chaos.submit([item(label, 0.02) for label in mine], chaos.make_task(queue=queue))
        first, _ = chaos.start(2, queues=queues)
        chaos.until_started(40)
        first.kill()
        until(lambda: not chaos.history.missing(labels), lambda: chaos.tell(chaos.history.missing(labels)))
        assert chaos.extra_runs() <= 3 * 2 * 11
