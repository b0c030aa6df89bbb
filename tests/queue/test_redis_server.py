"""The server that other tests rely on: it starts, hangs, dies and comes back as they ask it to."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from redis_server import RedisServer, server_program

from threads import until

pytestmark = pytest.mark.skipif(server_program() is None, reason="there is no redis-server on this machine")

ORPHAN = """
import os, sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from redis_server import RedisServer
server = RedisServer(Path(sys.argv[1]))
server.start()
print(server.port, flush=True)
os._exit(1)
"""


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
    except OSError:
        return False
    return True


def test_it_answers_until_it_is_stopped_and_has_forgotten_everything_then(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        assert server.running
        assert server.command("SET", "a", "1") == b"+OK\r\n"
        port = server.port
        server.restart()
        assert server.port == port
        assert server.command("GET", "a") == b"$-1\r\n"
        server.kill()
        assert not server.running
        assert not answers(port)
        server.start()
        assert server.command("PING") == b"+PONG\r\n"
    assert not answers(port)


def test_what_it_appends_outlives_it(tmp_path: Path) -> None:
    with RedisServer(tmp_path, append_only=True) as server:
        server.command("SET", "a", "1")
        server.kill()
        server.start()
        assert server.command("GET", "a") == b"$1\r\n1\r\n"
        server.command("SET", "a", "2")
        server.restart()
        assert server.command("GET", "a") == b"$1\r\n2\r\n"


def test_it_hangs_and_goes_on(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server, socket.create_connection(("127.0.0.1", server.port)) as connection:
        server.pause()
        connection.sendall(b"PING\r\n")
        connection.settimeout(0.05)
        with pytest.raises(OSError, match="timed out"):
            connection.recv(100)
        server.resume()
        connection.settimeout(20)
        assert connection.recv(100) == b"+PONG\r\n"
        server.pause()
        server.stop()
        assert not server.running


def test_it_may_be_killed_while_it_hangs(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        server.pause()
        server.kill()
        assert not server.running
        server.start()
        assert server.command("PING") == b"+PONG\r\n"


def test_it_takes_options(tmp_path: Path) -> None:
    with RedisServer(tmp_path, options=["--requirepass", "secret"]) as server:
        assert server.command("PING").startswith(b"-NOAUTH")


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, options=["--no-such-option", "1"])
    with pytest.raises(RuntimeError, match="no-such-option"):
        server.start()
    assert not server.running


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes end otherwise here")
def test_it_does_not_outlive_the_tests(tmp_path: Path) -> None:
    source = ORPHAN.format(tests=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", source, str(tmp_path)], stdout=subprocess.PIPE, check=False, timeout=20
    )
    assert done.returncode == 1
    port = int(done.stdout)
    until(lambda: not answers(port))
