"""
The names of everything a queue keeps in Redis.

The scripts in `lua` name once more, behind the prefix that they are given, those whose last part they find in Redis or
in a settlement; `tests/queue/test_keys.py` compares them. Nothing else names a key.
"""

from __future__ import annotations

from typing import Optional

LIST_PREFIX = "nb_aio_task:"


class QueueKeys:
    """
    The keys of one queue.

    Guarantees: all of them lie in one slot of a Redis Cluster, because the list's whole name is the hash tag of the
    others.
    """

    def __init__(self, list_name: str) -> None:
        self.list = list_name
        """The waiting tasks: pushed at the right, taken from the left. The only key that nb_aiopool 1.0 knows."""
        self.prefix = prefix = f"{{{list_name}}}:"
        self.consumers = prefix + "consumers"
        """
        Sorted set: consumer -> deadline of its lease, in ms of the server's clock; once it was recovered, minus
        when.
        """
        self.delayed = prefix + "delayed"
        """Sorted set: token -> when it is due, in ms of the server's clock."""
        self.parked = prefix + "parked"
        """Hash: token -> payload of a delayed task."""
        self.dead = prefix + "dead"
        """Hash: id -> record of a dead letter."""
        self.ids = prefix + "ids"
        """Sorted set: id given by a user -> when its `unique:` key expires, in ms of the server's clock."""

    def inflight(self, consumer: str) -> str:
        """Hash: number of a delivery -> payload."""
        return f"{self.prefix}inflight:{consumer}"

    def wait(self, consumer: str) -> str:
        """List: what a blocking call has taken for the consumer, at most one payload after another."""
        return f"{self.prefix}wait:{consumer}"

    def state(self, consumer: str) -> str:
        """
        Hash: `last`, the highest number it was given; `solo`, the number it runs with nothing beside it; `early`, the
        serial of its last early start that was taken note of, and `early_number`, the number of that, or 0.
        """
        return f"{self.prefix}state:{consumer}"

    def result(self, name: str) -> str:
        """String: the outcome of a task, for as long as `result_ttl` says."""
        return f"{self.prefix}result:{name}"

    def unique(self, id: str) -> str:  # noqa: A002 -- as in handle.id
        """String: the token of the living task that has this id."""
        return f"{self.prefix}unique:{id}"

    def producer(self, producer: str) -> str:
        """String: the number of the last batch of a producer that was queued, and who had the ids that were taken."""
        return f"{self.prefix}producer:{producer}"


ALL_LISTS = LIST_PREFIX + "*"
"""What SCAN is to match for the lists of all queues, together with TYPE list."""
ALL_OTHERS = "{" + LIST_PREFIX + "*}:*"
"""What SCAN is to match for everything else of all queues."""


def queue_of(key: str) -> Optional[str]:
    """
    The name of the queue that a key belongs to; None if it belongs to none.

    >>> queue_of("nb_aio_task:mails"), queue_of("{nb_aio_task:mails}:dead"), queue_of("mails")
    ('mails', 'mails', None)
    """
    list_name = key[1:].partition("}:")[0] if key.startswith("{") else key
    return list_name[len(LIST_PREFIX) :] or None if list_name.startswith(LIST_PREFIX) else None
