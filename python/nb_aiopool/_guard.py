"""The one object that stands for a busy pool in `asyncio.all_tasks`.

Registering every job there would cost more than running it. `asyncio.run` cancels all tasks before it closes the loop
and waits for them: through the guard that reaches every job. While the pool is idle the guard says that it is done, so
that `all_tasks` does not show it.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import functools
import sys
import weakref
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Type

from nb_aiopool._loop_end import is_closing, when_closed

if TYPE_CHECKING:
    from types import FrameType

    from nb_aiopool._core import Pool

    _Future = asyncio.Future[None]
else:
    _Future = asyncio.Future  # 3.8 has no subscript for it


def _native() -> Type[Pool]:
    """Return the native type, whose methods no attribute of a pool can hide. (It imports this module.)"""
    pool_type: Type[Pool] = sys.modules["nb_aiopool._core"].Pool
    return pool_type


def _guard_of(pool: Pool) -> Optional[Guard]:
    return _native()._native_guard.__get__(pool)  # type: ignore[no-any-return]


# Every pool that was used, by identity. The references must be reachable themselves, or their callbacks are not called.
_pools: Dict[int, weakref.ref[Pool]] = {}


class Guard(_Future):
    """A future that is done when the pool is idle, and whose cancellation is that of all the pool's jobs."""

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._pool = weakref.ref(pool)
        self._name: Optional[str] = None
        self._coro = _jobs_of_a_pool()
        self._sweep: Optional[Sweep] = None
        self._submitted = 0  # when it was cancelled
        self._asked: weakref.WeakSet[Any] = weakref.WeakSet()
        self._loop_end = when_closed(loop, functools.partial(_loop_was_closed, weakref.ref(self)))

    def done(self) -> bool:
        pool = self._pool()
        return super().done() or pool is None or not _native()._native_is_busy(pool, self)

    def cancel(self, *_: Any, **__: Any) -> bool:
        pool = self._pool()
        if pool is None or self.done():
            return False
        self._sweep, self._asked = _sweep_of(self.get_loop()), weakref.WeakSet()
        self._submitted = _native()._native_counts(pool)[0]
        self._settle_when_idle()
        # In debug mode each job is a task, too, which is cancelled by itself: at once, so that it is one cancellation.
        _native()._native_cancel_guarded(pool, self)
        return True

    def was_cancelled_with(self, task: Any) -> bool:
        """Return whether the task was cancelled along with all the jobs there are. It answers once for each."""
        pool = self._pool()
        if self._sweep is None or pool is None or self._submitted != _native()._native_counts(pool)[0]:
            return False
        known = self._sweep.includes(task) and task not in self._asked
        if self._sweep.is_over and task is not None:
            self._asked.add(task)
        return known

    def result(self) -> None:
        return None if self.done() else super().result()

    def exception(self) -> Optional[BaseException]:
        return None if self.done() else super().exception()

    def add_done_callback(self, callback: Callable[[Any], object], **kwargs: Any) -> None:
        super().add_done_callback(callback, **kwargs)
        self._settle_when_idle()

    def _settle_when_idle(self) -> None:
        """Become a future that is really done once the pool is idle; the pool then gets a new guard."""
        pool = self._pool()
        waiter = None if pool is None or self.done() else _native()._native_when_idle(pool)
        if waiter is None:
            self._settle()
        else:
            waiter.add_done_callback(lambda _: self._settle())

    def _settle(self) -> None:
        pool = self._pool()
        if pool is not None and _guard_of(pool) is self:
            _native()._native_renew_guard(pool)
        if not super().done():
            self.set_result(None)

    def end_with_loop(self) -> None:
        """End the jobs that a loop has left which was closed without cancelling them."""
        pool = self._pool()
        if pool is not None and is_closing(self.get_loop()) and _native()._native_is_busy(pool, self):
            _native()._native_abandon(pool)

    # What tools that list tasks ask for.

    def get_coro(self) -> Any:
        return self._coro

    def get_name(self) -> str:
        return self._name or f"the jobs of a pool, Guard-{id(self):x}"

    def set_name(self, value: object) -> None:
        self._name = str(value)

    def get_context(self) -> contextvars.Context:
        return contextvars.copy_context()

    # What they find is that it is not being cancelled, and whether anything of the pool is about to happen.

    _must_cancel = False
    _log_destroy_pending = False

    @property
    def _fut_waiter(self) -> Optional[asyncio.Future[None]]:
        pool = self._pool()
        return self if pool is not None and _native()._native_is_blocked(pool) else None

    def cancelling(self) -> int:
        return 0

    def uncancel(self) -> int:
        return 0

    def get_stack(self, *, limit: int | None = None) -> List[FrameType]:  # noqa: ARG002  # pyright: ignore[reportUnusedParameter]
        return []

    def print_stack(self, *, limit: int | None = None, file: Any = None) -> None:  # noqa: ARG002  # pyright: ignore[reportUnusedParameter]
        print(f"<{self.get_name()}: no stack>", file=file)


