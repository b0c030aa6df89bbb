"""The wait for something to come into an empty queue."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Callable, Optional

from .errors import Outage

if TYPE_CHECKING:
    from .alarm import Alarm
    from .broker import Broker

PARTING_SECONDS = 0.5
_REST_AFTER_OUTAGE = 0.1


class Listener:
    """
    Lets one consumer wait, beside whatever else it does.

    `heard(consumer, payload)` is called when something has come: it says whether it has started that, which is what
    makes an idle worker quick. The alarm is set off when the wait is over, whatever came of it.
    """

    def __init__(
        self, broker: Broker, block: float, alarm: Alarm, heard: Callable[[str, bytes], bool]
    ) -> None:
        self._broker = broker
        self._block = block
        self._alarm = alarm
        self._heard = heard
        self._task: Optional[asyncio.Task[None]] = None
        self.listening = False
        self.pending = False
        """Whether something may have come that was not started: the next exchange fetches it."""
        self.refusal: Optional[Exception] = None
        """Why this consumer cannot wait any more, if it cannot."""

    def listen(self, consumer: str) -> None:
        """Wait, unless it does already. Requires: the consumer's lease was renewed just now."""
        if not self.listening:
            self.listening = True
            self._task = asyncio.get_running_loop().create_task(self._listen(consumer))

    async def end(self) -> None:
        """
        Guarantees: the wait is over, and if it was answered, that has come; else the broker knows that it may still be.
        """
        task = self._task
        if not self.listening or task is None:
            return
        ending = asyncio.get_running_loop().create_task(self._broker.end_wait())
        try:
            await asyncio.wait([task, ending], timeout=PARTING_SECONDS)
        finally:
            ending.cancel()
            task.cancel()
        await asyncio.wait([task, ending])

    async def _listen(self, consumer: str) -> None:
        self.pending = True
        try:
            payload = await self._broker.wait(consumer, self._block)
            self.pending = payload is not None and not self._heard(consumer, payload)
        except Outage:
            # The consumer's next turn most likely meets it as well, and sees to it; if not, this must not spin.
            await asyncio.sleep(_REST_AFTER_OUTAGE)
        except Exception as error:  # noqa: BLE001 -- the worker raises it
            self.refusal = error
        finally:
            self.listening = False
            self._alarm.set()
