"""The thread that keeps leases: what it says when it cannot, and what a fork leaves of it."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import List, Optional, Sequence

import pytest

from nb_aiopool.contrib.nb_aio_task import BrokerError, Outage
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


def watch_of(leases: Leases) -> Watch:
    return Watch(
        leases,
        loop=asyncio.get_running_loop(),
        lease=30.0,
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


async def test_a_keeper_whose_thread_cannot_be_started_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, leases = Keeper(), Failing()
    watch = watch_of(leases)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            keeper.watch(watch)
    keeper.watch(watch)
    keeper.forget(watch)
    assert leases.closed.wait(20)
