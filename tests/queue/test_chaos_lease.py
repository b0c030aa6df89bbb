"""Workers that stand still, are starved, or block their loops: who has the lease has the work."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, List

import pytest
from chaos import Chaos, full, item, until

if TYPE_CHECKING:
    from pathlib import Path

    from redis_server import RedisServer

    from nb_aiopool.contrib.nb_aio_task.handle import TaskHandle

LEASE = 1.0


@pytest.mark.limit(60)
def test_what_a_worker_says_that_was_paused_beyond_its_lease_is_refused(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    gate = tmp_path / "gate"
    with Chaos(tmp_path, redis_server, max_concurrency=5, lease=LEASE, result_ttl=60) as chaos:

        async def results(handles: List[TaskHandle]) -> List[Any]:
            return [await handle.result(20) for handle in handles]

        async def submit_and_wait() -> List[Any]:
            handles = [await chaos.task.submit(label, gate=str(gate)) for label in range(5)]
            await asyncio.get_running_loop().run_in_executor(None, replace)
            before = await results(handles)
            await asyncio.get_running_loop().run_in_executor(None, wake)
            assert await results(handles) == before, chaos.tell(range(5))
            await chaos.task.close()
            return before

        def replace() -> None:
            chaos.until_started(5)
            late.signal(signal.SIGSTOP)
            chaos.workers += chaos.start(1)
            chaos.until_started(10)
            gate.touch()

        def wake() -> None:
            late.signal(signal.SIGCONT)
            until(lambda: ended_by(late.pid) == 5, lambda: chaos.tell(range(5)))
            until(lambda: "has run out without being renewed" in chaos.log.read_text(encoding="utf-8"))

        def ended_by(pid: int) -> int:
            return len([e for e in chaos.history.events() if e.worker == pid and e.what == "end"])

        (late,) = chaos.start(1)
        answers = asyncio.run(submit_and_wait())
        other = chaos.workers[-1]
        assert answers == [other.pid] * 5
        assert chaos.stats() == (0, 0, 0, 0)
        # It goes on under another name.
        chaos.stop([other])
        chaos.submit([item("next")])
        chaos.until_done(["next"])
        assert chaos.history.counts("start")["next"] == 1
        chaos.stop([late])


@pytest.mark.limit(60)
def test_the_second_signal_ends_what_runs_on_without_a_lease(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    gate = tmp_path / "gate"
    with Chaos(tmp_path, redis_server, max_concurrency=5, lease=LEASE) as chaos:
        chaos.submit([item(label, gate=str(gate)) for label in range(5)])
        (late,) = chaos.start(1)
        chaos.until_started(5)
        late.signal(signal.SIGSTOP)
        chaos.start(1)
        chaos.until_started(10)
        late.signal(signal.SIGCONT)
        until(lambda: "has run out without being renewed" in chaos.log.read_text(encoding="utf-8"))
        late.signal(signal.SIGTERM)
        until(lambda: chaos.history.count("told") == 1)
        late.signal(signal.SIGTERM)
        assert late.wait() == 0, chaos.tell(range(5))
        assert chaos.history.count("cancel") == 5
        gate.touch()
        chaos.until_done(range(5))
        assert chaos.history.count("end") == 5


@full
@pytest.mark.limit(60)
def test_a_task_that_blocks_its_loop_longer_than_the_lease_is_not_taken(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    with Chaos(tmp_path, redis_server, max_concurrency=2, lease=LEASE) as chaos:
        chaos.submit([item(label, 3 * LEASE, "block") for label in range(2)])
        chaos.start(2)
        chaos.until_done(range(2))
        chaos.assert_once(range(2))


@full
@pytest.mark.limit(60)
def test_a_second_of_lease_is_enough_on_a_busy_machine(tmp_path: Path, redis_server: RedisServer) -> None:
    labels = range(300)
    spinners = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], stdin=subprocess.DEVNULL)
        for _ in range(4)
    ]
    try:
        with Chaos(tmp_path, redis_server, lease=LEASE) as chaos:
            chaos.submit(item(label, 0.2) for label in labels)
            chaos.start(3)
            chaos.until_done(labels)
            chaos.stop()
            chaos.assert_once(labels)
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
