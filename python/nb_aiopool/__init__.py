"""A native asyncio concurrency pool: bounded, fair, and several times faster than tasks."""

from __future__ import annotations

from nb_aiopool._version import __version__ as __version__
from nb_aiopool.errors import PoolError, PoolFull, PoolStopped
from nb_aiopool.pool import NbAioPool, PoolStats

__all__ = ["NbAioPool", "PoolStats", "PoolError", "PoolFull", "PoolStopped"]
