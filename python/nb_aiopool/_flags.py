"""Flags are flags: a number of seconds, a text or a coroutine in their place was meant for another parameter."""

from __future__ import annotations

import operator
from typing import Any

__all__ = ["as_flag"]


def as_flag(name: str, value: Any, hint: str = "") -> bool:
    """Return True or False, for which 1 and 0 stand too; raise TypeError, with the hint, for anything else.

    The native calls do the same, see `flag` in `cpp/binding/offer.cpp`.
    """
    if value is True or value is False:
        return bool(value)
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number in (0, 1):
        return number == 1
    raise TypeError(f"{name} must be True or False, got {value!r} ({type(value).__name__}){hint}")
