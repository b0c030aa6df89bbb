"""LoopThread: a daemon thread that runs an event loop until it is told to stop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Coroutine, List, Optional, Set

__all__ = ["LoopThread", "join_all"]

_threads: Set[threading.Thread] = set()


class LoopThread:
    """Runs a loop in a thread of its own, or uses one that runs already in another thread.

    A loop that did not run is taken over: it is closed when it has stopped.
    """

    def __init__(self, loop: Optional[asyncio.AbstractEventLoop]) -> None:
        self.loop = asyncio.new_event_loop() if loop is None else loop
        self._stopping = False
        self._thread: Optional[threading.Thread] = None
        if not self.loop.is_running():
            self._thread = self._start_thread(is_own_loop=loop is None)

    def _start_thread(self, is_own_loop: bool) -> threading.Thread:
        begun = threading.Event()
        thread = threading.Thread(target=self._run, args=(begun,), name="AsyncPoolExecutor", daemon=True)
        _threads.add(thread)
        try:
            thread.start()
        except RuntimeError:  # there are too many, or the interpreter ends
            _threads.discard(thread)
            if is_own_loop:
                self.loop.close()
            raise
        begun.wait()  # whoever is given the same loop now finds it running
        return thread

    def is_current(self) -> bool:
        """Return whether the caller runs in the loop's thread."""
        return asyncio._get_running_loop() is self.loop

    def call(self, function: Callable[..., Any], *args: Any) -> bool:
        """Have the loop call a function soon. Return False if it is closed."""
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            return False
        return True

    def start(self, function: Callable[[], Coroutine[Any, Any, Any]]) -> bool:
        """Have the loop run an async function, once it runs itself. Return False if it is closed."""
        return self.call(self._start_task, function)

    def _start_task(self, function: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        task = self.loop.create_task(function())
        _tasks.append(task)
        task.add_done_callback(_tasks.remove)

    def stop(self) -> None:
        """Stop the loop if it is ours. Does not wait."""
        if self._thread is not None:
            self._stopping = True
            self.call(self.loop.stop)

    def join(self) -> None:
        """Wait until the thread has ended, if there is one."""
        if self._thread is not None:
            self._thread.join()

    def forget_thread(self) -> None:
        """Give up the thread, which does not exist in this process."""
        if self._thread is not None:
            _threads.discard(self._thread)
        self._thread = None

    def _run(self, begun: threading.Event) -> None:
        try:
            asyncio.set_event_loop(self.loop)
            self.loop.call_soon(begun.set)
            while not self._stopping:
                try:
                    self.loop.run_forever()
                except (KeyboardInterrupt, SystemExit):
                    continue  # that of a job, whose future has it: the others go on
            self._close()
        finally:
            begun.set()
            asyncio.set_event_loop(None)
            _threads.discard(threading.current_thread())

    def _close(self) -> None:
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            if hasattr(self.loop, "shutdown_default_executor"):  # 3.9
                self.loop.run_until_complete(self.loop.shutdown_default_executor())
        finally:
            self.loop.close()


def join_all() -> None:
    """Wait until every thread has ended."""
    for thread in list(_threads):
        thread.join()


_tasks: List[asyncio.Future[Any]] = []  # loops keep only weak references to theirs
