"""The dead letters of one queue, for who has neither its code nor its key. Needs redis-py."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Sequence, Tuple

from nb_aiopool.contrib.nb_aio_task import dead_letters
from nb_aiopool.contrib.nb_aio_task.brokers import broker_for
from nb_aiopool.contrib.nb_aio_task.keys import LIST_PREFIX
from nb_aiopool.contrib.nb_aio_task.records import Burial, Records
from nb_aiopool.contrib.nb_aio_task.signing import Signer

if TYPE_CHECKING:
    from .servers import Patient

_AT_ONCE = 1000


class Graveyard:
    """
    Without ids, each method is about all dead letters; with ids it returns those that there are none of, too.

    Requires: used inside a running event loop. Raises QueueError if the server cannot be reached or refuses.
    """

    def __init__(self, url: str, queue: str, patient: Patient) -> None:
        list_name = LIST_PREFIX + queue
        self._broker = broker_for(url, list_name)
        # The headers of records are JSON in any case, and no payload is looked at.
        self._records = Records(list_name, use_pickle=False, signer=Signer(None))
        self._patient = patient

    async def look(self, ids: Sequence[str]) -> Tuple[List[Burial], List[str]]:
        """The dead letters, the oldest first, and the unknown ids."""
        known, unknown = await self._sorted_out(ids)
        return await dead_letters.burials_of(self._broker, self._records, known, check=False), unknown

    async def retry(self, ids: Sequence[str]) -> Tuple[int, List[str], List[str]]:
        """Queue them again: how many that were, the unknown ids, and those that could not be."""
        known, unknown = await self._sorted_out(ids)
        if not known:
            return 0, unknown, []
        retried = await dead_letters.retry(self._broker, self._records, known, check=False)
        kept = await self._present(known) if retried < len(known) else []
        return retried, unknown, kept

    async def delete(self, ids: Sequence[str]) -> Tuple[int, List[str]]:
        """Delete them: how many that were, and the unknown ids."""
        known, unknown = await self._sorted_out(ids)
        return (await dead_letters.delete(self._broker, known) if known else 0), unknown

    async def close(self) -> None:
        """Give up the connections."""
        await self._broker.close()

    async def _sorted_out(self, ids: Sequence[str]) -> Tuple[List[str], List[str]]:
        """The ids of the dead letters that are meant, and those that are unknown."""
        await self._patient(self._broker.dead_names(1))  # whoever answers this in time will answer the rest
        if not ids:
            return await self._broker.dead_names(), []
        wanted = list(dict.fromkeys(ids))
        known = await self._present(wanted)
        there = set(known)
        return known, [name for name in wanted if name not in there]

    async def _present(self, names: Sequence[str]) -> List[str]:
        found: List[str] = []
        for begin in range(0, len(names), _AT_ONCE):
            some = names[begin : begin + _AT_ONCE]
            found += [name for name, record in zip(some, await self._broker.dead(some)) if record is not None]
        return found
