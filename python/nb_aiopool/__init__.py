"""A native asyncio concurrency pool: bounded, fair, and several times faster than tasks."""

from __future__ import annotations

from nb_aiopool._interpreter import require_supported

require_supported()  # before anything imports the core

from nb_aiopool._map import MapIterator as MapIterator  # noqa: E402 - for annotations
from nb_aiopool._version import __version__ as __version__  # noqa: E402
from nb_aiopool.errors import PoolError, PoolFull, PoolStopped  # noqa: E402
from nb_aiopool.executor import AsyncPoolExecutor  # noqa: E402
from nb_aiopool.pool import NbAioPool, PoolStats  # noqa: E402

__all__ = ["NbAioPool", "AsyncPoolExecutor", "PoolStats", "PoolError", "PoolFull", "PoolStopped"]
