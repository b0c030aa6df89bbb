"""
redis-py, and all of it that is used here.

It is an extra, and its type hints change from version to version: for type checkers it is `Any`.
"""

from __future__ import annotations

import importlib
from typing import Any

errors: Any = importlib.import_module("redis.exceptions")
AsyncConnectionPool: Any = importlib.import_module("redis.asyncio").ConnectionPool
ConnectionPool: Any = importlib.import_module("redis").ConnectionPool


def no_retry() -> Any:
    """What makes a connection of redis-py try once: waiting is this package's own business."""
    return importlib.import_module("redis.retry").Retry(_no_backoff(), 0)


def no_async_retry() -> Any:
    """The same for a connection of an event loop."""
    return importlib.import_module("redis.asyncio.retry").Retry(_no_backoff(), 0)


def _no_backoff() -> Any:
    return importlib.import_module("redis.backoff").NoBackoff()
