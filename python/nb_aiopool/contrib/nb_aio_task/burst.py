"""When workers that run until everything is done are done: together, because they may submit to each other's queues."""

from __future__ import annotations

from typing import Callable, Set


class Burst:
    """
    The workers of one burst, in one event loop. Each reports after a look at its queue; told True, it ends.

    A worker is *quiet* if its queue was empty and nothing of its own was left, and it has started nothing since its
    report before. Only if all have looked, and were quiet, since the last of them became so can nothing have been
    submitted by one behind the back of another.

    As long as `held()` is true nobody is quiet: something is known to come back to the queues yet.
    """

    def __init__(self, members: int = 1, held: Callable[[], bool] = lambda: False) -> None:
        self._members = members
        self._held = held
        self._quiet: Set[object] = set()
        self._agreed: Set[object] = set()
        self._over = False
        self.era = 0
        """What is said about a look that was begun in an earlier era counts no more."""

    def report(self, member: object, era: int, *, drained: bool, started: bool) -> bool:
        """
        Whether the burst is over.

        `era` is that in which the look began. `drained`: nothing is queued, delayed or running; `started`: something
        was, since the report before.
        """
        drained = drained and not self._held()
        if self._over:
            return drained
        if not drained or (started and self._members > 1):
            self._quiet.discard(member)
            self._begin_era()
            return False
        if member not in self._quiet:
            self._quiet.add(member)
            self._begin_era()
            era = self.era
        if era == self.era:
            self._agreed.add(member)
        self._over = len(self._agreed) >= self._members
        return self._over

    def leave(self, member: object) -> None:
        """This worker has ended, for whatever reason: the others wait for it no more."""
        if not self._over:
            self._members -= 1
            self._quiet.discard(member)
            self._begin_era()

    def _begin_era(self) -> None:
        self.era += 1
        self._agreed.clear()