def _loop_was_closed(reference: weakref.ref[Guard], _: Any) -> None:
    guard = reference()
    if guard is not None:
        guard.end_with_loop()


def _jobs_of_a_pool() -> Iterator[None]:
    """What the guard shows as its coroutine: it never runs."""
    yield


class Sweep:
    """Who was cancelled when all tasks of a loop were, as `asyncio.run` does at its end, and pools' jobs with them.

    Whoever was must not cancel those jobs again: that would interrupt their cleanup. Any later cancellation is another.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._tasks: weakref.WeakSet[Any] = weakref.WeakSet()
        self.is_over = False
        # By the loop's next turn all tasks have been told, and none that waits has gone on.
        loop.call_soon(self._look_around, loop)

    def _look_around(self, loop: asyncio.AbstractEventLoop) -> None:
        self.is_over = True
        if _sweeps.get(loop) is self:
            del _sweeps[loop]
        for task in asyncio.all_tasks(loop):
            if _is_being_cancelled(task):
                self._tasks.add(task)

    def includes(self, task: Any) -> bool:
        return not self.is_over or task in self._tasks


# That of this turn of a loop, if there is one: all pools share it, since it looks at all tasks.
_sweeps: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Sweep] = weakref.WeakKeyDictionary()


def _sweep_of(loop: asyncio.AbstractEventLoop) -> Sweep:
    sweep = _sweeps.get(loop)
    if sweep is None:
        sweep = _sweeps[loop] = Sweep(loop)
    return sweep


def _is_being_cancelled(task: Any) -> bool:
    while task is not None and not task.done():
        if getattr(task, "_must_cancel", False) or getattr(task, "cancelling", int)():
            return True
        waiter = getattr(task, "_fut_waiter", None)
        if waiter is task:
            return False
        task = waiter
    return task is not None and task.cancelled()


def all_were_cancelled(pool: Pool) -> bool:
    """Return whether the calling task was cancelled along with the pool's jobs. It answers once."""
    guard = _guard_of(pool)
    return guard is not None and guard.was_cancelled_with(asyncio.current_task())


def watch(pool: Pool, loop: asyncio.AbstractEventLoop) -> Guard:
    """Return the guard of a pool in a loop. In debug mode each job is registered by itself, too."""
    if id(pool) not in _pools:
        _end_with(pool)
    guard = Guard(pool, loop)
    asyncio.tasks._register_task(guard)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return guard


def _end_with(pool: Pool) -> None:
    """End what the pool still holds when it becomes garbage together with its jobs."""
    key, end = id(pool), _native()._native_ending(pool)

    def gone(_: weakref.ref[Pool]) -> None:
        del _pools[key]
        end()

    _pools[key] = weakref.ref(pool, gone)


@atexit.register
def _abandon_leftovers() -> None:
    """At the interpreter's exit, close what loops that no longer run have left, before it can complain."""
    for pool in [reference() for reference in list(_pools.values())]:
        loop = None if pool is None else _native()._native_loop.__get__(pool)
        if pool is not None and loop is not None and not loop.is_running():
            _native()._native_abandon(pool)
