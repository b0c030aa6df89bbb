"""What the queue raises. `RuntimeError` is the root, as it is of the pool's own errors."""

from __future__ import annotations

import traceback as tracebacks


class QueueError(RuntimeError):
    """
    The root of what the task queue raises by itself.

    Examples:
        >>> [error.__name__ for error in (TaskFailed, ResultUnavailable, Outage) if issubclass(error, QueueError)]
        ['TaskFailed', 'ResultUnavailable', 'Outage']
    """


class TaskFailed(QueueError):
    """
    The task of this result raised an exception, or could not be run; what `await handle.result()` raises.

    Guarantees: `id` names the task, `error` is the last line of what went wrong ("ValueError: no such user"), and
    `traceback` the traceback of the worker's side as text, empty if the task never ran. `str()` shows all of it.

    Examples:
        >>> @aio_task("numbers", redis_url="memory://", result_ttl=60)
        ... async def read(text):
        ...     return int(text)
        >>> async def main():
        ...     worker = asyncio.create_task(read.consume())
        ...     handle = await read.submit("seven")
        ...     try:
        ...         await handle.result()
        ...     except TaskFailed as failed:
        ...         print(failed.id == handle.id, failed.error)
        ...     await read.stop()
        ...     await worker
        >>> asyncio.run(main())
        True ValueError: invalid literal for int() with base 10: 'seven'
    """

    def __init__(self, id: str, error: str, traceback: str = "") -> None:  # noqa: A002 -- as in handle.id
        super().__init__(id, error, traceback)
        self.id = id
        self.error = error
        self.traceback = traceback

    def __str__(self) -> str:
        said = f"task {self.id} failed: {self.error}"
        return f"{said}\n\nOn the worker:\n{self.traceback.rstrip()}" if self.traceback else said


class ResultUnavailable(QueueError):
    """
    No result can come any more: it has expired, or the task was cleared or taken by a consumer that stores none.

    Examples:
        >>> @aio_task("cleared", redis_url="memory://", result_ttl=60)
        ... async def add(x, y):
        ...     return x + y
        >>> async def main():
        ...     handle = await add.submit(1, 2)
        ...     await add.clear_queue()
        ...     try:
        ...         await handle.result()
        ...     except ResultUnavailable:
        ...         return "it was cleared"
        >>> asyncio.run(main())
        'it was cleared'
    """


class BadPayload(QueueError):
    """
    A payload is no task: it cannot be decoded, or its signature is missing or wrong.

    A worker makes it a dead letter; `handle.result()` raises it for a result that is forged or cannot be read.

    Examples:
        >>> issubclass(BadPayload, QueueError)
        True
    """


class Outage(QueueError):
    """
    The broker cannot be reached, or cannot answer just now.

    Submitting, consuming and waiting for results go on when it can; `stats()` and the like raise this after some
    seconds.

    Examples:
        >>> async def waiting(task):
        ...     try:
        ...         return (await task.stats()).queued
        ...     except Outage:
        ...         return "nobody knows"
        >>> asyncio.run(waiting(aio_task("free", redis_url="memory://")(asyncio.sleep)))
        0
    """


class BrokerError(QueueError):
    """
    The broker has refused a call for good, e.g. a wrong password: trying again would not help.

    Examples:
        >>> issubclass(BrokerError, QueueError) and not issubclass(BrokerError, Outage)
        True
    """


class TooLarge(BrokerError):
    """The broker refuses a value of `size` bytes for its size, and has taken note of nothing in that call."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size

    def __str__(self) -> str:
        return (
            f"Redis refuses a value of {self.size:,} bytes for its size (proto-max-bulk-len). Keep large data"
            " elsewhere, and tell where it is"
        )


MOST_TEXT = 65_536
"""How many characters of an error or a traceback are kept."""


def shortened(text: str, most: int = MOST_TEXT) -> str:
    """
    The text, without its middle if it is longer than about `most` characters.

    >>> shortened("a" * 10 + "b" * 10, most=8)
    'aaaa\\n... 12 characters are left out ...\\nbbbb'
    """
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters are left out ...\n{text[-half:]}"


def last_line(error: BaseException) -> str:
    """The last line of its traceback, e.g. "ValueError: no such user", shortened, whatever its `__str__` does."""
    try:
        return shortened("".join(tracebacks.format_exception_only(type(error), error)).strip())
    except Exception:  # noqa: BLE001 -- its own __str__ has failed
        return type(error).__name__


def whole_traceback(error: BaseException) -> str:
    """Its traceback, shortened, or only its last line if the rest cannot be written."""
    try:
        return shortened("".join(tracebacks.format_exception(type(error), error, error.__traceback__)))
    except Exception:  # noqa: BLE001
        return last_line(error)
