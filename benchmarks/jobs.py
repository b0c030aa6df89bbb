"""What the jobs do. All take the item they are for, as real work does."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict


async def value(item: int) -> int:
    """End at the first step."""
    return item


def ordinary_value(item: int) -> int:
    """Do what `value` does, for who does not run coroutines."""
    return item


async def sleep0(item: int) -> int:
    """Give way to the loop once."""
    await asyncio.sleep(0)
    return item


async def sleep_5ms(item: int) -> int:
    """Wait for a timer, as I/O would."""
    await asyncio.sleep(0.005)
    return item


ordinary: Dict[Callable[..., Any], Callable[..., Any]] = {value: ordinary_value}
