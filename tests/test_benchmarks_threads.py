"""The benchmarks with threads: whoever is measured runs what the threads send, once, and hands out its result."""

from __future__ import annotations

import asyncio
import functools
from typing import Any, List

import pytest

from benchmarks import jobs, loops, rivals
from benchmarks.rivals import Limits
from benchmarks.workloads import threads


@pytest.mark.parametrize("name", ["ours", "threadsafe", "threadsafe_queue", "thread_pool"])
def test_a_rival_runs_what_threads_send_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rival = rivals.load(name)
    seen: List[int] = []

    async def job(item: int) -> int:
        await asyncio.sleep(0)
        seen.append(item)
        return item

    async def use(shape: Any) -> None:
        bridge = shape(Limits(4, 8), job, asyncio.get_running_loop())
        await threads.in_threads([functools.partial(send, bridge, range(n, 40, 4)) for n in range(4)])
        if hasattr(bridge, "ask"):
            await threads.in_threads([lambda: seen.append(-bridge.ask(40))])
        await bridge.close()

    def send(bridge: Any, items: Any) -> None:
        for item in items:
            bridge.send(item)

    monkeypatch.setitem(jobs.ordinary, job, seen.append)
    for shape in ("FromThreads", "Executor"):
        if hasattr(rival, shape):
            seen.clear()
            loops.run("asyncio", use(getattr(rival, shape)))
            assert {*range(40)} <= set(seen) and len(seen) in (40, 42)
