"""The inner module of the pure-Python package, for code that imports the pool from here."""

from __future__ import annotations

from nb_aiopool.pool import NbAioPool

__all__ = ["NbAioPool"]
