"""Threads that wait for the pool when something ends: the loop, its thread, the process; and interrupts."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import os
import threading
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool, PoolError, _thread_future, _thread_waits
from nb_aiopool._guard import Guard
from support import accounting, is_closed, value
from threads import FOREVER, ThreadGate, join, running, started, until


async def forever() -> None:
    while True:
        await asyncio.sleep(3600)


def noted(errors: List[BaseException], call: Callable[[], Any]) -> Callable[[], None]:
    def note() -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    return note


def test_asyncio_run_that_ends_releases_threads_that_wait(
    run_loop: Callable[..., Any],
) -> None:
    pool, refused, cancelled, threads = NbAioPool(1, 1), [], [], []
    coros = [forever() for _ in range(3)]

    async def main() -> None:
        futures = [pool.sync_submit(forever()) for _ in range(2)]
        for future in futures:
            threads.extend(started(noted(cancelled, functools.partial(future.result, FOREVER))))
        for coro in coros:
            threads.extend(started(noted(refused, functools.partial(pool.sync_submit, coro))))
        while pool.waiting < 3:
            await asyncio.sleep(0.001)

    run_loop(main())
    join(threads)
    assert [type(error) for error in cancelled] == [concurrent.futures.CancelledError] * 2
    # None has come in for those that were cancelled one by one, and nobody has shut the pool down.
    assert [(type(error), "loop ended" in str(error)) for error in refused] == [(PoolError, True)] * 3
    assert all(map(is_closed, coros)) and accounting(pool)[:4] == (2, 0, 0, 2)


@pytest.mark.parametrize("first", ["guard", "jobs"])
def test_whichever_task_is_cancelled_first_all_are(first: str, loop_factory: Callable[[], Any]) -> None:
    loop, pool, refused = loop_factory(), NbAioPool(1, 1), []
    jobs = [pool.sync_submit(forever(), loop=loop) for _ in range(2)]
    threads = started(noted(refused, lambda: pool.sync_submit(forever())))
    until(lambda: pool.waiting == 1)
    loop.run_until_complete(asyncio.sleep(0))
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: isinstance(task, Guard) == (first == "jobs"))
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    join(threads)
    assert [type(error) for error in refused] == [PoolError] and all(job.cancelled() for job in jobs)
    # It was not the loop's end after all: all can go on.
    future = pool.sync_submit(value(1))
    loop.run_until_complete(asyncio.sleep(0))
    assert future.result(FOREVER) == 1
    loop.close()


def test_a_thread_that_goes_on_submitting_does_not_keep_the_loop_from_ending(
    run_loop: Callable[..., Any],
    reports: List[Any],
) -> None:
    pool, over, threads = NbAioPool(1, 1), threading.Event(), []

    def produce(loop: Any) -> None:
        while not over.is_set():
            try:
                pool.sync_submit(forever(), loop=loop)
            except RuntimeError:
                continue

    async def main() -> None:
        threads.extend(started(functools.partial(produce, asyncio.get_running_loop())))
        while pool.waiting == 0:
            await asyncio.sleep(0.001)

    run_loop(main())
    over.set()
    join(threads)
    assert accounting(pool)[4:] == (0, 0)
    # What came in when all had ended, and before the loop was closed, was lost with it.
    assert all(isinstance(report["exception"], PoolError) for report in reports)


def test_a_loop_that_is_closed_with_work_left_releases_threads(loop_factory: Callable[[], Any]) -> None:
    loop, pool, errors = loop_factory(), NbAioPool(1, 1), []
    coros = [value(i) for i in range(3)]
    futures = [pool.sync_submit(coro, loop=loop) for coro in coros[:2]]

    def catch(call: Callable[[], Any]) -> None:
        try:
            call()
        except RuntimeError as error:
            errors.append(str(error))

    threads = started(lambda: catch(lambda: pool.sync_submit(coros[2])))
    until(lambda: pool.waiting == 1)
    threads += started(*[lambda future=future: catch(future.result) for future in futures])  # type: ignore[misc]
    loop.close()
    join(threads)
    assert len(errors) == 3 and all("loop ended" in error for error in errors)
    assert all(map(is_closed, coros)) and accounting(pool)[4:] == (0, 0)


def test_who_stands_in_line_at_the_end_of_the_loop_hears_of_it_once(
    loop_factory: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_thread_waits, "_PATIENCE", 3600.0)  # the thread in line does not look for itself
    monkeypatch.setattr(_thread_future, "_PATIENCE", 0.01)
    loop, pool, errors, coro = loop_factory(), NbAioPool(1, 1), [], value(2)
    futures = [pool.sync_submit(value(i), loop=loop) for i in range(2)]

    def stand_in_line() -> None:
        with pytest.raises(PoolError, match="loop ended") as caught:
            pool.sync_submit(coro)
        errors.append(str(caught.value))

    threads = started(stand_in_line)
    until(lambda: pool.waiting == 1)
    loop.close()
    for future in futures:
        with pytest.raises(PoolError, match="loop ended"):
            future.result(FOREVER)
    join(threads)
    assert len(errors) == 1 and is_closed(coro) and accounting(pool)[4:] == (0, 0)
    # No report of an exception that nobody has asked for: the guard of all tests sees to that.


def stopped_with_work(loop: Any, pool: NbAioPool) -> List[Any]:
    """Run a loop in a thread of its own until its jobs are under way, and stop it; the jobs' futures."""
    futures = [pool.sync_submit(forever(), loop=loop) for _ in range(2)]
    join(started(lambda: loop.run_until_complete(asyncio.sleep(0))))
    return futures


