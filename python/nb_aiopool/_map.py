"""What `NbAioPool.map` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, List, TypeVar

from nb_aiopool._map_inputs import UNKNOWN
from nb_aiopool._map_run import NOTHING

if TYPE_CHECKING:
    from nb_aiopool._map_run import MapRun

__all__ = ["MapIterator"]

R = TypeVar("R")


class MapIterator(Generic[R]):
    """The results of a map, as an asynchronous iterator.

    It starts at the first step. Left before its end, it should be closed with `aclose()`, which cancels and awaits its
    jobs; one that is dropped does that in the background.

    Examples:
        >>> async def main():
        ...     async with NbAioPool(max_concurrency=2) as pool:
        ...         results = pool.map(asyncio.sleep, [0.2, 0], ["slow", "quick"], ordered=False)
        ...         print(len(results), [result async for result in results])
        >>> asyncio.run(main())
        2 ['quick', 'slow']
    """

    def __init__(self, run: MapRun) -> None:
        self._run = run
        self._busy = False
        self._handed_out = 0
        self._total = run.total

    def __aiter__(self) -> MapIterator[R]:
        return self

    async def __anext__(self) -> R:
        if self._busy:
            raise RuntimeError("another task waits for the next result of this map: one at a time")
        result = self._run.take_result()
        if result is NOTHING:
            self._busy = True
            try:
                result = await self._run.next()
            finally:
                self._busy = False
        self._handed_out += 1
        return result  # type: ignore[no-any-return]

    async def collect(self) -> List[R]:
        """Return all results that are left, as a list.

        Examples:
            >>> async def main():
            ...     async with NbAioPool() as pool:
            ...         return await pool.map(asyncio.sleep, [0, 0], ["a", "b"]).collect()
            >>> asyncio.run(main())
            ['a', 'b']
        """
        return [result async for result in self]

    async def aclose(self) -> None:
        """End the map: cancel its jobs, wait for them, and close its asynchronous inputs.

        Whoever waits for the next result meanwhile gets StopAsyncIteration.

        Examples:
            >>> async def main():
            ...     async with NbAioPool(max_concurrency=2) as pool:
            ...         results = pool.map(asyncio.sleep, [0, 60, 60], range(3))
            ...         async for result in results:
            ...             break
            ...         await results.aclose()  # does not wait for the sleepers: they are cancelled
            ...         return result, pool.running
            >>> asyncio.run(main())
            (0, 0)
        """
        await self._run.stop()

    def __len__(self) -> int:
        """Return how many results are left, if the inputs tell how long they are; else raise TypeError."""
        if self._run.stopped:
            return 0
        if self._total == UNKNOWN:
            raise TypeError("the inputs of this map do not tell how long they are")
        return max(self._total - self._handed_out, 0)

    def __repr__(self) -> str:
        state = "ended" if self._run.stopped else "running" if self._handed_out else "not started"
        left = "" if self._total == UNKNOWN else f", {len(self)} results left"
        return f"<{type(self).__name__} {state}, {self._handed_out} results handed out{left}>"

    def __bool__(self) -> bool:
        return True

    def __del__(self) -> None:
        run = getattr(self, "_run", None)
        if run is not None:
            run.drop()
