"""Loops in threads, for tests of what other threads do with a pool."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import Any, Callable, Iterator, List

# Seconds for what comes at once: this long it takes only if it does not come at all.
FOREVER = 60


@contextlib.contextmanager
def running(loop: Any) -> Iterator[Any]:
    """Run a loop in a thread for the length of a block, then end it as asyncio.run does."""

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        assert not thread.is_alive()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextlib.contextmanager
def blocked(loop: Any) -> Iterator[None]:
    """Keep a loop from doing anything for the length of a block."""
    begun, end = threading.Event(), threading.Event()
    loop.call_soon_threadsafe(lambda: (begun.set(), end.wait(20)))
    assert begun.wait(20)
    try:
        yield
    finally:
        end.set()


def in_loop(loop: Any, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in the loop's thread, and return its result."""

    async def call() -> Any:
        return function(*args)

    return asyncio.run_coroutine_threadsafe(call(), loop).result(20)


def await_in(loop: Any, coro: Any) -> Any:
    """Run a coroutine in the loop's thread, and return its result."""
    return asyncio.run_coroutine_threadsafe(coro, loop).result(20)


def started(*targets: Callable[[], Any]) -> List[threading.Thread]:
    """Start a thread for each function."""
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def at_once(count: int, work: Callable[[int], Any]) -> List[Any]:
    """Call ``work(0)``, ``work(1)``, ... at the same time, each in a thread of its own; their results.

    The first exception of any of them is raised.
    """
    start, results = threading.Barrier(count), [None] * count
    errors: List[BaseException] = []

    def one(number: int) -> None:
        start.wait()
        try:
            results[number] = work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def join(threads: List[threading.Thread]) -> None:
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def until(condition: Callable[[], Any]) -> None:
    """Wait for what another thread brings about and tells nobody of."""
    deadline = time.monotonic() + FOREVER
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.0005)


class ThreadGate:
    """Holds jobs until any thread lets them through."""

    def __init__(self) -> None:
        self.arrived = 0
        self._open = threading.Event()

    async def hold(self, result: Any = None) -> Any:
        self.arrived += 1
        while not self._open.is_set():
            await asyncio.sleep(0.001)  # to wait for a thread without being called by it
        return result

    def open(self) -> None:
        self._open.set()
