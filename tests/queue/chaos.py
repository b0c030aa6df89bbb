"""One queue, its server, its worker processes and their history: what the chaos tests break, and look at afterwards.

``NB_AIOPOOL_CHAOS=short`` leaves out what is marked with `full`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import pytest
from chaos_history import History

from nb_aiopool.contrib.nb_aio_task import AioTask, QueueStats, aio_task
from nb_aiopool.contrib.nb_aio_task.task import BoundTask

if TYPE_CHECKING:
    from redis_server import RedisServer

full = pytest.mark.skipif(
    os.environ.get("NB_AIOPOOL_CHAOS") == "short",
    reason="NB_AIOPOOL_CHAOS=short leaves out most of the chaos",
)
PATIENCE = 60.0
PROGRAM = Path(__file__).with_name("chaos_worker.py")
Item = Tuple[Tuple[object, ...], Dict[str, Any]]


def until(condition: Callable[[], Any], tell: Callable[[], str] = str, patience: float = PATIENCE) -> None:
    """Wait for something that other processes do; if it does not come, fail with what `tell` says."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("this has not come in %g s: %s" % (patience, tell()))
        time.sleep(0.02)


def item(label: object, seconds: float = 0.0, how: str = "sleep", gate: str = "") -> Item:
    """A call of the workers' task, for `submit_many`."""
    return (label,), {"seconds": seconds, "how": how, "gate": gate}


class WorkerProcess:
    """A running `chaos_worker.py`. It dies with the tests' process: its stdin is a pipe of that."""

    def __init__(self, config: Dict[str, Any], log: Path, prefix: Sequence[str], env: Dict[str, str]) -> None:
        with log.open("ab") as stderr:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, str(PROGRAM), json.dumps(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, **env},
            )
        self._log = log

    def until_started(self) -> None:
        """Wait until it answers to signals."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"started\n", self._log.read_text(encoding="utf-8")

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """`kill -9`, and wait until it is dead."""
        self.process.kill()
        self.process.wait()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, patience: float = PATIENCE) -> int:
        """Its exit status."""
        return self.process.wait(patience)

    def end(self) -> None:
        self.kill()
        self.process.communicate()


class Chaos:
    """
    Requires: used as a context manager; `server` runs. `url` is where the workers connect to, e.g. a proxy.

    The workers take `concurrency` tasks at a time, unless the options say otherwise.
    """

    def __init__(self, directory: Path, server: RedisServer, **options: Any) -> None:
        self.server = server
        self.queue = "chaos-" + uuid.uuid4().hex
        self.options: Dict[str, Any] = {"max_concurrency": 10, "lease": 1.0, **options}
        self.history = History(directory / self.queue)
        self.log = directory / (self.queue + ".log")
        self.workers: List[WorkerProcess] = []
        self.url = server.url
        self.task = self.make_task()

    def make_task(self, url: str = "", queue: str = "", **options: Any) -> AioTask[Any]:
        """The workers' task, as a producer sees it."""

        async def work(label: object, seconds: float = 0.0, how: str = "sleep", gate: str = "") -> None:
            raise AssertionError("it is the workers that run it")

        name = queue or self.queue
        made: AioTask[Any] = aio_task(name, redis_url=url or self.server.url, **{**self.options, **options})(
            work
        )
        return made

    def start(
        self,
        count: int = 1,
        *,
        url: str = "",
        queues: Sequence[str] = (),
        end: str = "",
        block: float = 5.0,
        prefix: Sequence[str] = (),
        env: Optional[Dict[str, str]] = None,
        **options: Any,
    ) -> List[WorkerProcess]:
        """Start workers, and wait until each consumes."""
        config = {
            "url": url or self.url,
            "queues": [*queues] or [self.queue],
            "options": {**self.options, **options},
            "history": str(self.history.directory),
            "end": end,
            "block": block,
        }
        started = [WorkerProcess(config, self.log, prefix, env or {}) for _ in range(count)]
        self.workers += started
        for worker in started:
            worker.until_started()
        return started

    def submit(self, items: Iterable[Item], task: Union[AioTask[Any], BoundTask, None] = None) -> None:
        """Submit from this process, and wait until Redis has it all."""
        used = task or self.task

        async def submit() -> None:
            await used.submit_many(items)
            await (self.task if isinstance(used, BoundTask) else used).close()

        asyncio.run(submit())

    def queued(self, queue: str = "") -> int:
        """The length of the list."""
        return int(self.server.command("LLEN", "nb_aio_task:" + (queue or self.queue))[1:])

    def stats(self) -> QueueStats:
        async def ask() -> QueueStats:
            stats = await self.task.stats()
            await self.task.close()
            return stats

        return asyncio.run(ask())

    def dead(self) -> List[Tuple[object, int]]:
        """The labels of the dead letters, and how often each was delivered."""

        async def ask() -> List[Tuple[object, int]]:
            letters = await self.task.dead_letters(1000)
            await self.task.close()
            return [(letter.args[0] if letter.args else None, letter.deliveries) for letter in letters]

        return asyncio.run(ask())

    def until_done(self, labels: Iterable[object], patience: float = PATIENCE) -> None:
        """Wait until each of these has come to an end, and the workers hold nothing."""
        wanted = [str(label) for label in labels]
        until(
            lambda: not self.history.missing(wanted),
            lambda: self.tell(self.history.missing(wanted)),
            patience,
        )
        until(
            lambda: self.stats()[:3] == (0, 0, 0), lambda: "%s\n%s" % (self.stats(), self.tell([])), patience
        )

    def until_started(self, count: int, patience: float = PATIENCE) -> None:
        until(lambda: self.history.count("start") >= count, lambda: self.tell([]), patience)

    def tell(self, labels: Iterable[object]) -> str:
        log = self.log.read_text(encoding="utf-8", errors="replace")[-6000:] if self.log.exists() else ""
        return "%s\nThe workers' log ends with:\n%s" % (self.history.tell(labels), log)

    def assert_once(self, labels: Iterable[object]) -> None:
        """Each of these was started once, and has ended."""
        repeated = self.history.repeated()
        missing = self.history.missing(labels)
        assert not missing and not repeated, "lost: %s\nrun again: %s" % (
            self.tell(missing),
            self.tell(repeated),
        )

    def extra_runs(self) -> int:
        return sum(count - 1 for count in self.history.repeated().values())

    def stop(self, workers: Optional[Sequence[WorkerProcess]] = None) -> None:
        """SIGTERM, and all end well."""
        asked = [worker for worker in (self.workers if workers is None else workers) if worker.alive]
        for worker in asked:
            worker.signal(signal.SIGTERM)
        statuses = [worker.wait() for worker in asked]
        assert statuses == [0] * len(asked), self.tell([])

    def __enter__(self) -> Chaos:
        return self

    def __exit__(self, *_: Any) -> None:
        for worker in self.workers:
            worker.end()
