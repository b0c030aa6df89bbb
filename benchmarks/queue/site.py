"""What one sample needs: a Redis server, processes, and a folder for their files."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator, List, Tuple

from benchmarks.queue import redis_server
from benchmarks.queue.journal import Journal

PATIENCE_SECONDS = 180
LOOK_SECONDS = 0.002


class Worker:
    """A worker process, which waits to be told to begin."""

    def __init__(self, folder: Path, rival: str, url: str, tasks: int, job: str) -> None:
        self._errors = folder / "errors"
        self.journal = Journal(folder / "journal", tasks)
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.queue.worker",
                    *(rival, url, str(folder / "journal"), str(tasks), job),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    def wait_ready(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            self._process.wait()
            self.check()

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def check(self) -> None:
        """Raise RuntimeError if the process has ended, which it never does by itself."""
        status = self._process.poll()
        if status is not None:
            raise RuntimeError(f"a worker ended with status {status}:\n{self.errors()}")

    def errors(self) -> str:
        return self._errors.read_text(encoding="utf-8", errors="replace")[-3000:]

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


class Site:
    def __init__(self, folder: Path, client: Any, rival: str) -> None:
        self._folder = folder
        self._client = client
        self._rival = rival
        port = client.connection_pool.connection_kwargs["port"]
        self._url = f"redis://127.0.0.1:{port}/0"
        self.workers: List[Worker] = []

    def start_workers(self, job: str, tasks: int, number: int = 1) -> None:
        """Start worker processes for a sample of so many tasks; they wait for `go`."""
        for index in range(number):
            folder = self._folder / f"worker-{index}"
            folder.mkdir()
            self.workers.append(Worker(folder, self._rival, self._url, tasks, job))

    def go(self) -> None:
        for worker in self.workers:
            worker.wait_ready()
        for worker in self.workers:
            worker.go()

    def produce(self, way: str, count: int) -> Tuple[float, float]:
        """Have a producer process submit tasks; return in how many seconds it did, and how many of CPU time."""
        command = [sys.executable, "-m", "benchmarks.queue.producer", self._rival, self._url, way, str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
        seconds, cpu = done.stdout.split()
        return float(seconds), float(cpu)

    def wait_done(self, count: int) -> None:
        """Wait until the workers have done so many tasks."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self.done() < count:
            for worker in self.workers:
                worker.check()
            if time.monotonic() > end:
                errors = "\n".join(worker.errors() for worker in self.workers)
                raise RuntimeError(f"{self.done()} of {count} tasks in {PATIENCE_SECONDS} s:\n{errors}")
            time.sleep(LOOK_SECONDS)

    def done(self) -> int:
        return sum(worker.journal.count for worker in self.workers)

    def commands(self) -> int:
        """Return how many commands Redis has carried out, those inside of scripts included."""
        return int(self._client.info("stats")["total_commands_processed"])


@contextlib.contextmanager
def opened(rival: str) -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="queue-benchmark-") as name:
        folder = Path(name)
        with redis_server.running(folder) as client:
            site = Site(folder, client, rival)
            try:
                yield site
            finally:
                for worker in site.workers:
                    worker.end()
