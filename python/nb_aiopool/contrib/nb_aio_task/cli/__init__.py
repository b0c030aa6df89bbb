"""The command line: `python -m nb_aiopool …`, also installed as `nb-aiopool`."""

from __future__ import annotations

from .program import main

__all__ = ["main"]
