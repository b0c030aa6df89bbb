"""Flags are flags: a number of seconds, a text or a coroutine in their place was meant for another parameter."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

__all__ = ["check_flags"]


def check_flags(**flags: Any) -> None:
    """Raise TypeError for the first that was clearly meant for something else."""
    for name, value in flags.items():
        if isinstance(value, (str, float, Awaitable)):
            raise TypeError(f"{name} must be True or False, got {value!r} ({type(value).__name__})")
