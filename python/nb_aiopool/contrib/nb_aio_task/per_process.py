"""Things of which a process has one for each key, such as the URL of a server, whoever asks for it."""

from __future__ import annotations

import os
import threading
from typing import Callable, Dict, Generic, Hashable, Optional, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class PerProcess(Generic[_K, _V]):
    """
    `things(key)` is the one thing of this key, made by `make(key)` when it is first asked for.

    Requires: it lives as long as the process does. `make` asks for nothing here.
    Guarantees: may be called from any thread. A forked child begins without things; or, if `renew` is given, with the
    parent's, each renewed: threads of the parent may have held their locks.
    """

    def __init__(self, make: Callable[[_K], _V], renew: Optional[Callable[[_V], None]] = None) -> None:
        self._make = make
        self._renew = renew
        self._things: Dict[_K, _V] = {}
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin_anew)

    def __call__(self, key: _K) -> _V:
        with self._lock:
            if key not in self._things:
                self._things[key] = self._make(key)
            return self._things[key]

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        if self._renew is None:
            self._things.clear()
            return
        for thing in self._things.values():
            self._renew(thing)
