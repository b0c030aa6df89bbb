"""A real redis-server for tests: on a free port of this machine, with its files in a private directory.

``NB_AIOPOOL_REDIS_SERVER`` names another program than ``redis-server`` (an older one, or Valkey's).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, List, Optional, Sequence

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60.0
ATTEMPTS = 5

# Ends the server when the tests' process has ended, however it did: then the pipe is closed.
WATCH = "import os, sys; sys.stdin.buffer.read(); os.kill(int(sys.argv[1]), 9)"


def server_program() -> Optional[str]:
    """The program to start; None if there is none on this machine."""
    return shutil.which(os.environ.get("NB_AIOPOOL_REDIS_SERVER", "redis-server"))


class RedisServer:
    """
    ``with RedisServer(tmp_path) as server:`` runs a server for the length of the block; ``server.url`` is where it is.

    It keeps its port and its directory over ``stop``, ``kill`` and ``start``. Nothing is kept on disk, or, with
    ``append_only=True``, everything: each command before it is answered (``appendfsync always``). ``options`` are
    further arguments of the program (``"--maxmemory", "2mb"``).
    """

    def __init__(self, directory: Path, *, append_only: bool = False, options: Sequence[str] = ()) -> None:
        self.directory = directory
        self.append_only = append_only
        self.options = tuple(options)
        self.port = 0
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._watch: Optional[subprocess.Popen[bytes]] = None
        self._paused = False

    @property
    def url(self) -> str:
        return "redis://127.0.0.1:%d/0" % self.port

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and return when it answers."""
        assert self._process is None, "it has been started already"
        self.directory.mkdir(parents=True, exist_ok=True)
        first = not self.port
        for _ in range(ATTEMPTS):
            if first:
                self.port = free_port()
            self._launch()
            if self._answers():
                return
            self._end(signal.SIGKILL)
        raise RuntimeError("redis-server does not start:\n" + self.log())

    def stop(self) -> None:
        """End it as an administrator does: it saves what it is configured to save."""
        self.resume()
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power failure does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start it; without ``append_only`` it has forgotten everything."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Let it hang: it accepts connections (the kernel does), and answers nothing."""
        self._signal(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Let it go on after ``pause``."""
        if self._paused:
            self._signal(signal.SIGCONT)
            self._paused = False

    def command(self, *words: str) -> bytes:
        """Send one command over a connection of its own, and return the answer as it comes (up to 64 KB)."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            encoded = [word.encode() for word in words]
            parts = [b"*%d\r\n" % len(encoded)]
            parts += [b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded]
            connection.sendall(b"".join(parts))
            return connection.recv(65536)

    def log(self) -> str:
        """What it has written."""
        path = self.directory / "redis.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.kill()

    def _launch(self) -> None:
        program = server_program()
        assert program is not None, "there is no redis-server on this machine"
        with (self.directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )
        self._watch = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", WATCH, str(self._process.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _arguments(self) -> List[str]:
        arguments = [
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--dir",
            str(self.directory),
            "--save",
            "",
        ]
        arguments += ["--appendonly", "yes" if self.append_only else "no", "--appendfsync", "always"]
        return [*arguments, *self.options]

    def _answers(self) -> bool:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.running:
            with contextlib.suppress(OSError):
                # Any answer will do, if it is the one of this process: "loading" and "password needed" come first.
                if self.command("PING").startswith((b"+PONG", b"-NOAUTH")) and self.running:
                    return True
            time.sleep(0.005)
        return False

    def _signal(self, number: int) -> None:
        assert self._process is not None, "it is not running"
        self._process.send_signal(number)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        watch, self._watch = self._watch, None
        self._paused = False
        if watch is not None:
            # Before the server's process number can become another's.
            watch.kill()
            watch.communicate()
        if process is not None:
            process.send_signal(number)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(PATIENCE)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
