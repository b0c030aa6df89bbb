"""
What a payload carries behind its end: how often it was delivered to a consumer that died, and how often it was retried.

Both numbers are written in white space (a blank is 0, a tab is 1), which `pickle.loads` and `json.loads` ignore behind
the end of what they read: every consumer reads the payload as if nothing were there. `lua/trailer.lua` does the same
inside Redis.
"""

from __future__ import annotations

from typing import NamedTuple

_SEPARATOR = b"\r"
_END = b"\n"
_BITS = str.maketrans("01", " \t")
_DIGITS = bytes.maketrans(b" \t", b"01")


class Marked(NamedTuple):
    """A payload taken apart."""

    body: bytes
    deliveries: int
    retries: int


def split(payload: bytes) -> Marked:
    """
    Take a payload apart.

    Guarantees: a payload without a trailer is all body, with zeros; `join(*split(p))` is read as `p` is.

    >>> split(join(b"{}", deliveries=2, retries=5))
    Marked(body=b'{}', deliveries=2, retries=5)
    >>> split(b'{"args": []}')
    Marked(body=b'{"args": []}', deliveries=0, retries=0)
    """
    if not payload.endswith(_END):
        return Marked(payload, 0, 0)
    parts = payload[:-1].rsplit(_SEPARATOR, 2)
    if len(parts) != 3 or parts[1].strip(b" \t") or parts[2].strip(b" \t"):
        return Marked(payload, 0, 0)
    return Marked(parts[0], _number(parts[1]), _number(parts[2]))


def join(body: bytes, deliveries: int, retries: int) -> bytes:
    """
    Put a payload together.

    >>> join(b"{}", deliveries=0, retries=0)
    b'{}'
    """
    if not deliveries and not retries:
        return body
    return b"".join((body, _SEPARATOR, _bits(deliveries), _SEPARATOR, _bits(retries), _END))


def _bits(number: int) -> bytes:
    return format(number, "b").translate(_BITS).encode() if number else b""


def _number(bits: bytes) -> int:
    return int(bits.translate(_DIGITS), 2) if bits else 0
