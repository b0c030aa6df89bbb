"""How long to wait before a process that has died is started again."""

from __future__ import annotations

from typing import Callable

from nb_aiopool.contrib.nb_aio_task.outages import pauses

STEADY_SECONDS = 10.0
"""A process that has lived so long did not die because of how it started."""
_LONGEST_PAUSE = 30.0


class Restarts:
    """The restarts of one process: pauses grow as long as it dies soon after its start."""

    def __init__(self) -> None:
        self._next = _new_pauses()

    def pause(self, lived: float) -> float:
        """Seconds to wait, after it has lived this long. Jittered, so that several do not all start at once."""
        if lived >= STEADY_SECONDS:
            self._next = _new_pauses()
        return self._next()


def _new_pauses() -> Callable[[], float]:
    return pauses(_LONGEST_PAUSE)
