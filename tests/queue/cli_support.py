"""Running the command line in processes of their own, and hearing what their tasks do."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

import redis

HERE = Path(__file__).resolve().parent
PATIENCE = 60.0


class Running:
    """A command that runs. `wait_for` returns the first line of its stderr that matches and was not waited for yet."""

    def __init__(self, arguments: Sequence[str], env: Dict[str, str], cwd: Path, **options: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nb_aiopool", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=env,
            cwd=cwd,
            encoding="utf-8",
            **options,
        )
        self.lines: List[str] = []
        self._read_up_to = 0
        self._changed = threading.Condition()
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def text(self) -> str:
        with self._changed:
            return "".join(self.lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        with self._changed:
            found: Optional[re.Match[str]] = None

            def is_there() -> bool:
                nonlocal found
                while found is None and self._read_up_to < len(self.lines):
                    found = re.search(pattern, self.lines[self._read_up_to])
                    self._read_up_to += 1
                return found is not None or self._over

            self._changed.wait_for(is_there, PATIENCE)
        assert found is not None, "no line matches %r:\n%s" % (pattern, self.text)
        return found

    def wait_for_all(self, number: int, pattern: str) -> None:
        """Wait until so many lines have matched, since the start."""
        with self._changed:

            def are_there() -> bool:
                return self._over or sum(bool(re.search(pattern, line)) for line in self.lines) >= number

            self._changed.wait_for(are_there, PATIENCE)
        assert len(re.findall(pattern, self.text)) >= number, self.text

    def children(self, number: int) -> List[int]:
        """The process ids of so many children, in the order in which they were started."""
        return [int(self.wait_for(r"worker \d+ is process (\d+)")[1]) for _ in range(number)]

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit status, once it has ended, and everything that it has started as well: their stderr is closed."""
        status = self.process.wait(PATIENCE)
        self.wait_until_nothing_is_left()
        return status

    def wait_until_nothing_is_left(self) -> None:
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive(), "a process is left behind:\n" + self.text

    def kill(self) -> None:
        """End it, and what it has started, if the test has not."""
        started: Set[int] = {int(pid) for pid in re.findall(r"worker \d+ is process (\d+)", self.text)}
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        if self._reader.is_alive():
            for pid in started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._reader.join(PATIENCE)
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()


class Cli:
    """The command line, with a Redis database of its own behind it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.redis: Any = redis.Redis.from_url(url, decode_responses=True, socket_timeout=None)
        self.redis.flushdb()
        self.env = {
            **os.environ,
            "CLI_TEST_URL": url,
            "NB_AIO_TASK_URL": url,
            "PYTHONIOENCODING": "utf-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
            "COLUMNS": "120",
        }
        self._running: List[Running] = []

    def start(self, *arguments: str, cwd: Path = HERE, **options: Any) -> Running:
        running = Running(arguments, self.env, cwd, **options)
        self._running.append(running)
        return running

    def run(self, *arguments: str, cwd: Path = HERE, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "nb_aiopool", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            env={**self.env, **env},
            cwd=cwd,
            encoding="utf-8",
        )

    def run_python(self, source: str) -> subprocess.CompletedProcess[str]:
        """Run a program that can import cli_jobs."""
        return subprocess.run(
            [sys.executable, "-c", source],
            check=False,
            capture_output=True,
            timeout=PATIENCE,
            env=self.env,
            cwd=HERE,
            encoding="utf-8",
        )

    def on_terminal(self, *arguments: str, while_running: Sequence[Tuple[str, Callable[[], None]]]) -> str:
        """
        Run a command to its end with a terminal as its stderr; returns what that was sent. Each text of
        `while_running` is waited for, and then its function is called.
        """
        ours, theirs = os.openpty()
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "nb_aiopool", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=theirs,
                env=self.env,
                cwd=HERE,
            )
            os.close(theirs)
            try:
                shown = b""
                for text, act in [*while_running, ("\0never", lambda: None)]:
                    while text.encode() not in shown:
                        try:
                            some = os.read(ours, 65536)
                        except OSError:  # the last one who had it open has closed it
                            some = b""
                        if not some:
                            break
                        shown += some
                    act()
                assert process.wait(PATIENCE) == 0, shown.decode()
            finally:
                process.kill()
                process.wait(PATIENCE)
        finally:
            os.close(ours)
        return shown.decode()

    def event(self) -> str:
        """What a task has told, in order."""
        told = self.redis.blpop("events", PATIENCE)
        assert told is not None, "nothing has happened: " + "\n".join(one.text for one in self._running)
        event: str = told[1]
        return event

    def submit(self, task: str, *calls: Sequence[Any]) -> None:
        """Queue calls of a task of cli_jobs."""
        payloads = [pickle.dumps({"args": tuple(call), "kwargs": {}}) for call in calls]
        self.redis.rpush("nb_aio_task:" + task, *payloads)

    def open_gate(self, name: str) -> None:
        self.redis.rpush("gate:" + name, "open")

    def runs(self) -> Dict[int, int]:
        """How often each number was run."""
        return {int(number): int(times) for number, times in self.redis.hgetall("runs").items()}

    def close(self) -> None:
        for running in self._running:
            running.kill()
        self.redis.close()
