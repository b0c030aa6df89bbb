"""Putting calls into the queue: one, or many chunk by chunk."""

from __future__ import annotations

import asyncio
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterable,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from nb_aiopool._closing import aclose

from .broker import Submission
from .events import TaskEvent, emit, hooks
from .handle import TaskHandle
from .submitter import MOST_BYTES, MOST_TASKS
from .tokens import token, tokens

if TYPE_CHECKING:
    from .link import Links
    from .schedule import Schedule


Calls = Union[Iterable[Tuple[Any, Any]], AsyncIterable[Tuple[Any, Any]]]
"""What submit_many takes: pairs of arguments and keyword arguments."""


async def submit_one(
    links: Links, schedule: Schedule, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> TaskHandle:
    """See AioTask.submit."""
    definition = links.definition
    key = token()
    id_ = schedule.id or key
    payload = definition.codec.encode(args, kwargs, id_, key, schedule.submitted_at())
    submission = Submission(payload, key, schedule.id, schedule.delay())
    (owner,) = await links.here().submitter.submit([submission])
    if hooks and owner == key:
        emit(TaskEvent("submitted", definition.queue, id_))
    return TaskHandle(links, id_, owner)


async def submit_all(links: Links, schedule: Schedule, calls: Calls) -> List[TaskHandle]:
    """See AioTask.submit_many."""
    bulk = _Bulk(links, schedule)
    try:
        try:
            if isinstance(calls, AsyncIterable):
                async for call in calls:
                    if bulk.add(call):
                        await bulk.send()
            else:
                for call in calls:
                    if bulk.add(call):
                        await bulk.send()
        except Exception:
            await bulk.send()
            await bulk.answer()
            raise
        await bulk.send()
        await bulk.answer()
    except BaseException:
        bulk.cancel()
        if isinstance(calls, AsyncIterable):
            await aclose(calls, "submit_many()")
        raise
    return bulk.handles


class _Bulk:
    """Calls on their way, a chunk at a time: while one is on the wire, the next is written."""

    def __init__(self, links: Links, schedule: Schedule) -> None:
        self.handles: List[TaskHandle] = []
        self._links = links
        self._encode = links.definition.codec.encode
        self._submitter = links.here().submitter
        self._schedule = schedule
        self._chunk: List[Submission] = []
        self._size = 0
        self._sent: List[Submission] = []
        self._answer: Optional[asyncio.Task[List[str]]] = None
        self._tokens: List[str] = []
        self._at = 0.0
        self._delay: Optional[float] = None
        self._seen = 0

    def add(self, call: Any) -> bool:
        """Whether the chunk is full."""
        try:
            args, kwargs = call
            if not (isinstance(args, (tuple, list)) and isinstance(kwargs, dict)):
                raise TypeError  # noqa: TRY301 -- together with what is no pair at all
            if kwargs and not all(map(_is_text, kwargs)):  # pyright: ignore[reportUnknownArgumentType]
                raise TypeError  # noqa: TRY301 -- as a call with ** does
        except (TypeError, ValueError):
            raise TypeError(
                "submit_many() takes pairs of arguments and keyword arguments with names, such as ((1, 2), {'y': 3});"
                f" item {self._seen} is {call!r}"
            ) from None
        self._seen += 1
        if not self._tokens:
            self._tokens = tokens(MOST_TASKS)
            self._at = self._schedule.submitted_at()
            self._delay = self._schedule.delay()
        key = self._tokens.pop()
        payload = self._encode(args, kwargs, key, key, self._at)  # pyright: ignore[reportUnknownArgumentType]
        self._size += len(payload)
        self._chunk.append(Submission(payload, key, "", self._delay))
        return len(self._chunk) == MOST_TASKS or self._size >= MOST_BYTES

    async def send(self) -> None:
        """Send the chunk as soon as the one before it was answered."""
        await self.answer()
        chunk, self._chunk, self._size = self._chunk, [], 0
        if chunk:
            self._sent = chunk
            self._answer = asyncio.get_running_loop().create_task(self._submitter.submit(chunk))
            await asyncio.sleep(0)

    async def answer(self) -> None:
        """Wait for the answer to what was sent."""
        if self._answer is None:
            return
        await self._answer
        self._answer = None
        if hooks:
            emit(TaskEvent("submitted", self._links.definition.queue, count=len(self._sent)))
        links = self._links
        self.handles += [TaskHandle(links, s.token, s.token) for s in self._sent]

    def cancel(self) -> None:
        if self._answer is not None:
            self._answer.cancel()


def _is_text(name: object) -> bool:
    return isinstance(name, str)
