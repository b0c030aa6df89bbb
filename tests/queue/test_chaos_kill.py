"""Workers that are killed: nothing is lost, and what runs again is what they held."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from chaos import Chaos, full, item, until
from chaos_producer import Producers

from nb_aiopool.contrib.nb_aio_task.keeper import RECOVER_AT_ONCE
from nb_aiopool.contrib.nb_aio_task.keys import QueueKeys

if TYPE_CHECKING:
    from pathlib import Path

    from redis_server import RedisServer

ROOM = 11
"""What a worker of ten tasks at a time holds at most: these, and a read-ahead of one."""


@full
@pytest.mark.limit(120)
def test_half_of_the_workers_are_killed_again_and_again(tmp_path: Path, redis_server: RedisServer) -> None:
    labels = range(4000)
    rounds = 6
    with Chaos(tmp_path, redis_server) as chaos:
        chaos.submit(item(label, 0.005) for label in labels)
        chaos.start(4)
        rng = random.Random(1)
        for round_ in range(rounds):
            chaos.until_started((round_ + 1) * 400)
            for worker in rng.sample([w for w in chaos.workers if w.alive], 2):
                worker.kill()
            chaos.start(2)
        chaos.until_done(labels)
        # What was done may not have been acknowledged yet: as much as a worker holds, at most.
        assert chaos.extra_runs() <= rounds * 2 * 2 * ROOM, chaos.tell(chaos.history.repeated())
        chaos.stop()
        assert chaos.dead() == []


def test_a_killed_worker_loses_nothing_and_repeats_only_what_it_held(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    labels = range(100)
    with Chaos(tmp_path, redis_server) as chaos:
        killed, *_ = chaos.start(2)
        chaos.submit(item(label, 0.05) for label in labels)
        chaos.until_started(30)
        killed.kill()
        chaos.until_done(labels)
        again = chaos.history.repeated()
        assert len(again) <= 2 * ROOM and set(again.values()) <= {2}, chaos.tell(again)
        began = {event.label for event in chaos.history.events() if event.worker == killed.pid}
        assert set(again) <= began, chaos.tell(set(again) - began)


def test_tasks_of_a_killed_worker_start_again_without_new_traffic(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    with Chaos(tmp_path, redis_server) as chaos:
        chaos.start(1)
        gate = tmp_path / "gate"
        chaos.submit([item(label, gate=str(gate)) for label in range(5)])
        chaos.until_started(5)
        chaos.start(1)  # it idles: there is nothing for it
        until(lambda: redis_server.command("ZCARD", QueueKeys(chaos.task.queue_name).consumers) == b":2\r\n")
        chaos.workers[0].kill()
        until(lambda: chaos.history.count("start") == 10, lambda: chaos.tell(range(5)))
        gate.touch()
        chaos.until_done(range(5))
        assert set(chaos.history.counts("start").values()) == {2}


def test_recovered_tasks_come_first_and_in_the_order_in_which_they_were_fetched(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    with Chaos(tmp_path, redis_server, max_concurrency=4) as chaos:
        gate = tmp_path / "gate"
        chaos.submit([item(label, gate=str(gate)) for label in range(20)])
        chaos.start(1)
        chaos.until_started(4)
        chaos.workers[0].kill()
        gate.touch()
        (second,) = chaos.start(1, max_concurrency=1)
        chaos.until_done(range(20))
        order = [e.label for e in chaos.history.events() if e.worker == second.pid and e.what == "start"]
        # Until the lease has run out, the second has what comes behind: then the five that the first has held.
        begin = order.index("0")
        assert order[begin : begin + 5] == [str(label) for label in range(5)], order
        assert order[:begin] + order[begin + 5 :] == [str(label) for label in range(5, 20)], order


@full
@pytest.mark.limit(90)
def test_workers_are_killed_while_they_recover(tmp_path: Path, redis_server: RedisServer) -> None:
    """A worker that held several portions dies; who recovers it is killed as soon as the first task is back."""
    held = RECOVER_AT_ONCE * 5
    gate = tmp_path / "gate"
    with Chaos(tmp_path, redis_server, max_concurrency=held, max_queue_size=held, max_deliveries=50) as chaos:
        chaos.submit(item(label, gate=str(gate)) for label in range(held))
        chaos.start(1)
        chaos.until_started(held)
        chaos.workers[-1].kill()
        for _ in range(3):
            (recovering,) = chaos.start(1, max_concurrency=1)
            before = chaos.queued()
            # One that is quick has handed back all before it was killed: then there is nothing left to wait for.
            until(lambda before=before: chaos.queued() > before or before >= held - 3, lambda: chaos.tell([]))
            recovering.kill()
        gate.touch()
        chaos.start(2)
        chaos.until_done(range(held))
        assert chaos.dead() == []


def test_producers_that_are_killed_leave_what_they_were_told_is_queued(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    with Chaos(tmp_path, redis_server, max_concurrency=100) as chaos:
        chaos.start(1)
        with Producers(redis_server.url, chaos.queue, 4) as producers:
            producers.wait_for(100)
        chaos.until_done(producers.told)
        chaos.assert_once(producers.told)


@full
@pytest.mark.limit(120)
def test_sixteen_producers_and_sixteen_workers_at_once(tmp_path: Path, redis_server: RedisServer) -> None:
    with Chaos(tmp_path, redis_server, max_concurrency=20, lease=5.0) as chaos:
        with Producers(redis_server.url, chaos.queue, 16, pause=0.02) as producers:
            chaos.start(16)
            producers.wait_for(100)
        chaos.until_done(producers.told)
        chaos.assert_once(producers.told)
        chaos.stop()
