"""Which broker serves a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .memory_broker import MemoryBroker

if TYPE_CHECKING:
    from .broker import Broker


def broker_for(url: str, list_name: str) -> Broker:
    """
    A broker of this queue for the running event loop.

    Raises ImportError that says what to install if the URL needs redis-py and that is missing.
    """
    if url.startswith("memory:"):
        return MemoryBroker(url, list_name)
    try:
        from .redis_broker import RedisBroker  # noqa: PLC0415 -- needs an extra
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{url.split(':', 1)[0]}:// needs redis-py: pip install 'nb_aiopool[redis]'."
            " Tests and single processes can do without it: redis_url='memory://'"
        ) from error
    return RedisBroker(url, list_name)
