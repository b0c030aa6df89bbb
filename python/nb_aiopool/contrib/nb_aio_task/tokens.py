"""Names that are never given twice."""

from __future__ import annotations

import os
from typing import List

_BYTES = 16
_STOCK = 64
_stock: List[str] = []


def tokens(count: int) -> List[str]:
    """So many names of 32 hexadecimal digits; one call of the system for all of them."""
    digits = os.urandom(_BYTES * count).hex()
    return [digits[i : i + 2 * _BYTES] for i in range(0, len(digits), 2 * _BYTES)]


def token() -> str:
    """One such name."""
    while True:
        try:
            return _stock.pop()
        except IndexError:  # another thread may be as quick to empty it again
            _stock.extend(tokens(_STOCK))


# A child must not give out the names that its parent has in stock.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stock.clear)
