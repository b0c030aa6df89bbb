"""What the queue raises. `RuntimeError` is the root, as it is of the pool's own errors."""

from __future__ import annotations


class QueueError(RuntimeError):
    """The root of what the task queue raises by itself."""


class TaskFailed(QueueError):
    """
    The task of this result raised an exception, or could not be run; what `await handle.result()` raises.

    Guarantees: `id` names the task, `error` is the last line of what went wrong ("ValueError: no such user"), and
    `traceback` the traceback of the worker's side as text, empty if the task never ran. `str()` shows all of it.
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
    """No result can come any more: it has expired, or the task was cleared or taken by a consumer that stores none."""


class BadPayload(QueueError):
    """A payload is no task: it cannot be decoded, or its signature is missing or wrong."""


class Outage(QueueError):
    """
    The broker cannot be reached, or cannot answer just now.

    Submitting, consuming and waiting for results go on when it can; `stats()` and the like raise this after some
    seconds.
    """


class BrokerError(QueueError):
    """The broker has refused a call for good, e.g. a wrong password: trying again would not help."""
