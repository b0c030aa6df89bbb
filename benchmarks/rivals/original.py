"""The pure-Python nb_aiopool 1.0 from PyPI.

It has the same import name as ours, so it is in a folder of its own that only its samples have on their path.
"""

from __future__ import annotations

from benchmarks.rivals.nb_aiopool_calls import batch, first, run, submit, submit_await
from nb_aiopool import NbAioPool

__all__ = ["batch", "first", "run", "submit", "submit_await"]

MODULE = "nb_aiopool"
REQUIREMENT = "nb_aiopool==1.0"
LIMITED = True
QUEUE = "bounded"

if hasattr(NbAioPool, "submit_nowait"):
    raise ImportError("the nb_aiopool that is found here is not the original")
