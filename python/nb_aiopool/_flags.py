"""Flags are flags: whatever else is passed as one was meant for another parameter."""

from __future__ import annotations

from typing import Any

__all__ = ["check_flags"]


def check_flags(**flags: Any) -> None:
    """Raise TypeError for the first that is neither True nor False (nor 1 nor 0, as C would have it)."""
    for name, value in flags.items():
        if not isinstance(value, int):
            raise TypeError(f"{name} must be True or False, got {value!r} ({type(value).__name__})")
