"""A mapping whose entries have an end."""

from __future__ import annotations

import heapq
from typing import Callable, Dict, Generic, List, Optional, Tuple, TypeVar

V = TypeVar("V")


class Expiring(Generic[V]):
    """
    Values under names, each until a time of its own; the caller says what time it is.

    Guarantees: an expired entry is never seen again, and its memory is given back as others are put in. A name that is
    put in again and again, or put in and taken out, takes no more memory than one entry.

    >>> marks: Expiring[bytes] = Expiring()
    >>> marks.put("a", b"1", now=0, end=10)
    >>> marks.get("a", now=9), marks.get("a", now=10)
    (b'1', None)
    """

    def __init__(self) -> None:
        self._entries: Dict[str, Tuple[int, V]] = {}
        # A heap of what ends when; those that were replaced or taken out since are found out when they come up.
        self._ends: List[Tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: str, now: int) -> Optional[V]:
        """What is there under this name, None if there is nothing (any more)."""
        end, value = self._entries.get(name, (now, None))
        return value if end > now else None

    def put(self, name: str, value: V, now: int, end: int) -> None:
        """Keep `value` until `end`, in place of what was there."""
        self._drop_ended(now)
        self._entries[name] = (end, value)
        heapq.heappush(self._ends, (end, name))
        if len(self._ends) > 2 * len(self._entries) + 100:
            self._ends = [(end, name) for name, (end, _) in self._entries.items()]
            heapq.heapify(self._ends)

    def pop(self, name: str) -> None:
        """Take out what is there under this name, if anything is."""
        self._entries.pop(name, None)

    def keep_only(self, wanted: Callable[[V], bool]) -> None:
        """Take out everything but the values that are `wanted`."""
        self._entries = {name: entry for name, entry in self._entries.items() if wanted(entry[1])}

    def _drop_ended(self, now: int) -> None:
        while self._ends and self._ends[0][0] <= now:
            end, name = heapq.heappop(self._ends)
            if name in self._entries and self._entries[name][0] == end:
                del self._entries[name]
