"""The URL of a server, checked before anybody connects; redis-py need not be there for that."""

from __future__ import annotations

import inspect
import re
import sys
from typing import Any, Callable, Dict, Set
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from .limits import LONGEST_SECONDS

_BEGINNINGS = ("redis://", "rediss://", "unix://", "memory://")


def check_url(name: str, url: Any) -> None:
    """Raises TypeError or ValueError unless this can be the URL of a server, for all that is known here of servers."""
    if not isinstance(url, str):
        raise TypeError(f"{name} must be a str such as 'redis://localhost:6379/0', not {url!r}")
    shown = repr(_without_secrets(url))
    if not url.startswith(_BEGINNINGS):
        raise ValueError(
            f"{name} must begin with redis://, rediss:// (TLS), unix:// or memory://, as in"
            f" 'redis://localhost:6379/0'; not {shown}"
        )
    try:
        wrong = _what_is_wrong_with(url, urlsplit(url))
    except ValueError as error:  # of urlsplit: brackets, or the port
        wrong = str(error)
    if wrong:
        if _is_torn(url):
            wrong = "a user or password needs %2F for /, %3F for ?, %23 for #, %40 for @"
        raise ValueError(f"{name} must be one such as 'redis://localhost:6379/0', not {shown}: {wrong}")


def _without_secrets(url: str) -> str:
    """Whoever gave a wrong URL knows the password; who reads the log need not. The last @ ends it, in any case."""
    return re.sub(r"(password=)[^&]*", r"\1***", re.sub(r"//.*@", "//***@", url, flags=re.DOTALL))


def _is_torn(url: str) -> bool:
    """Whether a character of the password may have ended the part that it belongs to: what follows tells of it."""
    return re.search(r"^rediss?://[^/?#]*[/?#].*@", url, flags=re.DOTALL) is not None


def _what_is_wrong_with(url: str, parts: SplitResult) -> str:
    parts.port  # noqa: B018 -- raises if it is none
    if parts.scheme == "memory":
        return ""
    if parts.scheme != "unix" and not re.fullmatch(r"/*([0-9]+/*)?", unquote(parts.path)):
        return f"the database must be a number, at least 0, not {parts.path.strip('/')!r}"
    options: Dict[str, str] = {}
    for name, value in parse_qsl(parts.query):
        options.setdefault(name, value)
    for name, value in options.items():
        kind = _KINDS.get(name)
        if kind is not None and not kind.fits(value):
            return f"the option {name} must be {kind.described}, not {value!r}"
    return _what_redis_py_says_of(url) if options else ""


class _Kind:
    """What the value of an option must be."""

    def __init__(self, described: str, number: Callable[[str], float]) -> None:
        self.described = described
        self._number = number

    def fits(self, value: str) -> bool:
        try:
            return 0 <= self._number(value) <= LONGEST_SECONDS
        except ValueError:
            return False


_NEEDS_LOOP = sys.version_info < (3, 10)

_WHOLE = _Kind("a whole number, at least 0", int)
_SECONDS = _Kind("a number of seconds, at least 0", float)
_KINDS = {
    "db": _WHOLE,
    "max_connections": _WHOLE,
    "protocol": _WHOLE,
    "health_check_interval": _WHOLE,
    "socket_timeout": _SECONDS,
    "socket_connect_timeout": _SECONDS,
}


def _what_redis_py_says_of(url: str) -> str:
    """Which options there are, and what they may be, differs from version to version: nobody else knows."""
    try:
        from .redis_py import AsyncConnectionPool, ConnectionPool, errors  # noqa: PLC0415 -- takes a while
    except ImportError:  # whoever needs it is told
        return ""
    try:
        # Only names for the first one, whose connections may want an event loop when they are made; before Python 3.10
        # the pool itself does.
        kinds = (ConnectionPool,) if _NEEDS_LOOP else (AsyncConnectionPool, ConnectionPool)
        pools = [one.from_url(url) for one in kinds]
        for pool in pools:
            unknown = sorted(set(pool.connection_kwargs) - _names_of(pool.connection_class))
            if unknown:
                return _unknown(unknown[0], url)
        pools[-1].connection_class(**pools[-1].connection_kwargs)
    except (TypeError, ValueError, errors.RedisError) as error:
        return f"redis-py says: {error}"
    return ""


def _names_of(connection_class: Any) -> Set[str]:
    """What can be given to make one: each class takes what it knows, and passes on the rest."""
    made = [one.__init__ for one in connection_class.__mro__ if "__init__" in vars(one)]
    return {name for init in made for name in inspect.signature(init).parameters}


def _unknown(option: str, url: str) -> str:
    if option.startswith("ssl_") and url.startswith("redis:"):
        return f"the option {option} is one for TLS: begin with rediss://"
    return f"redis-py has no option {option}: mend its name, or leave it out"
