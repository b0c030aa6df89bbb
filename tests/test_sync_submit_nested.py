"""Jobs that wait for threads that wait for the same pool: no deadlock, and the limit is kept."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool, _thread_waits
from support import Load, accounting, turns

WAYS: List[str] = ["run_in_executor"] + (["to_thread"] if sys.version_info >= (3, 9) else [])
ASKS = ["result", "exception", "map"]


async def in_thread(way: str, threads: Any, function: Callable[[], Any]) -> Any:
    if way == "to_thread":
        return await asyncio.to_thread(function)
    return await asyncio.get_running_loop().run_in_executor(threads, function)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("concurrency", "queue"), [(1, 1), (2, 1), (1, 0)])
@pytest.mark.parametrize("outer", ["submit", "run"])
async def test_a_thread_that_a_job_waits_for_may_wait_for_the_pool(
    outer: str, concurrency: int, queue: int, way: str
) -> None:
    pool, load = NbAioPool(concurrency, queue), Load()
    with concurrent.futures.ThreadPoolExecutor(8) as threads:

        async def parent(depth: int) -> int:
            if depth == 0:
                return int(await load.job(2, 1))

            def work() -> int:
                return sum(pool.sync_submit(parent(depth - 1)).result(20) for _ in range(2))

            return int(await in_thread(way, threads, work))

        calls = [pool.run(parent(3)) if outer == "run" else pool.submit(parent(3)) for _ in range(2)]
        results: List[Any] = await asyncio.wait_for(asyncio.gather(*calls), 25)
        if outer == "submit":
            results = await asyncio.wait_for(asyncio.gather(*results), 25)
    assert results == [8, 8] and load.peak <= concurrency
    assert accounting(pool)[1] == pool.stats().submitted == 30


@pytest.mark.parametrize("way", WAYS)
async def test_a_thread_that_waits_for_room_in_a_full_pool_is_waited_for(way: str) -> None:
    pool, load = NbAioPool(1, 1), Load()
    with concurrent.futures.ThreadPoolExecutor(8) as threads:

        async def parent() -> List[Any]:
            def work() -> List[Any]:
                futures = [pool.sync_submit(load.job(2, i)) for i in range(5)]  # four of them wait for room
                return [future.result(20) for future in futures]

            return list(await in_thread(way, threads, work))

        assert await asyncio.wait_for(pool.run(parent()), 25) == [0, 1, 2, 3, 4]
    assert load.peak == 1


@pytest.mark.parametrize("way", WAYS)
async def test_unrelated_work_of_threads_gets_no_slot_of_a_job_that_waits_for_something_else(
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool, begun, noted = NbAioPool(1, 5), [], []
    note_caller = _thread_waits._note_caller
    monkeypatch.setattr(_thread_waits, "_note_caller", lambda *args: noted.append(note_caller(*args)))
    loop = asyncio.get_running_loop()
    release = loop.create_future()
    with concurrent.futures.ThreadPoolExecutor(8) as threads:

        async def waits_for_release() -> None:
            await release

        async def note() -> None:
            begun.append(1)

        holder = await pool.submit(waits_for_release())
        other = asyncio.ensure_future(in_thread(way, threads, lambda: pool.sync_submit(note()).result()))
        while not noted:  # the thread has told the pool for whom it waits
            await asyncio.sleep(0.001)
        await turns(20)
        assert begun == []
        release.set_result(None)
        await holder
        await other
    assert begun == [1]
