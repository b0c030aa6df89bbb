"""Waiting for a broker that cannot be reached: how long, and what is said about it."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import threading
import time
from typing import Awaitable, Callable, TypeVar
from urllib.parse import urlsplit

from .errors import Outage
from .per_process import PerProcess

_T = TypeVar("_T")

logger = logging.getLogger("nb_aiopool.contrib.nb_aio_task")


def name_of(url: str) -> str:
    """The URL without what nobody should read in a log: user, password and options."""
    parts = urlsplit(url)
    where = parts.hostname or parts.path
    return f"{parts.scheme}://{where}{f':{parts.port}' if parts.port else ''}"


class OutageLog:
    """
    One line for each change of state of one server, whoever notices it first.

    Guarantees: may be used from any thread.
    """

    def __init__(self, url: str) -> None:
        self._name = name_of(url)
        self._down = False
        self._lock = threading.Lock()

    def down(self, error: BaseException) -> None:
        with self._lock:
            changed, self._down = not self._down, True
        if changed:
            logger.warning(
                "%s cannot be used: %s. Trying again until it can; tasks that are running go on",
                self._name,
                error,
            )

    def up(self) -> None:
        with self._lock:
            changed, self._down = self._down, False
        if changed:
            logger.warning("%s can be used again", self._name)


# The one that all users of a URL share.
log_of = PerProcess[str, OutageLog](OutageLog)


def pauses(longest: float) -> Callable[[], float]:
    """
    A function that returns how long to wait before the next attempt: growing up to about `longest`, and never the
    same for two waiters, so that they do not all come back at once.
    """
    pause = min(0.05, longest)

    def following() -> float:
        nonlocal pause
        chosen = pause * random.uniform(0.5, 1.5)
        pause = min(pause * 2, longest)
        return chosen

    return following


async def persist(
    attempt: Callable[[], Awaitable[_T]], log: OutageLog, longest: float, give_up: float = math.inf
) -> _T:
    """
    Repeat the attempt until it does not end in an Outage, for at most `give_up` seconds: then the Outage is raised.
    """
    following = pauses(longest)
    begun = time.monotonic()
    tried = False
    while True:
        try:
            answer = await attempt()
        except Outage as error:
            if time.monotonic() - begun >= give_up:
                raise
            log.down(error)
            tried = True
            await asyncio.sleep(following())
        else:
            if tried:
                log.up()
            return answer
