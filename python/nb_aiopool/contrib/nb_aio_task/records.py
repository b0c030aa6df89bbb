"""What is kept of a task that has ended: its result, and the record of a dead letter."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any, Dict, NamedTuple, Optional, Sequence, Tuple

from .codec import PICKLE_PROTOCOL
from .errors import BadPayload

if TYPE_CHECKING:
    from .signing import Signer


class Outcome(NamedTuple):
    """
    How a task ended. `error` is None if it succeeded; `unstorable`: it did, and `error` says why its value is not here.
    """

    token: str
    value: Any = None
    error: Optional[str] = None
    traceback: str = ""
    unstorable: bool = False


class DeadLetter(NamedTuple):
    """
    A task that will not be tried again by itself.

    `error` ends with what went wrong, after the traceback if it ran. `args` and `kwargs` are None if the payload
    cannot be decoded, or must not be because its signature is wrong; `payload` holds the raw bytes in any case.
    `deliveries` is how often it was given to a worker (hand-backs and retries do not count), `died_at` a time as
    `time.time()` gives it.

    Examples:
        >>> letter = DeadLetter("order-42", (42,), {}, "ValueError: no such order", 1, 1_700_000_000.0, b"...")
        >>> letter.id, letter.args, letter.error
        ('order-42', (42,), 'ValueError: no such order')
    """

    id: str
    args: Optional[Sequence[Any]]
    kwargs: Optional[Dict[str, Any]]
    error: str
    deliveries: int
    died_at: float
    payload: bytes


class Burial(NamedTuple):
    """The record of a dead letter, without looking into its payload. `given_id` as in codec.Call."""

    name: str
    token: str
    given_id: str
    error: str
    deliveries: int
    died_at: float
    payload: bytes


_BURIAL_TYPES: Dict[str, Tuple[type, ...]] = {
    "deliveries": (int,),
    "died_at": (int, float),
    "payload": (bytes,),
}


class Records:
    """Encodes and decodes the results and dead letters of one queue."""

    def __init__(self, queue: str, *, use_pickle: bool, signer: Signer) -> None:
        self._queue = queue
        self._use_pickle = use_pickle
        self._signer = signer

    def encode_outcome(self, name: str, outcome: Outcome) -> bytes:
        """Raises what pickle or json raises for a value that they cannot take."""
        purpose = f"{self._queue}\0result\0{name}"
        record = dict(outcome._asdict())
        if self._use_pickle:
            return self._signer.signed_pickle(purpose, pickle.dumps(record, PICKLE_PROTOCOL))
        return self._signer.signed_json(purpose, json.dumps(record).encode())

    def decode_outcome(self, name: str, record: bytes) -> Outcome:
        """Raises BadPayload if this is no result, or its signature is wrong."""
        purpose = f"{self._queue}\0result\0{name}"
        try:
            if self._use_pickle:
                return Outcome(**pickle.loads(self._signer.checked_pickle(purpose, record)))
            return Outcome(**json.loads(self._signer.checked_json(purpose, record)))
        except BadPayload:
            raise
        except Exception as error:
            raise BadPayload(
                f"the result of {name} cannot be read: {type(error).__name__}: {error}"
            ) from error

    def encode_burial(self, burial: Burial) -> bytes:
        """A line with the header in JSON and its signature, and the payload as it is."""
        header = json.dumps(
            {key: value for key, value in burial._asdict().items() if key != "payload"}
        ).encode()
        signature = self._signer.signature(self._purpose_of(burial.name), header + b"\n" + burial.payload)
        return b"".join((header, b"\t", signature, b"\n", burial.payload))

    def decode_burial(self, name: str, record: bytes, *, check: bool = True) -> Burial:
        """
        Raises BadPayload if this is no dead letter, or its signature is wrong. `check=False` is for who only looks at
        it, and has no key.
        """
        line, _, payload = record.partition(b"\n")
        header, _, signature = line.partition(b"\t")
        try:
            if check:
                self._signer.check(self._purpose_of(name), header + b"\n" + payload, signature)
            return _checked(Burial(payload=payload, **json.loads(header)))
        except BadPayload:
            raise
        except Exception as error:
            raise BadPayload(
                f"the dead letter {name} cannot be read: {type(error).__name__}: {error}"
            ) from error

    def _purpose_of(self, name: str) -> str:
        return f"{self._queue}\0dead\0{name}"


def _checked(burial: Burial) -> Burial:
    """Without a key anybody can have written it: what is sorted and shown must be of the right types."""
    fields: Dict[str, Any] = burial._asdict()
    for name, value in fields.items():
        kind = _BURIAL_TYPES.get(name, (str,))
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"{name} is {value!r}")
    return burial
