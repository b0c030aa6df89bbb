"""A TCP proxy in front of Redis that knows its requests, and breaks the connection at a chosen one."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Callable, Dict, List, Optional, Tuple

from nb_aiopool.contrib.nb_aio_task.redis_scripts import SCRIPTS

_PORTION = 65536
_NAMES: Dict[bytes, str] = {}
for _name, _script in SCRIPTS.items():
    _NAMES[_script.digest] = _NAMES[_script.text] = _name


def take_request(data: bytes) -> Tuple[Optional[List[bytes]], bytes]:
    """The first request in the data, None if it is not whole yet, and what is left of the data."""
    end = data.find(b"\r\n")
    if end < 0:
        return None, data
    words: List[bytes] = []
    position = end + 2
    for _ in range(int(data[1:end])):
        end = data.find(b"\r\n", position)
        if end < 0:
            return None, data
        length = int(data[position + 1 : end])
        position = end + 2 + length + 2
        if len(data) < position:
            return None, data
        words.append(data[end + 2 : end + 2 + length])
    return words, data[position:]


def name_of(words: List[bytes]) -> str:
    """The name of the script that is called, else the command."""
    if words[0] in (b"EVALSHA", b"EVAL"):
        return _NAMES.get(words[1], "script")
    return words[0].decode()


class Fault:
    """
    What is to happen at a request: `how` is one of

    - "before": the request is not passed on, and the connection is reset;
    - "after": the request is passed on, and the connection is reset instead of an answer;
    - "within": it is reset after the first byte of the answer;
    - "half": as "after", but Redis does not hear of it: it takes the connection for a good one.
    """

    def __init__(self, how: str, wanted: Callable[[str, int], bool]) -> None:
        self.how = how
        self.wanted = wanted
        """Called with a request's name and its number, which counts all of that name from 1 on."""
        self.happened = threading.Event()


class Proxy:
    """``with Proxy(port) as proxy:`` listens on ``proxy.port`` for the length of the block."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.fault: Optional[Fault] = None
        self.seen: Dict[str, int] = {}
        """How many requests of each name there were."""
        self._lock = threading.Lock()
        self._sockets: List[socket.socket] = []
        self._threads: List[threading.Thread] = []
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(100)
        self.port: int = self._listener.getsockname()[1]
        self._ended = False

    @property
    def url(self) -> str:
        return "redis://127.0.0.1:%d/0" % self.port

    def __enter__(self) -> Proxy:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._ended = True
            for connection in self._sockets:
                reset(connection)
        # Closing a socket does not wake who waits in accept(): a connection does.
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            pass
        while self._threads:
            self._threads.pop().join(10)
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            with self._lock:
                if self._ended:
                    client.close()
                    return
                try:
                    server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                except OSError:
                    reset(client)
                    continue
                server.settimeout(None)
                self._sockets += [client, server]
            link = _Link(self, client, server)
            self._start(link.pass_requests)
            self._start(link.pass_answers)

    def fault_at(self, words: List[bytes]) -> Optional[Fault]:
        """Count the request; returns the fault that is to happen at it."""
        name = name_of(words)
        with self._lock:
            number = self.seen[name] = self.seen.get(name, 0) + 1
            fault = self.fault
            if fault is None or fault.happened.is_set() or not fault.wanted(name, number):
                return None
            fault.happened.set()
            return fault


class _Link:
    """One connection, and its other end."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._fault: Optional[Fault] = None

    def pass_requests(self) -> None:
        data = b""
        with contextlib.suppress(OSError):
            while True:
                words, left = take_request(data)
                if words is None:
                    more = self._client.recv(_PORTION)
                    if not more:
                        break
                    data += more
                    continue
                fault = self._proxy.fault_at(words)
                if fault is not None and fault.how == "before":
                    break
                self._fault = fault
                self._server.sendall(data[: len(data) - len(left)])
                if fault is not None and fault.how == "half":
                    reset(self._client)
                    return  # the other side stays open
                data = left
        self._reset()

    def pass_answers(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                answer = self._server.recv(_PORTION)
                if not answer or (self._fault is not None and self._fault.how == "after"):
                    break
                if self._fault is not None and self._fault.how == "within":
                    self._client.sendall(answer[:1])
                    break
                self._client.sendall(answer)
        self._reset()

    def _reset(self) -> None:
        reset(self._client)
        reset(self._server)


def reset(connection: socket.socket) -> None:
    """Close at once, with an RST; also for a thread that waits for something from there."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
    connection.close()
