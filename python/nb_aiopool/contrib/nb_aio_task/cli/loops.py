"""Running the command's coroutine, on asyncio's loop or on uvloop."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any, Coroutine, TypeVar

from .failure import Failure

_T = TypeVar("_T")


def run(main: Coroutine[Any, Any, _T], *, uvloop: bool) -> _T:
    """asyncio.run; raises Failure, and closes `main`, if uvloop is asked for and missing."""
    if not uvloop:
        return asyncio.run(main)
    try:
        module: Any = importlib.import_module("uvloop")
    except ImportError:
        main.close()
        raise Failure("--uvloop needs uvloop: pip install 'nb_aiopool[uvloop]'") from None
    # uvloop.run() is younger than what is supported here, and loop_factory= is younger than Python 3.8.
    if hasattr(module, "run"):
        answer: _T = module.run(main)
        return answer
    module.install()
    return asyncio.run(main)
