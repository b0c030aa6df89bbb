"""What worker processes have written down about their tasks, and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Iterable, List, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = 20


class Event(NamedTuple):
    """Something that has happened to a task, in the worker with this process number; `at` is everybody's clock."""

    at: float
    worker: int
    what: str
    label: str


class History:
    """The events of all workers that write into one directory, as they are now."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def events(self) -> List[Event]:
        """All events, in the order in which they happened."""
        found: List[Event] = []
        for path in self.directory.glob("*.history"):
            for line in path.read_text(encoding="utf-8").splitlines():
                at, what, label = line.split(" ", 2)
                found.append(Event(float(at), int(path.stem), what, label))
        return sorted(found)

    def counts(self, what: str) -> Dict[str, int]:
        """How often this has happened, by label."""
        counts: Dict[str, int] = {}
        for event in self.events():
            if event.what == what:
                counts[event.label] = counts.get(event.label, 0) + 1
        return counts

    def count(self, what: str) -> int:
        return sum(self.counts(what).values())

    def labels(self, what: str) -> List[str]:
        """Of what this has happened to, in order."""
        return [event.label for event in self.events() if event.what == what]

    def missing(self, labels: Iterable[object]) -> List[str]:
        """Those of the tasks that have not come to their end."""
        ended = self.counts("end")
        return [str(label) for label in labels if str(label) not in ended]

    def repeated(self) -> Dict[str, int]:
        """How often each task was started that was started more than once."""
        return {label: count for label, count in self.counts("start").items() if count > 1}

    def tell(self, labels: Iterable[object]) -> str:
        """The histories of these tasks, for a failed test to show."""
        wanted = [str(label) for label in labels]
        lines = ["%d tasks%s:" % (len(wanted), "" if len(wanted) <= SHOWN else ", of which %d" % SHOWN)]
        shown = wanted[:SHOWN]
        by_label: Dict[str, List[str]] = {label: [] for label in shown}
        for event in self.events():
            if event.label in by_label:
                by_label[event.label].append("%.3f %s in %d" % (event.at, event.what, event.worker))
        for label in shown:
            lines.append("  %s: %s" % (label, "; ".join(by_label[label]) or "never started"))
        return "\n".join(lines)
