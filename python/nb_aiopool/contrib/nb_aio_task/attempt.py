"""One attempt at one task: decode, call, and say what is to become of the delivery."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Union

from . import trailer
from .broker import Delivery, Settlement
from .errors import BadPayload, last_line, shortened, whole_traceback
from .events import TaskEvent, emit, hooks
from .limits import condemned_at
from .records import Burial, Outcome
from .tokens import token

if TYPE_CHECKING:
    from .claims import Claim
    from .codec import Call
    from .definition import Definition
    from .errors import TooLarge

logger = logging.getLogger("nb_aiopool.contrib.nb_aio_task")

_LONGEST_DELAY = 30 * 86400.0


class Attempt:
    """
    A delivery, from its arrival until it is settled.

    When it has ended, one of these may be set, else it is to be acknowledged: `settlement` if that takes more, also
    if it was cut short by a KeyboardInterrupt;
    `given_up` if it was cancelled because the worker stops, and is to be handed back; `verdict` if somebody else has
    cancelled it, to be called (it sets the settlement) if it turns out that the worker does not stop.
    `refused` changes the settlement, to be called if the broker refuses it for its size.
    `lost` says that the delivery is no longer this worker's. `number` is 0 for an early start that has none yet.
    """

    __slots__ = (
        "body",
        "deliveries",
        "given_up",
        "job",
        "lost",
        "number",
        "over",
        "payload",
        "refused",
        "retries",
        "settlement",
        "started",
        "timed_out",
        "verdict",
    )

    def __init__(self, delivery: Delivery) -> None:
        self.number = delivery.number
        self.payload = delivery.payload
        self.body, self.deliveries, self.retries = trailer.split(delivery.payload)
        self.job: Optional[asyncio.Future[None]] = None
        self.started = False
        self.over = False
        self.given_up = False
        self.lost = False
        self.verdict: Optional[Callable[[], None]] = None
        self.settlement: Optional[Settlement] = None
        self.refused: Optional[Callable[[TooLarge], None]] = None
        self.timed_out = False

    @property
    def is_acknowledged(self) -> bool:
        """Whether it has ended, and that is all there is to tell."""
        return self.over and self.settlement is None and self.verdict is None and not self.given_up


class Names(NamedTuple):
    """Under what to keep what is kept of a task, its token, and its id if a user gave it one: see Settlement."""

    name: str
    token: str
    given_id: str


class Attempts:
    """
    How the attempts of one task are made.

    `ended(attempt)` is called when one has ended, in the loop and in whatever way.
    """

    def __init__(self, definition: Definition, ended: Callable[[Attempt], None]) -> None:
        self._function = definition.function
        self._name = definition.name
        self._queue = definition.queue
        self._options = definition.options
        self._codec = definition.codec
        self._records = definition.records
        self._ended = ended
        self._loop = asyncio.get_running_loop()

    async def make(self, attempt: Attempt) -> None:
        """
        Run the task. Raises nothing but what ends an event loop (KeyboardInterrupt, SystemExit) and CancelledError.
        """
        attempt.started = True
        try:
            await self._make(attempt)
        except GeneratorExit:  # the loop has been closed: nobody is left to be told
            raise
        except KeyboardInterrupt:
            if attempt.settlement is None and attempt.verdict is None:
                self._blame(attempt)
            self._ended(attempt)
            raise
        except BaseException:
            # It was cut short: nothing that is not settled may get lost.
            attempt.given_up = attempt.settlement is None and attempt.verdict is None
            self._ended(attempt)
            raise
        self._ended(attempt)

    async def _make(self, attempt: Attempt) -> None:
        if attempt.deliveries >= condemned_at(self._options.max_deliveries):
            self._condemn(attempt)  # unread: its workers may have died of reading it
            return
        try:
            call = self._codec.decode(attempt.body)
        except BadPayload as error:
            self._bury(attempt, self._claimed_names(attempt), str(error), attempt.deliveries + 1)
            logger.error("%s: %s. It goes to the dead letters", self._queue, error)  # noqa: TRY400 -- not our failure
            return
        if hooks:
            self._tell_start(attempt, call)
        begun = time.perf_counter()
        try:
            value = await self._run(attempt, call)
        except asyncio.CancelledError as error:
            if attempt.given_up:
                raise
            # The loop may be about to end, and have cancelled this before the worker itself.
            attempt.verdict = partial(self._fail, attempt, call, error, begun)
        except KeyboardInterrupt:  # the process is told to end
            raise
        except BaseException as error:
            # SystemExit too: sys.exit() in a task must not end its worker. A GeneratorExit is the task's own if this is
            # a step of its loop; else the loop has been closed, and nothing can be awaited or told any more.
            if isinstance(error, GeneratorExit) and asyncio._get_running_loop() is not self._loop:
                raise
            self._fail(attempt, call, error, begun)
        else:
            self._succeed(attempt, call, value, begun)

    async def _run(self, attempt: Attempt, call: Call) -> Any:
        timeout = self._options.timeout
        if timeout is None:
            return await self._function(*call.args, **call.kwargs)
        timer = asyncio.get_running_loop().call_later(timeout, self._time_out, attempt)
        try:
            value = await self._function(*call.args, **call.kwargs)
        except asyncio.CancelledError as error:
            if not attempt.timed_out:
                raise
            raise self._timeout_error() from error
        finally:
            timer.cancel()
        if attempt.timed_out:  # it has suppressed its cancellation
            raise self._timeout_error()
        return value

    def _time_out(self, attempt: Attempt) -> None:
        if attempt.job is not None:
            attempt.timed_out = True
            attempt.job.cancel()

    def _timeout_error(self) -> Exception:
        return asyncio.TimeoutError(f"{self._name} took longer than its timeout of {self._options.timeout} s")

    def _succeed(self, attempt: Attempt, call: Call, value: Any, begun: float) -> None:
        ttl = self._options.result_ttl
        if ttl:
            names = _names(call)
            result = self._result(names.name, Outcome(names.token, value))
            attempt.settlement = Settlement("done", attempt.number, *names, result=result, result_ttl=ttl)
            attempt.refused = partial(self._refuse_result, attempt)
        elif call.given_id:
            attempt.settlement = Settlement("done", attempt.number, call.id, call.token, call.id)
        if hooks:
            emit(TaskEvent("succeeded", self._queue, call.id, seconds=time.perf_counter() - begun))

    def _fail(self, attempt: Attempt, call: Call, error: BaseException, begun: float) -> None:
        said = last_line(error)
        if hooks:
            emit(TaskEvent("failed", self._queue, call.id, seconds=time.perf_counter() - begun, error=said))
        options = self._options
        if attempt.retries >= options.max_retries:
            self._bury(attempt, _names(call), said, attempt.deliveries + 1, whole_traceback(error))
            logger.error("%s: %s failed for good: %s", self._queue, self._name, said, exc_info=error)
            return
        try:
            delay = options.retry_delay * 2.0**attempt.retries
        except OverflowError:
            delay = _LONGEST_DELAY
        delay = min(delay, _LONGEST_DELAY) * random.uniform(0.5, 1.5)
        logger.info("%s: %s failed, next attempt in %.1f s: %s", self._queue, self._name, delay, said)
        body = trailer.join(attempt.body, attempt.deliveries, attempt.retries + 1)
        names = _names(call)
        attempt.settlement = Settlement("retry", attempt.number, *names, body, delay)
        attempt.refused = partial(self._refuse_record, attempt, names, said, attempt.payload)
        if hooks:
            emit(
                TaskEvent("retried", self._queue, call.id, count=attempt.retries + 1, delay=delay, error=said)
            )

    def _blame(self, attempt: Attempt) -> None:
        """
        The delivery counts, and is handed back: the attempt ends its worker. On old Pythons a Ctrl-C is raised in
        whatever runs at the moment; but a task that raises it each time must not end one worker after another for ever.
        """
        deliveries, most = attempt.deliveries + 1, self._options.max_deliveries
        if deliveries >= most:
            deliveries = max(deliveries, condemned_at(most))
        body = trailer.join(attempt.body, deliveries, attempt.retries)
        attempt.settlement = Settlement("again", attempt.number, "", "", "", body)
        said = "KeyboardInterrupt has ended its worker"
        names = self._claimed_names(attempt)
        attempt.refused = partial(self._refuse_record, attempt, names, said, attempt.payload)

    def _condemn(self, attempt: Attempt) -> None:
        said = (
            f"its worker died each time that it was delivered, the last time with nothing beside it"
            f" (max_deliveries={self._options.max_deliveries})"
        )
        logger.error("%s: %s is not run again: %s", self._queue, self._name, said)
        self._bury(attempt, self._claimed_names(attempt), said, self._options.max_deliveries)

    def _claimed_names(self, attempt: Attempt) -> Names:
        """
        The names of what was not decoded. Who has no key can free an id with them that belongs to the token that it
        has to know, but not put words into the place of another task's result or dead letter.
        """
        claim, is_believed = self._codec.claim_of(attempt.body)
        names = _names(claim)
        return names if is_believed else names._replace(name=token())

    def _bury(self, attempt: Attempt, names: Names, said: str, deliveries: int, text: str = "") -> None:
        burial = Burial(*names, text or said, deliveries, time.time(), attempt.payload)
        self._settle_dead(attempt, burial, said, text)
        attempt.refused = partial(self._refuse_record, attempt, names, said, attempt.payload)
        if hooks:
            emit(TaskEvent("dead", self._queue, names.name, error=said))

    def _settle_dead(self, attempt: Attempt, burial: Burial, said: str, text: str = "") -> None:
        names = Names(burial.name, burial.token, burial.given_id)
        ttl = self._options.result_ttl
        result = self._result(names.name, Outcome(names.token, error=said, traceback=text)) if ttl else b""
        record = self._records.encode_burial(burial)
        attempt.settlement = Settlement("dead", attempt.number, *names, record, result=result, result_ttl=ttl)

    def _refuse_result(self, attempt: Attempt, error: TooLarge) -> None:
        settlement = attempt.settlement
        assert settlement is not None
        logger.error("%s: the result of %s cannot be stored: %s", self._queue, self._name, error)
        result = self._unstorable(settlement.name, settlement.token, str(error))
        attempt.settlement, attempt.refused = settlement._replace(result=result), None

    def _refuse_record(
        self, attempt: Attempt, names: Names, said: str, payload: bytes, error: TooLarge
    ) -> None:
        """What is to be kept of it is too large: it is a dead letter without its traceback; or without its payload."""
        logger.error("%s: %s cannot be kept as it is: %s", self._queue, self._name, error)
        said = shortened(said, 1000)
        text = f"{said}\n(its record was too large: {error})\n{said}"
        deliveries = min(attempt.deliveries + 1, condemned_at(self._options.max_deliveries))
        burial = Burial(*names, text, deliveries, time.time(), payload)
        self._settle_dead(attempt, burial, said)
        attempt.refused = partial(self._refuse_record, attempt, names, said, b"") if payload else None

    def _result(self, name: str, outcome: Outcome) -> bytes:
        try:
            return self._records.encode_outcome(name, outcome)
        except Exception as error:
            logger.exception("%s: the result of %s cannot be stored", self._queue, self._name)
            return self._unstorable(name, outcome.token, last_line(error))

    def _unstorable(self, name: str, key: str, why: str) -> bytes:
        said = f"the task succeeded, but its result cannot be stored: {why}"
        return self._records.encode_outcome(name, Outcome(key, error=said, unstorable=True))

    def _tell_start(self, attempt: Attempt, call: Call) -> None:
        if attempt.deliveries:
            emit(TaskEvent("redelivered", self._queue, call.id, count=attempt.deliveries))
        age = max(0.0, time.time() - call.submitted_at) if call.submitted_at else None
        emit(TaskEvent("started", self._queue, call.id, age=age))


def _names(call: Union[Call, Claim]) -> Names:
    """The name and the token are made up if the task's producer gave none."""
    key = call.token or token()
    return Names(call.id or key, key, call.given_id)