def test_a_loop_whose_thread_has_died_releases_threads(loop_factory: Callable[[], Any]) -> None:
    loop, pool = loop_factory(), NbAioPool(1, 1)
    futures = stopped_with_work(loop, pool)
    with pytest.raises(PoolError, match="loop ended"):
        pool.sync_submit(value(1))
    for future in futures:
        with pytest.raises(PoolError, match="loop ended"):
            future.result(FOREVER)
    loop.close()


def test_another_thread_that_has_the_dead_ones_ident_is_not_taken_for_it(
    loop_factory: Callable[[], Any],
) -> None:
    loop, pool, over = loop_factory(), NbAioPool(1, 1), threading.Event()
    futures = stopped_with_work(loop, pool)
    others = started(*[functools.partial(over.wait, FOREVER)] * 20)  # the system gives its ident to the first
    for future in futures:
        with pytest.raises(PoolError, match="loop ended"):
            future.result(FOREVER)
    over.set()
    join(others)
    loop.close()


@pytest.mark.parametrize("timeout", [0, 0.001])
@pytest.mark.parametrize("ask", ["result", "exception"])
def test_whoever_asks_for_a_moment_only_is_told_as_well(
    ask: str, timeout: float, loop_factory: Callable[[], Any]
) -> None:
    loop, pool = loop_factory(), NbAioPool(1, 1)
    for future in stopped_with_work(loop, pool):
        if ask == "exception":
            assert isinstance(future.exception(timeout), PoolError)
        else:
            with pytest.raises(PoolError, match="loop ended"):
                future.result(timeout)
    loop.close()


@pytest.mark.parametrize("has_run", [True, False])
def test_to_close_a_loop_settles_the_futures_of_its_jobs(
    has_run: bool, loop_factory: Callable[[], Any]
) -> None:
    loop, pool, called = loop_factory(), NbAioPool(1, 1), []
    futures = [pool.sync_submit(forever(), loop=loop) for _ in range(2)]
    if has_run:
        loop.run_until_complete(asyncio.sleep(0))
    futures[0].add_done_callback(called.append)
    waits = started(lambda: called.append(concurrent.futures.wait(futures, FOREVER)))
    loop.close()
    join(waits)
    assert futures[0] in called and (set(futures), set()) in called
    assert all(isinstance(future.exception(), PoolError) for future in futures)
    assert accounting(pool)[4:] == (0, 0)


def test_a_loop_that_only_pauses_goes_on_with_the_work(loop_factory: Callable[[], Any]) -> None:
    loop, pool, results = loop_factory(), NbAioPool(1, 1), []
    futures = [pool.sync_submit(value(i), loop=loop) for i in range(2)]  # before it has ever run
    threads = started(lambda: results.append(pool.sync_submit(value(2)).result(FOREVER)))
    until(lambda: pool.waiting == 1)
    loop.run_until_complete(asyncio.sleep(0.001))
    join(threads)
    futures.append(pool.sync_submit(value(3)))
    loop.run_until_complete(asyncio.sleep(0.001))
    assert [future.result(FOREVER) for future in futures] == [0, 1, 3] and results == [2]
    loop.close()


def test_the_pool_may_be_used_in_the_next_loop(loop_factory: Callable[[], Any]) -> None:
    pool = NbAioPool(2, 2)
    for number in range(3):
        with running(loop_factory()) as loop:
            assert pool.sync_submit(value(number), loop=loop).result(FOREVER) == number


