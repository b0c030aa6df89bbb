"""Under which name, and which numbers, batches are sent."""

from __future__ import annotations

import os
from typing import List, Optional

from .tokens import token


class Producer:
    """
    A name that only one Submitter at a time uses, and the number of the last batch under it.

    The broker remembers each name for days: programs that call `asyncio.run` again and again must not leave a new one
    behind each time.
    """

    def __init__(self) -> None:
        self.name = token()
        self.batch = 0
        self.process = os.getpid()


class Producers:
    """Names that are free again. Guarantees: may be used by any thread; a forked process uses none of its parent's."""

    def __init__(self) -> None:
        self._free: List[Producer] = []

    def take(self) -> Producer:
        """One that nobody uses."""
        while True:
            try:
                producer = self._free.pop()
            except IndexError:
                return Producer()
            if producer.process == os.getpid():
                return producer

    def give_back(self, producer: Optional[Producer]) -> None:
        """Requires: nothing is sent under this name any more, and no batch is to be repeated."""
        if producer is not None:
            self._free.append(producer)
