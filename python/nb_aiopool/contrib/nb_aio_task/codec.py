"""Payloads: what a task's call looks like in the list. pickle or JSON, signed or not."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any, Dict, Mapping, NamedTuple, Sequence, Tuple, cast

from .claims import Claim, claim_of
from .errors import BadPayload, last_line

if TYPE_CHECKING:
    from .signing import Signer

# What nb_aiopool 1.0 reads on every Python that it runs on.
PICKLE_PROTOCOL = 4


class Call(NamedTuple):
    """
    A decoded payload. `token` is "" if the payload came from a producer that gives none; `id` is what the user
    sees.
    """

    args: Sequence[Any]
    kwargs: Dict[str, Any]
    id: str = ""
    token: str = ""
    submitted_at: float = 0.0

    @property
    def given_id(self) -> str:
        """The id if a user gave it, else "": only given ids are kept unique."""
        return self.id if self.id != self.token else ""


class Codec:
    """Encodes and decodes the payloads of one queue."""

    def __init__(self, queue: str, *, use_pickle: bool, signer: Signer) -> None:
        self._use_pickle = use_pickle
        self._signer = signer
        self._purpose = queue

    def encode(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], id_: str, token: str, at: float
    ) -> bytes:
        """
        The payload of a call: a dict with the keys of nb_aiopool 1.0 first, and those it ignores behind.

        Raises what pickle or json raises for arguments that they cannot take.
        """
        task: Dict[str, Any] = {"args": args, "kwargs": kwargs, "id": id_, "at": at}
        if token != id_:
            task["token"] = token
        if self._use_pickle:
            return self._signer.signed_pickle(self._purpose, pickle.dumps(task, PICKLE_PROTOCOL))
        return self._signer.signed_json(self._purpose, json.dumps(task).encode())

    def decode(self, body: bytes) -> Call:
        """
        The call that a payload (without its trailer) describes.

        Guarantees: raises BadPayload, and nothing else but KeyboardInterrupt, if there is none; and if there is a key,
        nothing is unpickled whose signature has not been found right.
        """
        try:
            if self._use_pickle:
                task = pickle.loads(self._signer.checked_pickle(self._purpose, body))
            else:
                task = json.loads(self._signer.checked_json(self._purpose, body))
            return _call(task)
        except (BadPayload, KeyboardInterrupt):
            raise
        except BaseException as error:
            form = "pickle" if self._use_pickle else "JSON"
            raise BadPayload(f"the payload cannot be read as {form}: {last_line(error)}") from error

    def claim_of(self, body: bytes) -> Tuple[Claim, bool]:
        """
        What a payload says it is called, without decoding it; and whether that is to be believed: it is if the
        signature is right, or if there is no key, because then decoded payloads are believed as well.
        """
        claim = claim_of(body)
        try:
            if body.startswith(b"{"):
                self._signer.checked_json(self._purpose, body)
            else:
                self._signer.checked_pickle(self._purpose, body)
        except BadPayload:
            return claim, False
        return claim, True


def _call(task: Any) -> Call:
    if not isinstance(cast("object", task), dict):
        raise BadPayload(
            f"the payload is no task: a {type(task).__name__} in place of a dict with args and kwargs"
        )
    found = cast("Dict[str, Any]", task)
    args: Any = found.get("args", ())
    kwargs: Any = found.get("kwargs", {})
    if not isinstance(args, (list, tuple)):
        raise BadPayload(
            f"the payload is no task: its args are a {type(args).__name__} in place of a list or tuple"
        )
    if not isinstance(cast("object", kwargs), dict) or not all(isinstance(name, str) for name in kwargs):
        raise BadPayload("the payload is no task: its kwargs are not a dict with strings for keys")
    id_: Any = found.get("id") or ""
    token: Any = found.get("token") or id_
    at: Any = found.get("at") or 0.0
    if not (isinstance(id_, str) and isinstance(token, str) and isinstance(at, (int, float))):
        raise BadPayload(
            "the payload is no task: its id, token or time is of another type than nb_aio_task writes"
        )
    (id_ + token).encode()  # both become names in Redis: raises if they cannot
    return Call(args, kwargs, id_, token, float(at))
