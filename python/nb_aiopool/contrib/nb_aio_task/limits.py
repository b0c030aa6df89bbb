"""Numbers that both brokers share."""

from __future__ import annotations

LONGEST_SECONDS = 10**9
"""About 30 years: what Redis and event loops can count, also added to the time of day and in ms."""

MOST_AT_A_TIME = 10**9
"""How many tasks a worker may run at a time: as many as Redis' scripts can still be asked for."""

LARGEST_INTEGER = 2**63 - 1
"""What the pool and Redis can count."""

UNIQUE_SECONDS = 7 * 86400
"""How long an id stays taken by a task that nobody ends, e.g. because nb_aiopool 1.0 has consumed it."""

PRODUCER_SECONDS = 7 * 86400
"""How long a repeated batch is known again after its producer's last one."""

DUE_AT_ONCE = 1000
"""How many delayed tasks one exchange moves to the list: no call holds up Redis for long."""

CONDEMNED_SECONDS = 3600
"""How long a recovered consumer is still looked after: a blocking call that it left open may take a task meanwhile."""


def suspicious_at(max_deliveries: int) -> int:
    """From how many counted deliveries on a task is run with nothing beside it: all further ones are its own fault."""
    return max(1, max_deliveries - 1)


def condemned_at(max_deliveries: int) -> int:
    """
    From how many counted deliveries on a task is not run again. More than `suspicious_at`, so that only who was alone
    when its worker died gets there.
    """
    return max(2, max_deliveries)
