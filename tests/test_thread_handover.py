"""What happens while the loop lets a thread go on whose job has just ended: it may do anything with the pool."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import sys
import threading
from typing import Any, Callable

import pytest

from nb_aiopool import NbAioPool
from support import accounting, value
from threads import FOREVER, ThreadGate, await_in, blocked, join, running, started, until


@pytest.fixture
def loop(loop_factory: Callable[[], Any]) -> Any:
    with running(loop_factory()) as loop:
        yield loop


def test_a_thread_that_has_its_result_may_take_the_idle_pool_to_its_own_loop(
    loop: Any, run_loop: Callable[..., Any]
) -> None:
    pool = NbAioPool(1, 1)

    async def both(i: int) -> Any:
        return await pool.run(value(i)), await pool.join()

    for i in range(200):
        assert pool.sync_submit(value(i), loop=loop).result(FOREVER) == i
        assert run_loop(both(i)) == (i, None)
    assert accounting(pool)[:2] == (400, 400)


def test_a_producer_that_was_let_in_comes_back_though_the_pool_has_left_its_loop(
    run_loop: Callable[..., Any], loop_factory: Callable[[], Any]
) -> None:
    pool, let_in, moved = NbAioPool(1, 5000), threading.Event(), threading.Event()

    def take(first: Any, second: Any) -> None:
        # The producer's loop comes to its wake-up only when the pool has left, or, on a slow machine, late.
        first.call_soon_threadsafe(moved.wait, 1)
        future = pool.sync_submit(value(), block=False)
        let_in.set()
        future.result(FOREVER)
        with contextlib.suppress(RuntimeError):  # too late: the producer is at work again
            pool.sync_submit(value(), loop=second).result(FOREVER)
        moved.set()

    async def submit_until_it_has_moved() -> Any:
        while not let_in.is_set():
            await pool.submit(value())

    async def main(second: Any) -> None:
        producer = asyncio.ensure_future(submit_until_it_has_moved())
        await asyncio.sleep(0)
        assert pool.waiting == 1  # it rests
        first = asyncio.get_running_loop()
        threads = started(lambda: take(first, second))
        assert let_in.wait(FOREVER)
        await producer
        join(threads)

    with running(loop_factory()) as second:
        run_loop(main(second))


def test_who_waits_for_the_pool_to_rest_hears_of_it_though_the_pool_has_left_the_loop(
    run_loop: Callable[..., Any], loop_factory: Callable[[], Any]
) -> None:
    pool, interval = NbAioPool(), sys.getswitchinterval()

    async def job() -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    def take(first: Any, second: Any) -> None:
        pool.sync_submit(job(), loop=first).result(FOREVER)
        with contextlib.suppress(RuntimeError):  # it was too late: the pool is at work for the next round
            pool.sync_submit(value(), loop=second).result(FOREVER)

    async def main(second: Any) -> None:
        first = asyncio.get_running_loop()
        for _ in range(20):
            threads = started(lambda: take(first, second))
            until(lambda: pool._native_loop is first and pool.running)
            with contextlib.suppress(RuntimeError):  # it has moved already
                await pool.join()
            while threads[0].is_alive():
                await asyncio.sleep(0.001)

    sys.setswitchinterval(1e-6)
    try:
        with running(loop_factory()) as second:
            run_loop(main(second))
    finally:
        sys.setswitchinterval(interval)


def test_threads_that_ask_without_end_leave_the_loop_its_time(loop: Any) -> None:
    pool, ended, asked = NbAioPool(4, 4), threading.Event(), [0, 0]

    def ask(thread: int) -> None:
        while not ended.is_set():
            pool.sync_submit(value(), loop=loop).result(FOREVER)
            asked[thread] += 1

    async def others_have_their_turns() -> None:
        before = list(asked)
        while asked[0] == before[0] or asked[1] == before[1]:
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0.0001)

    threads = started(lambda: ask(0), lambda: ask(1))
    try:
        await_in(loop, others_have_their_turns())
    finally:
        ended.set()
        join(threads)


def test_a_job_that_blocks_the_loop_does_not_keep_the_result_of_the_one_before(loop: Any) -> None:
    pool, begun, seen = NbAioPool(2, 2), threading.Event(), threading.Event()

    async def wait_for_the_thread() -> bool:
        begun.set()
        return seen.wait(FOREVER)

    def ask() -> None:
        first.append(pool.sync_submit(value("first"), loop=loop))
        second.append(pool.sync_submit(wait_for_the_thread()))
        if first[0].result(FOREVER) == "first":
            seen.set()

    first: Any = []
    second: Any = []
    with blocked(loop):  # so that one pass has both
        threads = started(ask)
        until(lambda: second)
    join(threads)
    assert second[0].result(FOREVER) is True and begun.is_set()


def test_a_future_that_somebody_has_marked_as_running_is_waited_for(loop: Any) -> None:
    pool, gate = NbAioPool(1, 1), ThreadGate()
    future = pool.sync_submit(gate.hold(7), loop=loop)
    assert future.set_running_or_notify_cancel()
    with pytest.raises(concurrent.futures.TimeoutError):
        future.result(0.01)
    gate.open()
    assert future.result(FOREVER) == 7 and future.exception() is None


def test_a_wait_that_is_longer_than_any_look_ends_with_the_job(loop: Any) -> None:
    pool, gate, results = NbAioPool(20, 1), ThreadGate(), []
    futures = [pool.sync_submit(gate.hold(i), loop=loop) for i in range(8)]
    threads = started(*[lambda f=f: results.append(f.result()) for f in futures for _ in range(2)])  # type: ignore[misc]
    until(lambda: gate.arrived == 8)
    with pytest.raises(concurrent.futures.TimeoutError):
        futures[0].result(0.15)
    gate.open()
    join(threads)
    assert sorted(results) == sorted(list(range(8)) * 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_of_a_thread_that_has_its_result_may_use_the_pool(script: Callable[..., Any]) -> None:
    done = script(
        """
        import asyncio, os, sys, threading, warnings
        from nb_aiopool import NbAioPool

        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of fork in a process with threads

        async def value(i):
            return i

        pool, loop = NbAioPool(1, 1), asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, daemon=True).start()
        for i in range(30):
            assert pool.sync_submit(value(i), loop=loop).result(20) == i
            child = os.fork()  # the loop's thread may be about to look for the next job
            if child == 0:
                try:
                    assert asyncio.run(pool.run(value(7))) == 7
                    os._exit(0)
                except BaseException as error:
                    print(repr(error), flush=True)
                    os._exit(1)
            assert os.waitpid(child, 0)[1] == 0
        loop.call_soon_threadsafe(loop.stop)
        print("ended")
        """
    )
    assert done.stdout == "ended\n"


def test_another_layout_of_futures_is_met(script: Callable[..., Any]) -> None:
    done = script(
        """
        import concurrent.futures

        original = concurrent.futures.Future.__init__

        def init(self):
            original(self)
            self.added = "by another version"

        concurrent.futures.Future.__init__ = init
        from nb_aiopool import AsyncPoolExecutor

        async def value(x):
            return x

        async def fail():
            raise LookupError("no")

        with AsyncPoolExecutor(2) as executor:
            futures = [executor.submit(value, i) for i in range(100)]
            assert [future.result(20) for future in futures] == list(range(100))
            assert concurrent.futures.wait(futures, 20).done == set(futures)
            assert isinstance(executor.submit(fail).exception(20), LookupError)
        print(futures[0].added, vars(futures[0])["_condition"] is futures[0]._condition)
        """
    )
    assert done.stdout == "by another version True\n"
