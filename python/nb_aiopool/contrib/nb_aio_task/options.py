"""The options of a task, checked once."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Union

from .limits import LARGEST_INTEGER, LONGEST_SECONDS, MOST_AT_A_TIME
from .redis_url import check_url


class Options(NamedTuple):
    """What `aio_task` was given; see there."""

    max_concurrency: int
    redis_url: str
    max_queue_size: int
    use_pickle: bool
    max_retries: int
    retry_delay: float
    timeout: Optional[float]
    lease: float
    max_deliveries: int
    result_ttl: float
    sign_key: Union[str, bytes, None]


def checked(options: Options) -> Options:
    """
    The options as they are; raises TypeError or ValueError that names the first bad one, its value and what is
    right.
    """
    check_integer("max_concurrency", options.max_concurrency, 1, MOST_AT_A_TIME)
    check_integer("max_queue_size", options.max_queue_size, 0)
    check_integer("max_retries", options.max_retries, 0)
    check_integer("max_deliveries", options.max_deliveries, 1)
    check_seconds("retry_delay", options.retry_delay, 0)
    check_seconds("lease", options.lease, 1)
    check_seconds("result_ttl", options.result_ttl, 0)
    if options.timeout is not None:
        check_seconds("timeout", options.timeout, 0)
        if not options.timeout > 0:
            raise ValueError(
                f"timeout must be more than 0 seconds, or None for no limit, not {options.timeout!r}"
            )
    if not isinstance(options.use_pickle, bool):
        raise TypeError(f"use_pickle must be True (pickle) or False (JSON), not {options.use_pickle!r}")
    check_url("redis_url", options.redis_url)
    key = options.sign_key
    if key is not None and not isinstance(key, (str, bytes)):
        raise TypeError(
            f"sign_key must be a str or bytes, or None for no signatures, not {type(key).__name__}"
        )
    if key is not None and not key:
        raise ValueError("sign_key is empty: that signs nothing. Give a secret, or None for no signatures")
    return options


def checked_queue_name(name: Any) -> str:
    if not isinstance(name, str):
        hint = ". Write @aio_task('queue_name') with its parentheses" if callable(name) else ""
        raise TypeError(f"queue_name must be a str, not {name!r}{hint}")
    if not name:
        raise ValueError("queue_name is empty; give the queue a name")
    if "{" in name or "}" in name:
        raise ValueError(
            f"queue_name must not hold braces: {name!r}. Redis Cluster would spread the queue over several servers"
        )
    if "\0" in name:
        raise ValueError(f"queue_name must not hold a zero character: {name!r}")
    check_text("queue_name", name)
    return name


def check_text(name: str, value: str) -> None:
    """Raises ValueError unless this can be written as UTF-8, as all names in Redis are."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} must be text that can be written as UTF-8; {value!r} cannot: {error.reason}"
        ) from None


def check_integer(name: str, value: Any, least: int, most: int = LARGEST_INTEGER) -> None:
    """Raises TypeError or ValueError unless this is an int from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    if value > most:
        raise ValueError(f"{name} must be at most {most}, not {value}")


def check_seconds(name: str, value: Any, least: float) -> None:
    """Raises TypeError or ValueError unless this is a number of seconds from `least` to LONGEST_SECONDS."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    if not least <= value <= LONGEST_SECONDS:
        raise ValueError(
            f"{name} must be a number of seconds, at least {least} and at most {LONGEST_SECONDS}; not {value}"
        )
