"""The thread that keeps leases: what it says when it cannot, and what a fork leaves of it."""

from __future__ import annotations

import asyncio
import logging
import threading
from types import SimpleNamespace
from typing import List, Optional, Sequence

import pytest

from nb_aiopool.contrib.nb_aio_task import BrokerError, Outage, keeper
from nb_aiopool.contrib.nb_aio_task.broker import Lease, Leases
from nb_aiopool.contrib.nb_aio_task.keeper import Keeper, Watch


class Failing(Leases):
    """Raises what it is told to, when somebody looks."""

    def __init__(self) -> None:
        self.error: Optional[Exception] = None
        self.closed = threading.Event()

    def renew(self, consumer: str, lease: float) -> bool:
        return True

    def seen(self) -> Sequence[Lease]:
        if self.error is not None:
            raise self.error
        return []

    def now(self) -> int:
        return 0

    def recover(self, lease: Lease, *, max_deliveries: int, limit: int) -> Optional[int]:
        return None

    def close(self) -> None:
        self.closed.set()


def watch_of(leases: Leases, lease: float = 30.0) -> Watch:
    return Watch(
        leases,
        loop=asyncio.get_running_loop(),
        lease=lease,
        max_deliveries=5,
        on_lost=lambda _consumer: None,
        on_recovered=lambda _consumer: None,
    )


async def test_what_keeps_it_from_looking_is_said_once_until_it_changes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    leases = Failing()
    watch = watch_of(leases)
    said: List[int] = []
    refusal, failure = BrokerError("WRONGPASS"), ValueError("unheard of")
    for error in (refusal, refusal, failure, failure, None, failure, Outage("down"), failure, refusal):
        leases.error = error
        caplog.clear()
        watch.look(0.0)
        records = [record for record in caplog.records if record.levelno >= logging.WARNING]
        said.append(len(records))
        for record in records:
            assert str(error) in record.getMessage()
            assert bool(record.exc_info) == (error is failure)  # a refusal explains itself
    assert said == [1, 0, 1, 0, 0, 1, 0, 0, 1]


class Seen(Leases):
    """Shows one lease of another consumer; writes down when it is recovered."""

    def __init__(self) -> None:
        self.deadline = 0
        self.clock = 0.0
        self.down = False
        self.recovered: List[float] = []

    def renew(self, consumer: str, lease: float) -> bool:
        return True

    def seen(self) -> Sequence[Lease]:
        if self.down:
            raise Outage("down")
        return [] if self.recovered else [Lease("other", self.deadline)]

    def now(self) -> int:
        return round(self.clock * 1000)

    def recover(self, lease: Lease, *, max_deliveries: int, limit: int) -> Optional[int]:
        self.recovered.append(self.clock)
        return 0

    def close(self) -> None:
        pass


class Looks:
    """A watch that looks when its time has come, by a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lease: float) -> None:
        self.leases = Seen()
        self.lease = lease
        self.watch = watch_of(self.leases, lease)
        monkeypatch.setattr(keeper, "time", SimpleNamespace(monotonic=lambda: self.leases.clock))

    def look(self, *, down: bool = False) -> None:
        self.leases.clock += self.watch.period
        self.leases.down = down
        self.watch.look(self.leases.clock)


@pytest.mark.parametrize("lease", [1.0, 30.0, 300.0])
async def test_the_dead_are_recovered_although_connections_break_now_and_then(
    monkeypatch: pytest.MonkeyPatch, lease: float
) -> None:
    looks = Looks(monkeypatch, lease)
    while not looks.leases.recovered and looks.leases.clock < 10 * lease:
        looks.look(down=False)
        looks.look(down=True)
    (when,) = looks.leases.recovered
    assert lease / 2 <= when <= lease / 2 + 4 * looks.watch.period


@pytest.mark.parametrize("lease", [1.0, 30.0, 300.0])
async def test_nobody_is_recovered_because_of_an_outage(
    monkeypatch: pytest.MonkeyPatch, lease: float
) -> None:
    looks = Looks(monkeypatch, lease)
    for _ in range(3):
        looks.look()  # it looks expired already, for a moment
        begun = looks.leases.clock
        while looks.leases.clock < begun + 2 * lease:
            looks.look(down=True)
        while looks.leases.clock < begun + 2.4 * lease:
            looks.look()
        looks.leases.deadline = round((looks.leases.clock + lease) * 1000)  # it has come back
        while looks.leases.clock < begun + 3.3 * lease:
            looks.look()
        assert not looks.leases.recovered
        looks.leases.deadline = round(looks.leases.clock * 1000)


async def test_nobody_is_recovered_because_this_process_stood_still(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch, 30.0)
    looks.look()
    looks.leases.clock += 100.0
    looks.look()
    looks.look()
    assert not looks.leases.recovered


async def test_who_could_not_be_recovered_is_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch, 30.0)
    tried: List[Lease] = []

    def lose_answer(lease: Lease, **_: int) -> None:
        tried.append(lease)
        raise Outage("the answer was lost")

    with monkeypatch.context() as patch:
        patch.setattr(looks.leases, "recover", lose_answer)
        while not tried:
            looks.look()
    looks.look()
    assert looks.leases.recovered


async def test_a_keeper_whose_thread_cannot_be_started_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, leases = Keeper(), Failing()
    watch = watch_of(leases)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            kept.watch(watch)
    kept.watch(watch)
    kept.forget(watch)
    assert leases.closed.wait(20)
