"""What an AsyncPoolExecutor has to do, and how that ends: with the executor, or with the interpreter."""

from __future__ import annotations

import atexit
import importlib
import os
import threading
from typing import TYPE_CHECKING, List, Optional, Set

from nb_aiopool import _loop_thread, _thread_waits
from nb_aiopool._ending import wait_idle
from nb_aiopool.errors import PoolStopped

if TYPE_CHECKING:
    import asyncio

    from nb_aiopool.pool import NbAioPool

__all__ = ["Work"]

_PATIENCE = 1.0  # seconds between two looks whether there is still a loop to wait for
_under_way: Set[Work] = set()
_is_exiting = False


class Work:
    """The pool of an executor and its loop. It does not know the executor, which can be dropped."""

    def __init__(self, pool: NbAioPool, loop: Optional[asyncio.AbstractEventLoop]) -> None:
        if _is_exiting:  # nobody would wait for it
            raise PoolStopped("cannot make a new executor after interpreter shutdown")
        self.pool = pool
        self.home = _loop_thread.LoopThread(loop)
        self.closed_because: Optional[str] = None
        self._ended = threading.Event()
        self._lock = threading.RLock()  # a collection inside of close() may close it
        _prepare_for_the_end()
        _under_way.add(self)

    def close(self, cancel_futures: bool = False, because: str = "after shutdown") -> None:
        """Take no more work, and end when all has been done. May be called again. Does not wait."""
        with self._lock:
            first = self.closed_because is None
            if first:
                self.closed_because = f"cannot schedule new futures {because}"
        if first and not self.home.start(self._end):
            self._has_ended()
        if cancel_futures:
            for future in self.pool._native_drop_queued():
                future._job_cancelled()  # the loop would do that, too, but later

    async def _end(self) -> None:
        try:
            self.pool._native_close()
            await wait_idle(self.pool)
        finally:
            self._has_ended()
            self.home.stop()

    def _has_ended(self) -> None:
        _under_way.discard(self)
        self._ended.set()

    def wait(self) -> None:
        """Wait until all has ended, or never will. Requires: close() was called."""
        while not self._ended.wait(_PATIENCE):
            if self._waits_in_vain():
                self.pool._native_abandon()
                self._has_ended()
        self.home.join()

    def _waits_in_vain(self) -> bool:
        if _thread_waits.is_dead(self.pool):
            return True
        # It only pauses. But its own thread cannot run it while it waits here, and may not when the interpreter exits.
        is_own = self.pool._native_is_loop_thread
        return (_is_exiting or is_own) and not self.home.loop.is_running()

    def lose(self) -> None:
        """Give up in a child process: the thread that would do the work is the parent's."""
        self._lock = threading.RLock()  # another thread may have held these when the process was forked
        self._ended = threading.Event()
        self.closed_because = (
            "in a child process: the executor's thread is the parent's; make a new executor here"
        )
        self.home.forget_thread()
        _thread_waits.lost_pools.add(self.pool)
        self._has_ended()


def _finish_all() -> None:
    global _is_exiting  # noqa: PLW0603
    _is_exiting = True
    works = list(_under_way)
    for work in works:
        work.close(because="after interpreter shutdown")
    for work in works:
        work.wait()
    _loop_thread.join_all()  # also those whose work has ended, but that have yet to close their loop


def _lose_all() -> None:
    for work in list(_under_way):
        work.lose()


_prepared: List[bool] = []


def _prepare_for_the_end() -> None:
    if _prepared:
        return
    _prepared.append(True)
    # Thread pools finish their work at the interpreter's exit: registered before us, they do so after us, and jobs may
    # use them. That hook of the threading module may still start threads; atexit's, from 3.9 on, may not.
    importlib.import_module("concurrent.futures.thread")
    getattr(threading, "_register_atexit", atexit.register)(_finish_all)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_lose_all)
