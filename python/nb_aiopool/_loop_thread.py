"""LoopThread: a daemon thread that runs an event loop until it is told to stop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Coroutine, List, Optional

__all__ = ["LoopThread"]


class LoopThread:
    """Runs a loop in a thread of its own, or uses one that runs already in another thread.

    A loop that did not run is taken over: it is closed when it has stopped.
    """

    def __init__(self, loop: Optional[asyncio.AbstractEventLoop]) -> None:
        self.loop = asyncio.new_event_loop() if loop is None else loop
        self._stopping = False
        self._thread: Optional[threading.Thread] = None
        if not self.loop.is_running():
            self._thread = threading.Thread(target=self._run, name="AsyncPoolExecutor", daemon=True)
            self._thread.start()

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

    def start(self, coro: Coroutine[Any, Any, Any]) -> bool:
        """Have the loop run a coroutine. Return False, and close it, if the loop is closed."""
        started = self.call(self._tasks_of, coro)
        if not started:
            coro.close()
        return started

    def _tasks_of(self, coro: Coroutine[Any, Any, Any]) -> None:
        task = self.loop.create_task(coro)
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

    def is_dead(self) -> bool:
        """Return whether nobody runs the loop any more."""
        if self._thread is not None:
            return not self._thread.is_alive()
        return not self.loop.is_running()

    def forget_thread(self) -> None:
        """Give up the thread, which does not exist in this process."""
        self._thread = None

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            while not self._stopping:
                try:
                    self.loop.run_forever()
                except (KeyboardInterrupt, SystemExit):
                    continue  # that of a job, whose future has it: the others go on
            self._close()
        finally:
            asyncio.set_event_loop(None)

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


_tasks: List[asyncio.Future[Any]] = []  # loops keep only weak references to theirs
