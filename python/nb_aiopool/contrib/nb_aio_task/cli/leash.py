"""
The child's end of what ties a worker process to its supervisor: a pair of sockets.

The supervisor says when to stop; that its end closes says that it is gone, however it went. The child says what the
supervisor cannot see from outside. Each message of the child is a line of JSON: a word, and what belongs to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from typing import Any

from .signals import ABORT, STOP, StopRequests, signals_held

LOADED = "loaded"
"""Its modules are loaded; with the list of [redis_url, list_name] of its tasks."""
UNLOADABLE = "unloadable"
"""Its modules cannot be loaded: starting it again is of no use."""
REFUSED = "refused"
"""It cannot work here at all, e.g. because the password is wrong."""
DRAINED = "drained"
"""It was to run until everything is done, and it is."""
COUNTED = "counted"
"""[succeeded, dead] since its start."""

STOP_WORD = b"s"
ABORT_WORD = b"a"
HOLD_WORD = b"h"
"""A burst is to go on although the queues are drained: what another process held has not come back yet."""
RELEASE_WORD = b"r"
"""It need not any more."""

ORPHAN_ABORT_SECONDS = 3.0
"""How long the running tasks of a process whose supervisor is gone may take to finish."""
ORPHAN_EXIT_SECONDS = 3.0
"""How long such a process may take after that."""


class Leash:
    """Requires: `descriptor` is a socket that was inherited from the supervisor."""

    def __init__(self, descriptor: int) -> None:
        self.held = False
        """Whether a burst is to go on although the queues are drained."""
        os.set_inheritable(descriptor, False)  # processes that tasks start have nothing to do with it
        self._socket = socket.socket(fileno=descriptor)

    def say(self, word: str, value: Any = None) -> None:
        """Tell the supervisor. Does nothing if it is gone; does not wait for one that does not listen."""
        line = json.dumps([word, value]).encode() + b"\n"
        with contextlib.suppress(OSError):
            self._socket.send(line, socket.MSG_DONTWAIT)

    def watch(self, requests: StopRequests) -> None:
        """
        Obey from now on: a thread does, so that no blocked event loop matters.

        Guarantees: if the supervisor is gone, this process ends, at the latest after the seconds above.
        """
        with signals_held():  # they are to wake the event loop, and not this thread
            threading.Thread(
                target=self._watch, args=(requests,), name="nb_aio_task supervisor", daemon=True
            ).start()

    def _watch(self, requests: StopRequests) -> None:
        while True:
            try:
                word = self._socket.recv(1)
            except OSError:
                word = b""
            if not word:
                break
            if word in (HOLD_WORD, RELEASE_WORD):
                self.held = word == HOLD_WORD
                continue
            if word == ABORT_WORD and not requests.is_heard():
                os._exit(0)  # it is still loading its modules: there is nothing to be handed back
            requests.ask(ABORT if word == ABORT_WORD else STOP)
        requests.ask(STOP)
        time.sleep(ORPHAN_ABORT_SECONDS)
        requests.ask(ABORT)
        time.sleep(ORPHAN_EXIT_SECONDS)
        os._exit(1)
