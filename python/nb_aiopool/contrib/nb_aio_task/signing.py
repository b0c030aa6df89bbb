"""
HMAC-SHA256 signatures of what lies in Redis, so that who can write to Redis cannot make workers unpickle anything.

A signature covers a purpose (the queue, and for results and dead letters what they are the result of) and the text.
It stands where readers that know nothing of it do not mind: behind the end of a pickle, or as the last key of a
JSON object.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Optional, Union

from .errors import BadPayload

_BEHIND = b"\n#hmac-sha256:"
_KEY = b', "hmac": "'
_KEY_END = b'"}'
_DIGITS = 64


class Signer:
    """
    Signs and checks with one key; without a key it does neither, and ignores signatures.

    Guarantees: `checked_*(purpose, signed_*(purpose, text))` is `text`; whatever else is changed about it is a
    BadPayload.
    """

    def __init__(self, key: Union[str, bytes, None]) -> None:
        self._key: Optional[bytes] = key.encode() if isinstance(key, str) else key

    def signature(self, purpose: str, text: bytes) -> bytes:
        """The signature as text; empty without a key."""
        if self._key is None:
            return b""
        return hmac.new(self._key, b"%b\0%b" % (purpose.encode(), text), hashlib.sha256).hexdigest().encode()

    def check(self, purpose: str, text: bytes, signature: bytes) -> None:
        """Raises BadPayload unless this is the signature of the text; without a key, anything is."""
        if self._key is None:
            return
        if not signature:
            raise BadPayload("no signature, and sign_key is set")
        if not hmac.compare_digest(signature, self.signature(purpose, text)):
            raise BadPayload("wrong signature: signed with another key, or changed since")

    def signed_pickle(self, purpose: str, text: bytes) -> bytes:
        return text + _BEHIND + self.signature(purpose, text) if self._key is not None else text

    def checked_pickle(self, purpose: str, text: bytes) -> bytes:
        if self._key is None:
            return text
        body, mark, signature = text.rpartition(_BEHIND)
        self.check(purpose, body, signature if mark else b"")
        return body

    def signed_json(self, purpose: str, text: bytes) -> bytes:
        """Requires: the text is a JSON object with at least one key."""
        if self._key is None:
            return text
        return text[:-1] + _KEY + self.signature(purpose, text) + _KEY_END

    def checked_json(self, purpose: str, text: bytes) -> bytes:
        if self._key is None:
            return text
        end = len(text) - len(_KEY_END)
        begin = end - _DIGITS
        if begin < len(_KEY) or text[end:] != _KEY_END or text[begin - len(_KEY) : begin] != _KEY:
            raise BadPayload("no signature, and sign_key is set")
        body = text[: begin - len(_KEY)] + b"}"
        self.check(purpose, body, text[begin:end])
        return body