@pytest.mark.skipif(os.name != "posix", reason="signals are sent to the process itself")
@pytest.mark.parametrize("waits", ["for room", "for a result"])
def test_an_interrupt_ends_the_wait_of_the_main_thread(waits: str, script: Callable[..., Any]) -> None:
    done = script(
        """
        import asyncio, os, signal, sys, threading, time
        from nb_aiopool import NbAioPool

        signal.signal(signal.SIGINT, signal.default_int_handler)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        pool = NbAioPool(1, 1)
        release = threading.Event()

        async def hold():
            while not release.is_set():
                await asyncio.sleep(0.001)

        async def never():
            raise AssertionError("it must not run")

        futures = [pool.sync_submit(hold(), loop=loop) for _ in range(2)]

        def interrupt():
            while sys.argv[1] == "for room" and pool.waiting == 0:
                time.sleep(0.001)
            time.sleep(0.02)
            os.kill(os.getpid(), signal.SIGINT)

        try:
            threading.Thread(target=interrupt).start()
            if sys.argv[1] == "for room":
                pool.sync_submit(never())
            else:
                futures[0].result()
        except KeyboardInterrupt:
            print("interrupted")
        assert pool.waiting == 0
        release.set()
        for future in futures:
            future.result(20)
        assert pool.stats().submitted == 2
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        """,
        waits,
    )
    assert done.stdout.strip() == "interrupted"


@pytest.mark.parametrize("daemon", [True, False])
def test_the_interpreter_exits_with_threads_that_wait_for_room(
    daemon: bool, script: Callable[..., Any]
) -> None:
    script(
        """
        import asyncio, sys, threading, time
        from nb_aiopool import NbAioPool

        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, daemon=True).start()
        pool = NbAioPool(1, 1)

        async def hold():
            await asyncio.sleep(3600)

        def produce():
            try:
                pool.sync_submit(hold(), loop=loop)
            except Exception as error:
                print(type(error).__name__)

        threads = [threading.Thread(target=produce, daemon=sys.argv[1] == "True") for _ in range(5)]
        for thread in threads:
            thread.start()
        while pool.waiting < 3:
            time.sleep(0.001)
        if sys.argv[1] != "True":
            asyncio.run_coroutine_threadsafe(pool.shutdown(cancel=True), loop).result()
        """,
        str(daemon),
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_in_a_child_process_the_pool_can_be_used_in_a_new_loop(script: Callable[..., Any]) -> None:
    done = script(
        """
        import asyncio, os, threading, warnings
        from nb_aiopool import NbAioPool

        warnings.simplefilter("ignore")
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, daemon=True).start()
        pool = NbAioPool(2, 2)

        async def value(i):
            return i

        assert pool.sync_submit(value(1), loop=loop).result(20) == 1
        child = os.fork()
        if child == 0:
            own = asyncio.new_event_loop()
            threading.Thread(target=own.run_forever, daemon=True).start()
            os._exit(0 if pool.sync_submit(value(2), loop=own).result(20) == 2 else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert pool.sync_submit(value(3)).result(20) == 3
        print("done")
        """
    )
    assert done.stdout.strip() == "done"


@pytest.mark.limit(120)
@pytest.mark.parametrize("how", ["fire", "ask"])
def test_sixteen_threads_lose_nothing_and_run_nothing_twice(
    how: str, loop_factory: Callable[[], Any]
) -> None:
    each, count = (10_000 if how == "fire" else 500), 16
    ran = [bytearray(each) for _ in range(count)]
    pool, wrong = NbAioPool(50, 100), []

    async def job(thread: int, i: int) -> int:
        ran[thread][i] += 1
        if i % 10 == 0:
            await asyncio.sleep(0)
        return i

    def produce(thread: int) -> None:
        for i in range(each):
            future = pool.sync_submit(job(thread, i), loop=loop)
            if how == "ask" and future.result(FOREVER) != i:
                wrong.append((thread, i))

    with running(loop_factory()) as loop:
        join_all = started(*[lambda thread=thread: produce(thread) for thread in range(count)])  # type: ignore[misc]
        for thread in join_all:
            thread.join(100)
        asyncio.run_coroutine_threadsafe(pool.join(), loop).result(FOREVER)
    assert wrong == [] and all(bytes(of_one) == b"\x01" * each for of_one in ran)
    assert accounting(pool)[:2] == (each * count, each * count)


def test_threads_and_the_loop_may_submit_at_the_same_time(loop_factory: Callable[[], Any]) -> None:
    pool, ran, gate = NbAioPool(3, 5), [], ThreadGate()

    async def job(i: int) -> None:
        ran.append(i)
        await asyncio.sleep(0)
        assert pool.running <= 3 and pool.queued <= 5

    async def inside() -> None:
        for i in range(500):
            await pool.submit(job(i))

    with running(loop_factory()) as loop:
        tasks = [asyncio.run_coroutine_threadsafe(inside(), loop) for _ in range(2)]
        until(lambda: pool.stats().submitted)
        threads = started(*[lambda: [pool.sync_submit(job(i)) for i in range(500)] for _ in range(3)])
        join(threads)
        for task in tasks:
            task.result(FOREVER)
        asyncio.run_coroutine_threadsafe(pool.join(), loop).result(FOREVER)
    gate.open()
    assert len(ran) == 2500 and accounting(pool)[:2] == (2500, 2500)
