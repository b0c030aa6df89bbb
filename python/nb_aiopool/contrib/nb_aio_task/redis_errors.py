"""Which of Redis' errors will pass if one waits, and which will not."""

from __future__ import annotations

import asyncio
import re
from typing import Tuple, Type

from .errors import BrokerError, Outage
from .redis_py import errors

# What a server answers while it cannot do its work: it is short of memory, starts, cannot save, is a replica after a
# failover, is cut off from its cluster, is busy with somebody's script, or has too many clients.
_PASSING = re.compile(
    r"\b(OOM|LOADING|MISCONF|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|UNBLOCKED)\b|max number of"
    r" clients"
)
# redis-py takes the code off the text of those for which it has a class; not every version has them all.
_PASSING_CLASSES: Tuple[Type[BaseException], ...] = tuple(
    getattr(errors, name)
    for name in (
        "OutOfMemoryError",
        "BusyLoadingError",
        "ReadOnlyError",
        "MasterDownError",
        "ClusterDownError",
        "TryAgainError",
    )
    if hasattr(errors, name)
)
_TOO_LARGE = re.compile(r"invalid bulk length|max(imum)? request size", re.IGNORECASE)
_LASTING = re.compile(
    r"\b(WRONGPASS|NOAUTH)\b|unauthenticated|[Ii]nvalid (username|password|DB|Database)|DB index is out of range"
)

# A user without rights; inside a script the code is a plain ERR. The versions of Redis have several words for it.
_FORBIDDEN = re.compile(
    r"\bNOPERM\b|no permissions to|executing the script can't (run|access)|ACL failure in script"
)
# Redis 6.0 lacks some commands, and some arguments of others.
_TOO_OLD = re.compile(r"unknown (redis )?command|wrong number of arg", re.IGNORECASE)

CONNECTION_ERRORS: Tuple[Type[BaseException], ...] = (
    errors.ConnectionError,
    errors.TimeoutError,
    OSError,
    EOFError,
    asyncio.TimeoutError,
)


def translated(error: Exception) -> Exception:
    """An Outage or a BrokerError in place of what redis-py raised; another exception as it is."""
    said = str(error).rstrip(". ") or type(error).__name__
    if isinstance(error, errors.AuthenticationError) or _LASTING.search(said):
        return BrokerError(
            f"Redis refuses the connection: {said}. Mend redis_url= (user, password, database)"
        )
    if isinstance(error, (*CONNECTION_ERRORS, *_PASSING_CLASSES)) or _PASSING.search(said):
        return Outage(said)
    if "WRONGTYPE" in said:
        return BrokerError(
            f"Redis refuses a command of nb_aio_task: {said}. Another program keeps something else under a key of this"
            " queue: give the queue another name, or another database in redis_url="
        )
    if _FORBIDDEN.search(said):
        return BrokerError(
            f"Redis refuses a command of nb_aio_task: {said}. The user in redis_url= lacks a right:"
            " docs/queue/operating.md has the list of those that are needed"
        )
    if isinstance(error, errors.RedisError):
        hint = ". It needs Redis 6.2 or newer, or Valkey" if _TOO_OLD.search(said) else ""
        return BrokerError(f"Redis refuses a command of nb_aio_task: {said}{hint}")
    return error


def is_too_large(error: BaseException) -> bool:
    """Whether this says that a part of the command was too large; the server may have closed the connection then."""
    return bool(_TOO_LARGE.search(str(error)))


def is_missing_script(error: Exception) -> bool:
    return isinstance(error, errors.NoScriptError)
