"""Putting calls into the queue: one, or many chunk by chunk."""

from __future__ import annotations

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
    cast,
)

from .broker import Submission
from .events import TaskEvent, emit, hooks
from .handle import TaskHandle
from .submitter import MOST_TASKS
from .tokens import token, tokens

if TYPE_CHECKING:
    from .link import Links
    from .schedule import Schedule


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


async def submit_all(
    links: Links,
    schedule: Schedule,
    calls: Union[Iterable[Tuple[Any, Any]], AsyncIterable[Tuple[Any, Any]]],
) -> List[TaskHandle]:
    """See AioTask.submit_many."""
    bulk = _Bulk(links, schedule)
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
        raise
    await bulk.send()
    return bulk.handles


class _Bulk:
    def __init__(self, links: Links, schedule: Schedule) -> None:
        self.handles: List[TaskHandle] = []
        self._links = links
        self._encode = links.definition.codec.encode
        self._submitter = links.here().submitter
        self._schedule = schedule
        self._chunk: List[Submission] = []
        self._tokens: List[str] = []
        self._at = 0.0
        self._delay: Optional[float] = None
        self._seen = 0

    def add(self, call: Any) -> bool:
        """Whether the chunk is full."""
        args, kwargs = self._checked(call)
        if not self._tokens:
            self._tokens = tokens(MOST_TASKS)
            self._at = self._schedule.submitted_at()
            self._delay = self._schedule.delay()
        key = self._tokens.pop()
        self._chunk.append(Submission(self._encode(args, kwargs, key, key, self._at), key, "", self._delay))
        return len(self._chunk) == MOST_TASKS

    async def send(self) -> None:
        chunk, self._chunk = self._chunk, []
        if chunk:
            await self._submitter.submit(chunk)
            if hooks:
                emit(TaskEvent("submitted", self._links.definition.queue, count=len(chunk)))
            self.handles += [TaskHandle(self._links, s.token, s.token) for s in chunk]

    def _checked(self, call: Any) -> Tuple[Sequence[Any], Mapping[str, Any]]:
        if isinstance(cast("object", call), (tuple, list)) and len(call) == 2:
            args: Any = call[0]
            kwargs: Any = call[1]
            if isinstance(cast("object", args), (tuple, list)) and isinstance(cast("object", kwargs), dict):
                self._seen += 1
                return args, kwargs
        raise TypeError(
            "submit_many() takes pairs of arguments and keyword arguments, such as ((1, 2), {'y': 3});"
            f" item {self._seen} is {call!r}"
        )
