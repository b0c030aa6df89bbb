"""All queues of a server in Redis, with what is where. Needs redis-py."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, NamedTuple, Set

from nb_aiopool.contrib.nb_aio_task.broker import Counts
from nb_aiopool.contrib.nb_aio_task.brokers import broker_for
from nb_aiopool.contrib.nb_aio_task.keys import ALL_LISTS, ALL_OTHERS, LIST_PREFIX, QueueKeys, queue_of

if TYPE_CHECKING:
    from nb_aiopool.contrib.nb_aio_task.redis_wire import Wire

    from .servers import Patient

_SCAN_AT_ONCE = 1000


class Overview(NamedTuple):
    """One queue. `workers` is how many of its consumers hold a lease that has not run out."""

    queue: str
    counts: Counts
    workers: int


async def overviews(url: str, patient: Patient) -> List[Overview]:
    """All queues, by name. Raises QueueError if the server cannot be reached or refuses."""
    await broker_for(url, LIST_PREFIX).close()  # says what to install if redis-py is missing
    from nb_aiopool.contrib.nb_aio_task.redis_wire import Wire  # noqa: PLC0415

    wire = Wire(url)
    try:
        return [await _overview(wire, queue, patient) for queue in sorted(await _queues(wire, patient))]
    finally:
        await wire.close()


async def _queues(wire: Wire, patient: Patient) -> Set[str]:
    found: Set[str] = set()
    # The original's lists hide among whatever else is called so: only the type tells them apart.
    for conditions in (("MATCH", ALL_LISTS, "TYPE", "list"), ("MATCH", ALL_OTHERS)):
        cursor = b"0"
        while True:
            cursor, keys = await patient(wire.call("SCAN", cursor, *conditions, "COUNT", _SCAN_AT_ONCE))
            names = (queue_of(key.decode("utf-8", "surrogateescape")) for key in keys)
            found.update(name for name in names if name)
            if cursor == b"0":
                break
    return found


async def _overview(wire: Wire, queue: str, patient: Patient) -> Overview:
    from nb_aiopool.contrib.nb_aio_task.redis_scripts import SCRIPTS  # noqa: PLC0415

    k = QueueKeys(LIST_PREFIX + queue)
    counts = await patient(
        wire.script(SCRIPTS["counts"], [k.list, k.consumers, k.delayed, k.dead], [k.prefix])
    )
    now, leases = await patient(wire.script(SCRIPTS["seen"], [k.consumers], []))
    return Overview(queue, Counts(*counts), sum(float(deadline) > now for deadline in leases[1::2]))
