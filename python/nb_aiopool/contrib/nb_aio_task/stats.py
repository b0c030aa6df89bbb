"""How many tasks of a queue are where, as users see it."""

from __future__ import annotations

from .broker import Counts


class QueueStats(Counts):
    """
    `queued` in the list, `running` or read ahead by workers, `delayed` (also between two attempts), `dead`.

    Examples:
        >>> QueueStats(queued=3, running=50, delayed=1, dead=0).queued
        3
    """

    __slots__ = ()
