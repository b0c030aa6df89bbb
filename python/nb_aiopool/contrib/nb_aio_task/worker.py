"""
A worker: one `consume()`, from its first fetch to its last hand-back.

It turns: tell the broker what has ended, take what there is room for, start it, and sleep until there is a reason for
the next turn. Nothing else talks to the broker for it but the wait for something to come (`listener`) and the thread
that keeps the lease (`keeper`). What it holds, and under which name, is `holding`'s business.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Awaitable, Optional

from nb_aiopool.pool import NbAioPool

from .alarm import Alarm
from .attempt import Attempt, Attempts
from .errors import QueueError
from .holding import Holding
from .listener import Listener

if TYPE_CHECKING:
    from .broker import Broker
    from .burst import Burst
    from .definition import Definition

logger = logging.getLogger("nb_aiopool.contrib.nb_aio_task")

FLUSH_SECONDS = 0.05
"""How long an acknowledgement may wait for company."""
IDLE_TURN_SECONDS = 0.5
"""How often a worker that has nothing to do looks for delayed tasks that have become due."""
LAST_ANSWER_SECONDS = 0.5
PARTING_SECONDS = 1.0
"""How long a worker that stops waits for the answer to its last call, and to each of the few that it makes then."""


class Worker:
    """
    Runs the tasks of one queue until it is stopped.

    Guarantees: `run` returns when all it has begun has ended and the rest is handed back. With `burst` it also returns
    once the list and the delayed tasks are empty, nothing of its own is running, and so it is with the other workers
    of that burst.
    """

    def __init__(
        self, definition: Definition, broker: Broker, *, block: float, burst: Optional[Burst] = None
    ) -> None:
        options = definition.options
        self._definition = definition
        self._broker = broker
        self._burst = burst
        self._has_started = False
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm()
        self._stopping = False
        self._aborted = False
        self._refused = False
        concurrency = options.max_concurrency
        read_ahead = max(1, concurrency // 10)
        if options.max_queue_size:
            read_ahead = min(read_ahead, options.max_queue_size)
        self._room = concurrency + read_ahead
        self._portion = max(1, read_ahead // 2)
        self._pool = NbAioPool(concurrency, options.max_queue_size)
        self._attempts = Attempts(definition, self._ended)
        self._listener = Listener(broker, block, self._alarm, self._hear)
        self._holding = Holding(definition, broker, self._alarm)
        self._flush: Optional[asyncio.TimerHandle] = None
        self._next_due: Optional[float] = None

    def stop(self) -> None:
        """Fetch nothing more, hand back what has not started, let the rest finish. From the loop's thread."""
        self._stopping = True
        for attempt in list(self._holding.in_pool.values()):
            if not attempt.started:
                if attempt.job is not None:
                    attempt.job.cancel()
                self._holding.drop(attempt)
        self._alarm.set()

    def abort(self) -> None:
        """Stop, and cancel what is running: it is handed back."""
        self._aborted = True
        self.stop()
        for attempt in list(self._holding.in_pool.values()):
            attempt.given_up = True
            if attempt.job is not None:
                attempt.job.cancel()

    async def run(self) -> None:
        """
        Guarantees: cancelled once, it stops; cancelled again, it aborts; it raises CancelledError when it is done with
        that. Raises BrokerError if the broker refuses it for good.
        """
        # A task of its own, because stop() has to end a call that is not answered as well.
        server = self._loop.create_task(self._serve())
        interrupted: Optional[BaseException] = None
        try:
            try:
                await asyncio.wait([server])
            except asyncio.CancelledError as error:
                interrupted = error
            self.stop()
            while True:
                try:
                    await self._end_of(server)
                    await self._wind_up()
                    break
                except asyncio.CancelledError as error:
                    interrupted = error
                    self.abort()
        finally:
            self._holding.forget()
        if server.cancelled():
            interrupted = interrupted or asyncio.CancelledError()
        else:
            interrupted = server.exception() or interrupted
        if interrupted is not None:
            raise interrupted

    async def _end_of(self, server: asyncio.Task[None]) -> None:
        """Let it have the answer to its last call; but not if that takes long."""
        await asyncio.wait([server], timeout=LAST_ANSWER_SECONDS)
        while not server.done():
            server.cancel()
            # Not without end: wait_for() may lose a cancellation that comes with an answer, before Python 3.12.
            await asyncio.wait([server], timeout=LAST_ANSWER_SECONDS)

    async def _serve(self) -> None:
        while not self._stopping:
            era = self._burst.era if self._burst is not None else 0
            await self._turn()
            if self._is_over(era):
                return
            if not self._has_reason():
                await self._rest()

    async def _turn(self) -> None:
        holding = self._holding
        if self._listener.refusal is not None:
            raise self._listener.refusal
        holding.judge_cancelled()
        holding.release_suspects()
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        # What is held up behind a suspect takes up room as well: fetching waits until that has gone.
        room = 0 if holding.suspects or holding.solo else self._room
        listener = self._listener
        sweep = not listener.listening
        holding.more = holding.more or (sweep and listener.pending)
        reply = await holding.exchange(room, sweep=sweep)
        if listener.pending and not listener.listening:
            # Not all that a wait has put by has been fetched: that comes before the next wait.
            listener.pending = not (sweep and not holding.more)
            holding.more = listener.pending
        if reply is None:  # the lease was lost: a wait in the old name brings nothing that is this worker's
            await listener.end()
        else:
            self._next_due = reply.next_due
            if not self._stopping:
                for attempt in holding.startable():
                    self._start(attempt)

    def _start(self, attempt: Attempt) -> None:
        self._has_started = True
        attempt.job = self._pool.submit_nowait(self._attempts.make(attempt))

    def _hear(self, consumer: str, payload: bytes) -> bool:
        """Something has come into the empty queue: start it without asking for it first, if that may be."""
        if consumer != self._holding.consumer:  # the lease was lost meanwhile: it is recovered like the rest
            return False
        self._holding.more = True  # where one came from, there may be others
        attempt = None if self._stopping else self._holding.begin_early(payload)
        if attempt is None:
            return False
        self._start(attempt)
        return True

    def _ended(self, attempt: Attempt) -> None:
        self._holding.end(attempt)
        if self._has_reason():
            self._alarm.set()
        elif self._flush is None:
            self._flush = self._loop.call_later(FLUSH_SECONDS, self._alarm.set)

    def _has_reason(self) -> bool:
        """Whether the next turn has something to do that cannot wait."""
        holding = self._holding
        if not holding.in_pool:
            return holding.unsettled or bool(holding.suspects) or holding.more
        if holding.suspects or holding.solo:
            return False
        return holding.more and self._room - holding.occupied >= self._portion

    async def _rest(self) -> None:
        holding = self._holding
        blocked = holding.more or holding.suspects or holding.solo or holding.occupied >= self._room
        if not blocked:
            self._listener.listen(holding.consumer)
        seconds = IDLE_TURN_SECONDS
        if self._next_due is not None:
            seconds = min(seconds, self._next_due + 0.001)
        await self._alarm.sleep(seconds)

    def _is_over(self, era: int) -> bool:
        """Whether this is a burst that is over, as far as the turn that began in that era can tell."""
        if self._burst is None:
            return False
        holding = self._holding
        busy = (
            holding.more
            or holding.in_pool
            or holding.suspects
            or holding.unsettled
            or self._next_due is not None
        )
        started, self._has_started = self._has_started, False
        if self._listener.pending and not busy and not started:
            return False  # nothing is known before the wait is over, and it is soon
        drained = not busy and not self._listener.pending
        return self._burst.report(self, era, drained=drained, started=started)

    async def _wind_up(self) -> None:
        holding = self._holding
        self.stop()
        await self._listener.end()
        await self._within(PARTING_SECONDS, holding.hand_back())
        while holding.in_pool:
            await self._alarm.sleep(FLUSH_SECONDS)
            # Who was refused asks once more in the end, and not twenty times a second.
            if holding.unsettled and not self._refused:
                await self._within(PARTING_SECONDS, holding.exchange(0))
        if not await self._within(PARTING_SECONDS, holding.leave()):
            logger.warning(
                "%s: stopped while the broker does not answer: what was not acknowledged starts again when the lease"
                " of %g s has run out",
                self._definition.queue,
                self._definition.options.lease,
            )
        if self._flush is not None:
            self._flush.cancel()
        # What runs on although its lease was lost ends here as well.
        await self._pool.shutdown(cancel=self._aborted)

    async def _within(self, seconds: float, call: Awaitable[object]) -> bool:
        # Not wait_for(): before Python 3.12 that loses a cancellation that comes together with the end of the call.
        task = asyncio.ensure_future(call)
        try:
            await asyncio.wait([task], timeout=seconds)
        finally:
            task.cancel()
            await asyncio.wait([task])
        if task.cancelled():
            return False
        error = task.exception()
        if isinstance(error, QueueError):
            if not self._refused:
                logger.warning("%s: %s", self._definition.queue, error)
            self._refused = True
            return False
        if error is not None:
            raise error
        return True
