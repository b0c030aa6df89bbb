"""Looking at dead letters, giving them another chance, deleting them. Only `letter_of` decodes a payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, Sequence

from . import trailer
from .broker import Broker, Submission
from .errors import BadPayload
from .records import Burial, DeadLetter, Records

if TYPE_CHECKING:
    from .codec import Codec

_AT_ONCE = 100


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


async def retry(broker: Broker, records: Records, names: Sequence[str], *, check: bool) -> int:
    """
    Queue dead letters again, at the back and with their counts at zero: those named, or all. Returns how many.

    Left alone are those whose id belongs to a living task, and those whose record is not to be trusted.
    """
    retried = 0
    wanted = list(names) or await broker.dead_names()
    for begin in range(0, len(wanted), _AT_ONCE):
        some = wanted[begin : begin + _AT_ONCE]
        for name, record in zip(some, await broker.dead(some)):
            if record is None:
                continue
            try:
                burial = records.decode_burial(name, record, check=check)
            except BadPayload:
                continue
            body = trailer.split(burial.payload).body
            if await broker.revive(name, record, Submission(body, burial.token, burial.given_id)):
                retried += 1
    return retried


async def delete(broker: Broker, names: Sequence[str]) -> int:
    """Delete dead letters: those named, or all there are now. Returns how many."""
    wanted = list(names) or await broker.dead_names()
    deleted = 0
    for begin in range(0, len(wanted), _AT_ONCE):
        deleted += await broker.bury(wanted[begin : begin + _AT_ONCE])
    return deleted


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
