"""The supervisor's end of one worker process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import threading
from typing import Any, Callable, Sequence

from .leash import ABORT_WORD, HOLD_WORD, RELEASE_WORD, STOP_WORD
from .signals import ABORT, signals_held

Heard = Callable[["Child", str, Any], None]


class Child:
    """
    A worker process, from its start.

    `heard(child, word, value)` is called for each message, in the order in which they come; all of them have come when
    `ended()` returns. Raises OSError if no process can be started. Requires: POSIX, and a running event loop.
    """

    def __init__(self, command: Sequence[str], heard: Heard) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard = heard
        self._rest = b""
        self._socket, theirs = socket.socketpair()
        try:
            with theirs, signals_held():
                descriptor = theirs.fileno()
                self._process = subprocess.Popen(
                    [*command, "--leash", str(descriptor)], pass_fds=[descriptor]
                )
        except BaseException:
            self._socket.close()
            raise
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._read)
        self._status = self._loop.create_future()
        # A thread for each: what asyncio has for this differs from version to version, and among event loops. Signals
        # are not for it: they have to wake the loop.
        with signals_held():
            threading.Thread(target=self._wait, name=f"worker {self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, level: int) -> None:
        """Let it stop, or abort: see signals."""
        self._say(ABORT_WORD if level == ABORT else STOP_WORD)

    def hold(self, held: bool) -> None:
        """Let a burst go on although the queues are drained; or no more."""
        self._say(HOLD_WORD if held else RELEASE_WORD)

    async def ended(self) -> int:
        """Its exit status; negative is the number of the signal that has killed it."""
        try:
            status: int = await self._status
            self._read()  # a process that it has left behind may hold the other end open: this is no end of file
        finally:
            self._loop.remove_reader(self._socket)
            self._socket.close()
        return status

    def _say(self, word: bytes) -> None:
        with contextlib.suppress(OSError):  # it has ended
            self._socket.send(word)

    def _wait(self) -> None:
        status = self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self._loop.call_soon_threadsafe(self._status.set_result, status)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    data = self._socket.recv(65536)
                except ConnectionError:
                    data = b""
                if not data:
                    self._loop.remove_reader(self._socket)
                    return
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    self._hear(line)

    def _hear(self, line: bytes) -> None:
        try:
            word, value = json.loads(line)
        except ValueError:  # a line that was cut short because this side did not read for long
            return
        self._heard(self, word, value)


def described(status: int) -> str:
    """
    An exit status in words.

    >>> described(-9), described(3)
    ('killed by SIGKILL', 'exit status 3')
    """
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
