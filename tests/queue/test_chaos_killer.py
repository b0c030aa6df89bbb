"""A task that kills whoever runs it: it becomes a dead letter, after so many starts, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING, List

import pytest
from chaos import Chaos, WorkerProcess, full, item, until

if TYPE_CHECKING:
    from pathlib import Path

    from redis_server import RedisServer

LEAST = 2
"""A killer that ran beside others is run alone before it is condemned, also with max_deliveries=1."""


def replace_the_dead_until(chaos: Chaos, over: int) -> None:
    """Start a worker for each that is killed until there are so many dead letters."""
    running: List[WorkerProcess] = list(chaos.workers)

    def replaced() -> bool:
        for worker in [worker for worker in running if not worker.alive]:
            running.remove(worker)
            running.extend(chaos.start(1))
        return chaos.stats().dead == over

    until(replaced, lambda: "%s\n%s" % (chaos.stats(), chaos.tell(["killer"])))


@full
@pytest.mark.limit(60)
@pytest.mark.parametrize(("max_deliveries", "idle"), [(1, True), (2, True), (3, False), (5, True)])
def test_alone_in_the_queue(
    tmp_path: Path, redis_server: RedisServer, max_deliveries: int, idle: bool
) -> None:
    with Chaos(tmp_path, redis_server, max_deliveries=max_deliveries) as chaos:
        if idle:  # the worker waits for it, and begins before it has told anybody
            chaos.start(1)
            until(lambda: b"blocked_clients:1" in redis_server.command("INFO", "clients"))
        chaos.submit([item("killer", how="kill")])
        if not idle:
            chaos.start(1)
        replace_the_dead_until(chaos, 1)
        assert chaos.history.counts("start") == {"killer": max_deliveries}
        assert chaos.dead() == [("killer", max_deliveries)]
        assert chaos.stats() == (0, 0, 0, 1)


@full
@pytest.mark.limit(90)
@pytest.mark.parametrize("max_deliveries", [1, 2, 3, 5])
def test_among_innocents(tmp_path: Path, redis_server: RedisServer, max_deliveries: int) -> None:
    labels = range(60)
    with Chaos(tmp_path, redis_server, max_deliveries=max_deliveries) as chaos:
        items = [item(label, 0.02) for label in labels]
        items.insert(25, item("killer", how="kill"))
        chaos.submit(items)
        chaos.start(2)
        replace_the_dead_until(chaos, 1)
        chaos.until_done(labels)
        assert chaos.history.counts("start")["killer"] == max(LEAST, max_deliveries)
        assert chaos.dead() == [("killer", max_deliveries)]


def test_one_killer_and_one_innocent_with_a_worker_that_comes_back(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    with Chaos(tmp_path, redis_server, max_deliveries=2) as chaos:
        chaos.submit([item("innocent", 0.2), item("killer", how="kill")])
        chaos.start(1)
        replace_the_dead_until(chaos, 1)
        chaos.until_done(["innocent"])
        assert chaos.history.counts("start")["killer"] == 2
        assert chaos.dead() == [("killer", 2)]


def test_a_task_that_is_killed_from_outside_again_and_again_and_then_ends(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    gate = tmp_path / "gate"
    with Chaos(tmp_path, redis_server, max_deliveries=4) as chaos:
        chaos.submit([item("one", gate=str(gate)), item("other", gate=str(gate))])
        for count in (1, 2, 3):
            (worker,) = chaos.start(1)
            until(
                lambda count=count: set(chaos.history.counts("start").values()) == {count},
                lambda: chaos.tell(["one", "other"]),
            )
            worker.kill()
        gate.touch()
        chaos.start(1)
        chaos.until_done(["one", "other"])
        assert chaos.history.counts("start") == {"one": 4, "other": 4}
        assert chaos.dead() == []
