"""When a task is to be queued, and under which id."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Optional, Union

from .options import check_seconds, check_text

_EPOCH = 1970


class Schedule(NamedTuple):
    """
    `seconds` from the time of submission, or `at` a time as `time.time()` gives it, or at once; `id` is "" for
    none.
    """

    seconds: Optional[float] = None
    at: Optional[float] = None
    id: str = ""

    @classmethod
    def checked(
        cls,
        delay: Union[float, timedelta, None],
        at: Optional[datetime],
        id: Optional[str],  # noqa: A002
    ) -> Schedule:
        """Raises TypeError or ValueError that says which option is wrong, and what is right."""
        if delay is not None and at is not None:
            raise ValueError("give delay= or at=, not both")
        return cls(_seconds(delay), _time(at), _id(id))

    def delay(self) -> Optional[float]:
        """In how many seconds the task is due; None if it is to be queued at once."""
        if self.at is not None:
            remaining = self.at - time.time()
            return remaining if remaining > 0 else None
        return self.seconds

    def submitted_at(self) -> float:
        """The time that a task's age counts from: when it is due, for one that is submitted now."""
        return time.time() + (self.delay() or 0.0)


def _seconds(delay: Any) -> Optional[float]:
    if isinstance(delay, timedelta):
        delay = delay.total_seconds()
    if delay is None:
        return None
    if isinstance(delay, bool) or not isinstance(delay, (int, float)):
        raise TypeError(f"delay must be a number of seconds or a timedelta, not {delay!r}")
    check_seconds("delay", delay, 0)
    return float(delay) if delay else None


def _time(at: Any) -> Optional[float]:
    if at is None:
        return None
    if not isinstance(at, datetime):
        raise TypeError(f"at must be a datetime (without a time zone: local time), not {at!r}")
    try:
        return at.timestamp()
    except (
        ValueError,
        OverflowError,
        OSError,
    ) as error:  # the platform cannot count that far, in either direction
        if at.year < _EPOCH:
            return 0.0
        raise ValueError(f"at is too far away: {at!r}: {error}") from None


def _id(id: Any) -> str:  # noqa: A002
    if id is None:
        return ""
    if not isinstance(id, str):
        raise TypeError(f"id must be a str, not {id!r}")
    if not id:
        raise ValueError("id is empty; give the task a name, or leave it out")
    check_text("id", id)
    return id
