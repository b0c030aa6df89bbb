"""Async functions to submit to an executor."""

from __future__ import annotations

import asyncio
from typing import Any


async def power(base: int, exponent: int) -> int:
    await asyncio.sleep(0)
    return int(base**exponent)


async def divmod_of(x: int, y: int) -> Any:
    return divmod(x, y)


async def doze(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


async def current_loop() -> Any:
    return asyncio.get_running_loop()


class AsyncCallable:
    async def __call__(self, x: int = 1) -> int:
        return x + 1
