"""For programs that call the pool with hardly any recursion left: finding out how much there is, and using it up."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Callable, List

if TYPE_CHECKING:
    from nb_aiopool import NbAioPool


def sink(levels: int, call: Callable[[], Any]) -> Any:
    """Call from so many Python frames below."""
    if levels:
        return sink(levels - 1, call)
    return call()


async def sink_async(levels: int, call: Callable[[], Any]) -> Any:
    """Await from so many coroutines below: each step of the caller goes through all of them."""
    if levels:
        return await sink_async(levels - 1, call)
    return await call()


def deepest() -> int:
    """How far one can sink from where this is called."""
    low, high = 0, 100_000
    while low < high:
        middle = (low + high + 1) // 2
        try:
            sink(middle, int)
        except RecursionError:
            high = middle - 1
        else:
            low = middle
    return low


class Coroutines:
    """Makes jobs, and tells whether each has been run or closed."""

    def __init__(self) -> None:
        self.made: List[Any] = []

    def make(self, function: Callable[..., Any], *args: Any) -> Any:
        coro = function(*args)
        self.made.append(coro)
        return coro

    def open(self) -> List[Any]:
        return [coro for coro in self.made if inspect.getcoroutinestate(coro) != inspect.CORO_CLOSED]

    def close_untouched(self) -> None:
        for coro in self.made:
            if inspect.getcoroutinestate(coro) == inspect.CORO_CREATED:
                coro.close()


def balanced(pool: NbAioPool) -> Any:
    """The pool's account, if it balances and nothing is left."""
    stats = pool.stats()
    assert stats.submitted == stats.succeeded + stats.failed + stats.cancelled, stats
    assert (stats.queued, stats.running, pool.waiting, pool.running) == (0, 0, 0, 0), stats
    return stats
