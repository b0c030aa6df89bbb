"""What a worker process writes down while it works, in shared memory that the harness reads meanwhile.

Nothing is sent and nothing is asked for: a task costs two numbers written, and every hundredth part of a sample's
tasks also the worker's CPU time and its memory. Times are those of the system-wide monotonic clock.
"""

from __future__ import annotations

import mmap
import time
from typing import TYPE_CHECKING, List, NamedTuple

from benchmarks.resident import resident

if TYPE_CHECKING:
    from pathlib import Path

COUNT, LAST, ROWS, DELAYS = range(4)  # the cells at the beginning
HEADER = 4
MOST_ROWS = 128
PARTS = 100
WIDTH = 4


class Row(NamedTuple):
    """How it was when so many tasks had been done; the first row is that of the first task."""

    tasks: int
    at: int  # nanoseconds
    cpu: int  # nanoseconds, of all threads of the process
    resident: int  # bytes


class Journal:
    """One worker's journal; `tasks` is how many tasks a sample has, which all workers together do."""

    def __init__(self, path: Path, tasks: int) -> None:
        self._stride = max(tasks // PARTS, 1)
        self._delays = HEADER + MOST_ROWS * WIDTH
        size = (self._delays + tasks) * 8
        if not path.exists():
            with path.open("wb") as new:
                new.truncate(size)
        with path.open("r+b") as file:
            self._cells = memoryview(mmap.mmap(file.fileno(), size)).cast("q")
        self._count = 0
        self._next_row = 1

    # For the worker.

    def task_done(self) -> None:
        """Note that one more task has been done."""
        self._count = count = self._count + 1
        if count >= self._next_row:
            self._add_row(count)
        cells = self._cells
        cells[LAST] = time.monotonic_ns()
        cells[COUNT] = count  # at last, since this is what the harness waits for

    def delayed(self, nanoseconds: int) -> None:
        """Note how long after its submission a task has begun."""
        number = self._cells[DELAYS]
        if self._delays + number < len(self._cells):
            self._cells[self._delays + number] = nanoseconds
            self._cells[DELAYS] = number + 1

    def _add_row(self, count: int) -> None:
        self._next_row = (count // self._stride + 1) * self._stride
        number = self._cells[ROWS]
        if number < MOST_ROWS:
            at = HEADER + number * WIDTH
            row = Row(count, time.monotonic_ns(), time.process_time_ns(), int(resident()))
            for offset, value in enumerate(row):
                self._cells[at + offset] = value
            self._cells[ROWS] = number + 1

    # For the harness.

    @property
    def count(self) -> int:
        return self._cells[COUNT]

    @property
    def last(self) -> int:
        """When the last task was done."""
        return self._cells[LAST]

    @property
    def rows(self) -> List[Row]:
        starts = range(HEADER, HEADER + self._cells[ROWS] * WIDTH, WIDTH)
        return [Row(*self._cells[start : start + WIDTH]) for start in starts]

    @property
    def delays(self) -> List[int]:
        return list(self._cells[self._delays : self._delays + self._cells[DELAYS]])
