"""From other threads: what a job costs that threads hand to a loop, from the first one sent until the last has ended.

The time is that on the wall: threads wait for one another, and for the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Callable, List, NamedTuple

from benchmarks import jobs
from benchmarks.rivals import Limits, Rival
from benchmarks.workloads import Metric, Outcome, Run, Workload

WARM_UP = 500
THREADS = (1, 4, 16)
LIMITS = Limits()


async def in_threads(functions: List[Callable[[], None]]) -> None:
    """Call each function in a thread of its own, and wait for all of them."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def watch() -> None:
        threads = [threading.Thread(target=function) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        loop.call_soon_threadsafe(ended.set_result, None)

    threading.Thread(target=watch).start()
    await ended


def produced(shape: str, call: str, threads: int) -> Callable[[Rival, int, Run], Outcome]:
    """Measure the nanoseconds for a job when so many threads share them."""

    def measure(rival: Rival, count: int, run: Run) -> Outcome:
        async def work(each: int) -> float:
            begin = time.perf_counter()
            bridge = getattr(rival, shape)(LIMITS, jobs.value, asyncio.get_running_loop())
            function = getattr(bridge, call)

            def produce() -> None:
                for item in range(each):
                    function(item)

            await in_threads([produce] * threads)
            await bridge.close()
            return time.perf_counter() - begin

        async def timed() -> float:
            await work(max(min(count, WARM_UP) // threads, 1))
            each = max(count // threads, 1)
            return await work(each) / (each * threads)

        return {"time": run(timed()) * 1e9}

    return measure


class Kind(NamedTuple):
    name: str
    title: str
    shape: str
    call: str
    amount: int
    reference: str

    def workload(self, threads: int) -> Workload:
        name, many = f"{self.name}/{threads}", f"{threads} threads" if threads > 1 else "1 thread"
        measure = produced(self.shape, self.call, threads)
        metric = Metric("time", "ns", (name, self.reference))
        return Workload(name, f"{self.title}, {many}", measure, (metric,), self.amount, 64, self.shape)


KINDS = (
    Kind("sync-submit", "sync_submit", "FromThreads", "send", 50_000, "threadsafe"),
    Kind("sync-result", "sync_submit and its result", "FromThreads", "ask", 10_000, "threadsafe"),
    Kind("executor", "submit to an executor", "Executor", "send", 50_000, "thread_pool"),
)
WORKLOADS = [kind.workload(threads) for kind in KINDS for threads in THREADS]
