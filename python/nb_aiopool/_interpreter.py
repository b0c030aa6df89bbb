"""Refuses sub-interpreters where the native core cannot be loaded into them."""

from __future__ import annotations

import importlib
import sys

__all__ = ["require_supported"]

_FIRST_GOOD = (3, 13)


def require_supported() -> None:
    """Raise ImportError in a sub-interpreter before Python 3.13: it could not load the core, or would not end well."""
    if sys.version_info[:2] >= _FIRST_GOOD:
        return
    try:
        interpreters = importlib.import_module("_xxsubinterpreters")  # only these versions have it
    except ImportError:
        return
    if interpreters.get_current() != interpreters.get_main():
        raise ImportError(
            "nb_aiopool cannot be imported in a sub-interpreter before Python 3.13; use the main interpreter"
        )
