"""What the jobs do. All take the item they are for, as real work does."""

from __future__ import annotations

import asyncio


async def value(item: int) -> int:
    """End at the first step."""
    return item


async def sleep0(item: int) -> int:
    """Give way to the loop once."""
    await asyncio.sleep(0)
    return item


async def sleep_5ms(item: int) -> int:
    """Wait for a timer, as I/O would."""
    await asyncio.sleep(0.005)
    return item
