"""Looking at dead letters, giving them another chance, deleting them. Only `letter_of` decodes a payload."""

from __future__ import annotations

from functools import partial
from typing import (
    TYPE_CHECKING,
    Any,
    Awaitable,
    Callable,
    Generic,
    List,
    Optional,
    Protocol,
    Sequence,
    TypeVar,
)

from . import trailer
from .broker import Broker, Submission
from .errors import BadPayload
from .records import Burial, DeadLetter, Records

if TYPE_CHECKING:
    from .codec import Codec

_T = TypeVar("_T")

_AT_ONCE = 100


class Ask(Protocol):
    """Makes a call to the broker, and may repeat it, such as `Link.ask`."""

    def __call__(self, call: Callable[[], Awaitable[_T]]) -> Awaitable[_T]: ...


async def _once(call: Callable[[], Awaitable[_T]]) -> _T:
    return await call()


def check_ids(ids: Sequence[Any]) -> None:
    """Raises TypeError unless all of these are strings."""
    for id_ in ids:
        if not isinstance(id_, str):
            raise TypeError(
                f"ids must be str, such as those of dead_letters(), each an argument; not {id_!r}"
            )


async def burials(broker: Broker, records: Records, limit: Optional[int], *, check: bool) -> List[Burial]:
    """Up to `limit` dead letters, the oldest first. One that cannot be read, or is forged, comes with the reason."""
    return await burials_of(broker, records, await broker.dead_names(limit), check=check)


async def burials_of(broker: Broker, records: Records, names: Sequence[str], *, check: bool) -> List[Burial]:
    """The same for those named; without those that are there no more."""
    found: List[Burial] = []
    for begin in range(0, len(names), _AT_ONCE):
        some = names[begin : begin + _AT_ONCE]
        for name, record in zip(some, await broker.dead(some)):
            if record is None:  # gone since
                continue
            try:
                found.append(records.decode_burial(name, record, check=check))
            except BadPayload as error:
                found.append(
                    Burial(name, "", "", f"this record is not to be trusted: {error}", 0, 0.0, record)
                )
    return sorted(found, key=lambda burial: burial.died_at)


async def retry(
    broker: Broker, records: Records, names: Sequence[str], *, check: bool, ask: Ask = _once
) -> int:
    """
    Queue dead letters again, at the back and with their counts at zero: those named, or all there are now. Returns how
    many; each call to the broker goes through `ask`, which may repeat it.

    Left alone are those whose id belongs to a living task, and those whose record is not to be trusted.
    """
    retried = 0
    wanted = list(names) or await ask(broker.dead_names)
    for begin in range(0, len(wanted), _AT_ONCE):
        some = wanted[begin : begin + _AT_ONCE]
        for name, record in zip(some, await ask(partial(broker.dead, some))):
            if record is None:
                continue
            try:
                burial = records.decode_burial(name, record, check=check)
            except BadPayload:
                continue
            body = trailer.split(burial.payload).body
            revive = _Counted(
                partial(broker.revive, name, record, Submission(body, burial.token, burial.given_id))
            )
            revived = await ask(revive)
            if not revived and revive.calls > 1:
                # Was it queued by a call whose answer was lost? Then this record is there no more.
                revived = (await ask(partial(broker.dead, [name])))[0] != record
            retried += revived
    return retried


async def delete(broker: Broker, names: Sequence[str], *, ask: Ask = _once) -> int:
    """Delete dead letters: those named, or all there are now. Returns how many; `ask` as for `retry`."""
    wanted = list(dict.fromkeys(names)) or await ask(broker.dead_names)
    deleted = 0
    for begin in range(0, len(wanted), _AT_ONCE):
        some = wanted[begin : begin + _AT_ONCE]
        if names:
            there = await ask(partial(broker.dead, some))
            some = [name for name, record in zip(some, there) if record is not None]
        bury = _Counted(partial(broker.bury, some))
        count = await ask(bury)
        # A call whose answer was lost may have deleted them before.
        deleted += count if bury.calls == 1 else len(some)
    return deleted


class _Counted(Generic[_T]):
    """A call to the broker, and how often it was made."""

    def __init__(self, call: Callable[[], Awaitable[_T]]) -> None:
        self._call = call
        self.calls = 0

    def __call__(self) -> Awaitable[_T]:
        self.calls += 1
        return self._call()


def letter_of(burial: Burial, codec: Codec) -> DeadLetter:
    """What users get of it: with the arguments, if the record is to be trusted and they can be decoded."""
    args = kwargs = None
    if burial.died_at:
        try:
            call = codec.decode(trailer.split(burial.payload).body)
            args, kwargs = call.args, call.kwargs
        except BadPayload:
            pass
    return DeadLetter(
        burial.name, args, kwargs, burial.error, burial.deliveries, burial.died_at, burial.payload
    )
