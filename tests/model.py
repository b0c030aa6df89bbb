"""What a pool holds, according to the contract: a naive model that does by lists what the pool does natively.

It knows nothing of asyncio. What happens to a job it is told at once, so it agrees with the pool whenever the
loop has had the turns it needs, not at every moment in between.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional


class Entry:
    """One job: where it is, and how it ended."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.place = "new"  # new, line, queue, slot, ended, refused
        self.begun = False
        self.outcome: Optional[str] = None  # succeeded, failed, cancelled

    def __repr__(self) -> str:
        return "<entry %d %s>" % (self.number, self.outcome or self.place)


class Model:
    def __init__(self, max_concurrency: int, max_queue_size: int) -> None:
        self.max_concurrency = max_concurrency
        self.max_queue_size = max_queue_size
        self.line: List[Entry] = []
        self.queue: List[Entry] = []
        self.slots: List[Entry] = []
        self.started: List[int] = []  # the numbers of the jobs that have begun, in order
        self.submitted = 0
        self.ended: Dict[str, int] = {"succeeded": 0, "failed": 0, "cancelled": 0}
        self.closed = False

    @property
    def idle(self) -> bool:
        return not (self.line or self.queue or self.slots)

    def room(self) -> float:
        if self.max_queue_size == 0:
            return float("inf")
        free = max(0, self.max_concurrency - len(self.slots))
        return self.max_queue_size + free - len(self.queue)

    # -- What producers do -----------------------------------------------------------------------------------

    def arrive(self, entry: Entry, block: bool, inside: bool = False) -> str:
        """A producer brings a job; the answer is accepted, waits, full or stopped."""
        if self.closed and not inside:
            entry.place = "refused"
            return "stopped"
        if not self.line and self.room() > 0:
            self._accept(entry)
            return "accepted"
        if not block:
            entry.place = "refused"
            return "full"
        entry.place = "line"
        self.line.append(entry)
        return "waits"

    def arrive_together(self, entries: List[Entry]) -> str:
        """All or nothing."""
        if self.closed:
            answer = "stopped"
        elif entries and (self.line or self.room() < len(entries)):
            answer = "full"
        else:
            for entry in entries:
                self._accept(entry)
            return "accepted"
        for entry in entries:
            entry.place = "refused"
        return answer

    def withdraw(self, entry: Entry) -> None:
        """A producer gives up while it waits."""
        self.line.remove(entry)
        entry.place = "refused"

    # -- What happens to jobs --------------------------------------------------------------------------------

    def end(self, entry: Entry, outcome: str) -> None:
        (self.queue if entry.place == "queue" else self.slots).remove(entry)
        entry.place, entry.outcome = "ended", outcome
        self.ended[outcome] += 1
        self._flow()

    def begin_all(self) -> None:
        """The loop has turned: whatever has a slot has taken its first step."""
        for entry in self.slots:
            if not entry.begun:
                entry.begun = True
                self.started.append(entry.number)

    # -- What is done to the pool ----------------------------------------------------------------------------

    def set_max_concurrency(self, limit: int) -> None:
        self.max_concurrency = limit
        while len(self.slots) > limit and not self.slots[-1].begun:
            entry = self.slots.pop()
            entry.place = "queue"
            self.queue.insert(0, entry)
        self._flow()

    def set_max_queue_size(self, limit: int) -> None:
        self.max_queue_size = limit
        self._flow()

    def close(self, cancel: bool) -> List[Entry]:
        """Shut down; with ``cancel``, the answer is what still runs and has been cancelled."""
        self.closed = True
        if not cancel:
            return []
        for entry in list(self.line):
            self.withdraw(entry)
        for entry in list(self.queue):
            self.end(entry, "cancelled")
        return list(self.slots)

    def counts(self) -> Dict[str, Any]:
        return {
            "submitted": self.submitted,
            **self.ended,
            "queued": len(self.queue),
            "running": len(self.slots),
            "waiting": len(self.line),
            "closed": self.closed,
        }

    # -- Inside ----------------------------------------------------------------------------------------------

    def _accept(self, entry: Entry) -> None:
        self.submitted += 1
        entry.place = "queue"
        self.queue.append(entry)
        self._flow()

    def _flow(self) -> None:
        """Queued jobs take free slots; then those who wait come in, as far as there is room."""
        while True:
            if self.queue and len(self.slots) < self.max_concurrency:
                entry = self.queue.pop(0)
                entry.place = "slot"
                self.slots.append(entry)
            elif self.line and self.room() > 0:
                self._accept_from_line()
            else:
                return

    def _accept_from_line(self) -> None:
        self.submitted += 1
        entry = self.line.pop(0)
        entry.place = "queue"
        self.queue.append(entry)
