"""A service that shuts down cleanly: on SIGTERM or Ctrl-C it takes nothing new, gives its jobs a grace period, and
cancels what is left; on a second signal it cancels at once.

    python examples/service.py [--grace SECONDS] [--slow]

Stop it with Ctrl-C, or with: kill PID
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from typing import Callable

from nb_aiopool import NbAioPool


def say(line: str) -> None:
    print(line, flush=True)


class Service:
    """Reads an endless input, and works on it in a pool."""

    def __init__(self, slow: bool) -> None:
        self.pool = NbAioPool(max_concurrency=10, max_queue_size=10)
        self.slow = slow
        self.cleaned_up = 0

    async def read(self) -> None:
        """Take one thing after the other, as fast as the pool does."""
        number = 0
        while True:
            await self.pool.submit(self.handle(number))
            number += 1
            if number == 10:
                say(f"working, pid {os.getpid()}")

    async def handle(self, number: int) -> None:
        try:
            # A slow one is stuck: nothing but a cancellation ends it.
            await (asyncio.Event().wait() if self.slow and number % 2 == 0 else asyncio.sleep(0.01))
        except asyncio.CancelledError:
            await asyncio.sleep(0)  # put back what it had taken, say
            self.cleaned_up += 1
            raise


def on_signal(handler: Callable[[], None]) -> None:
    """Have the loop call the handler, so that it may touch whatever belongs to the loop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, handler)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(handler))


async def main(grace: float, slow: bool) -> None:
    service = Service(slow)
    first, second = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (second if first.is_set() else first).set()

    on_signal(stop)
    reading = asyncio.ensure_future(service.read())
    await first.wait()
    say(f"stopping, {service.pool.running + service.pool.queued} jobs are left")
    reading.cancel()
    await asyncio.wait([reading])
    draining = asyncio.ensure_future(service.pool.shutdown(timeout=grace))
    hurry = asyncio.ensure_future(second.wait())
    await asyncio.wait([draining, hurry], return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        say("a second signal: cancelling")
        await service.pool.shutdown(cancel=True)
    hurry.cancel()
    await draining
    stats = service.pool.stats()
    say(
        f"stopped: {stats.cancelled} cancelled, {service.cleaned_up} of them cleaned up, {stats.running} running"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A service that shuts down cleanly.", prog="service.py")
    parser.add_argument("--grace", type=float, default=5.0, help="seconds that jobs get to end")
    parser.add_argument("--slow", action="store_true", help="let some jobs never end by themselves")
    options = parser.parse_args()
    asyncio.run(main(options.grace, options.slow))
