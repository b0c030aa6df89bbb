"""A Redis server for one sample: on a free port of this machine only, in a folder that is removed with it.

Its configuration is the default one, except that it keeps nothing on disk (``save ""``, ``appendonly no``): what is
compared are queues, and not disks.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any, Iterator

from benchmarks.rivals import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "redis-server"
START_SECONDS = 20
ATTEMPTS = 3
# The server ends when the standard input of the shell does, so it cannot outlive who started it, however that ends.
GUARD = '"$@" & server=$!; cat >/dev/null; kill $server; wait $server'


def version() -> str:
    """Return the server's release, or raise Unavailable."""
    if shutil.which(PROGRAM) is None:
        raise Unavailable(
            f"there is no {PROGRAM} on this machine (Debian, Ubuntu: apt-get install redis-server)"
        )
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    return next((word[2:] for word in said.split() if word.startswith("v=")), said.strip())


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(client: Any, guard: subprocess.Popen[bytes]) -> bool:
    """Wait until the server answers; whether it does."""
    import redis  # noqa: PLC0415 - what the command says without it is said elsewhere

    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and guard.poll() is None:
        try:
            client.ping()
        except redis.ConnectionError:
            time.sleep(0.01)
        else:
            return True
    return False


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Any]:
    """Give a client of a fresh server that works in this folder."""
    import redis  # noqa: PLC0415 - see above

    for _ in range(ATTEMPTS):  # another program may take the port that was free a moment ago
        port = free_port()
        options = [
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(folder),
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        with contextlib.closing((folder / "redis.log").open("wb")) as log:
            command = ["/bin/sh", "-c", GUARD, "sh", PROGRAM, *options]
            guard = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
        assert guard.stdin is not None
        try:
            with redis.Redis(host="127.0.0.1", port=port) as client:
                if answers(client, guard):
                    yield client
                    return
        finally:
            guard.stdin.close()
            guard.wait()
    raise RuntimeError(f"{PROGRAM} does not answer:\n{(folder / 'redis.log').read_text(encoding='utf-8')}")
