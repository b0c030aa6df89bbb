"""AsyncPoolExecutor is a `concurrent.futures.Executor`: what CPython's own tests ask of one, and more."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import itertools
import operator
import threading
import time
from typing import Any, Callable
from unittest import mock

import pytest

from executors import AsyncCallable, divmod_of, doze, power, said_to_be_async
from nb_aiopool import AsyncPoolExecutor, PoolFull
from support import is_closed
from threads import FOREVER, ThreadGate, join, started, until

New = Callable[..., AsyncPoolExecutor]


async def capture(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


# -- submit -----------------------------------------------------------------------------------------------------------


def test_submit_returns_the_future_of_the_result(new: New) -> None:
    executor = new()
    assert isinstance(executor, concurrent.futures.Executor)
    future = executor.submit(power, 2, 8)
    assert isinstance(future, concurrent.futures.Future) and future.result(FOREVER) == 256 and future.done()
    assert executor.submit(power, 2, exponent=3).result(FOREVER) == 8


def test_any_keyword_reaches_the_function(new: New) -> None:
    executor = new()
    names = {"self": 1, "fn": 2, "func": 3, "loop": 4, "block": 5, "future": 6, "coro": 7}
    assert executor.submit(capture, 1, **names).result(FOREVER) == ((1,), names)
    with pytest.raises(TypeError):
        executor.submit(func=capture)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        executor.submit()  # type: ignore[call-arg]


async def generator() -> Any:
    yield 1


@pytest.mark.parametrize(
    "wrong",
    [
        time.sleep,
        lambda: power(1, 2),
        int,
        AsyncCallable,
        generator,
        functools.partial(print),
        3,
        None,
        "power",
    ],
    ids=repr,
)
def test_what_is_no_async_function_is_refused(new: New, wrong: Any) -> None:
    executor = new()
    with pytest.raises(TypeError, match="an async function is required, got"):
        executor.submit(wrong)
    assert "running=0/3 queued=0/3" in repr(executor)


def test_a_coroutine_instead_of_its_function_is_refused(new: New) -> None:
    executor = new()
    for call in (executor.submit, lambda coro: executor.map(coro, [1])):
        coro: Any = power(1, 2)
        with pytest.raises(TypeError, match="got the coroutine <.*pass the function and its arguments"):
            call(coro)
        assert is_closed(coro)  # else it would say that it was never awaited


@pytest.mark.parametrize("error", [RuntimeError("mine"), PoolFull("of another pool")], ids=repr)
def test_what_the_call_itself_raises_stays_what_it_is(new: New, error: Exception) -> None:
    executor = new()

    @said_to_be_async
    def call() -> Any:
        executor.shutdown(wait=False)
        raise error

    with pytest.raises(type(error)) as caught:
        executor.submit(call)
    assert caught.value is error


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (AsyncCallable(), 2),
        (functools.partial(power, 2, 3), 8),
        (functools.partial(functools.partial(power, 2), exponent=4), 16),
        (functools.partial(AsyncCallable(), 4), 5),
        (AsyncCallable().__call__, 2),
        (mock.AsyncMock(return_value=9), 9),
        (functools.partial(mock.AsyncMock(return_value=9), 1), 9),
    ],
    ids=repr,
)
def test_whatever_is_async_when_called_is_accepted(new: New, function: Any, expected: int) -> None:
    assert new().submit(function).result(FOREVER) == expected


def test_arguments_that_do_not_fit_are_refused_by_the_call(new: New) -> None:
    with pytest.raises(TypeError, match="exponent"):
        new().submit(power, 1)


@pytest.mark.parametrize(
    ("size", "kind"),
    [(0, ValueError), (-1, ValueError), (True, TypeError), (2.0, TypeError), ("3", TypeError)],
)
def test_a_size_that_is_none_is_refused(size: Any, kind: Any) -> None:
    threads = threading.active_count()
    with pytest.raises(kind, match="^size must be "):
        AsyncPoolExecutor(size)
    with pytest.raises(kind, match="^max_queue_size must be "):
        AsyncPoolExecutor(1, max_queue_size=size or -1)
    assert threading.active_count() == threads


def test_it_says_what_it_does(new: New) -> None:
    executor = new(2, max_queue_size=0)
    assert repr(executor) == "<AsyncPoolExecutor open running=0/2 queued=0/unbounded waiting=0>"
    executor.shutdown()
    assert repr(executor) == "<AsyncPoolExecutor closed running=0/2 queued=0/unbounded waiting=0>"
    with AsyncPoolExecutor() as usual:
        assert "running=0/100 queued=0/100" in repr(usual)


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "options", "room"), [(2, {}, 4), (1, {"max_queue_size": 3}, 4)])
def test_submit_blocks_while_it_is_full(new: New, size: int, options: Any, room: int) -> None:
    executor, gate, done = new(size, **options), ThreadGate(), []
    futures = [executor.submit(gate.hold, i) for i in range(room)]
    threads = started(lambda: done.append(executor.submit(power, 2, 2).result(FOREVER)))
    until(lambda: "waiting=1" in repr(executor))
    assert done == [] and sum(future.running() for future in futures) == size
    gate.open()
    join(threads)
    assert done == [4] and [future.result(FOREVER) for future in futures] == list(range(room))


def test_without_a_bound_submit_never_blocks(new: New) -> None:
    executor, gate = new(1, max_queue_size=0), ThreadGate()
    futures = [executor.submit(gate.hold, i) for i in range(5000)]
    gate.open()
    assert [future.result(FOREVER) for future in futures] == list(range(5000))


def test_in_the_loops_own_thread_a_full_one_raises(new: New) -> None:
    executor, gate, held = new(1, max_queue_size=1), ThreadGate(), []

    async def producer() -> str:
        held.append(executor.submit(gate.hold))
        with pytest.raises(PoolFull, match="1 running"):
            executor.submit(gate.hold)
        gate.open()
        return "never blocked"

    assert executor.submit(producer).result(FOREVER) == "never blocked"
    assert held.pop().result(FOREVER) is None


def test_a_job_may_wait_for_what_it_submits(new: New) -> None:
    executor = new(1)

    async def depth(n: int) -> int:
        return 0 if n == 0 else 1 + await asyncio.wrap_future(executor.submit(depth, n - 1))

    assert executor.submit(depth, 5).result(FOREVER) == 5


@pytest.mark.limit(60)
def test_sixteen_producers_lose_nothing_and_run_nothing_twice(new: New) -> None:
    executor, each = new(20), 1500
    ran = [bytearray(each) for _ in range(16)]

    async def job(thread: int, i: int) -> int:
        ran[thread][i] += 1
        return i

    def produce(thread: int) -> None:
        futures = [executor.submit(job, thread, i) for i in range(each)]
        assert [future.result(FOREVER) for future in futures] == list(range(each))

    join(started(*[functools.partial(produce, thread) for thread in range(16)]))
    assert all(bytes(of_one) == b"\x01" * each for of_one in ran)


# -- map --------------------------------------------------------------------------------------------------------------


def test_map_yields_results_in_order(new: New) -> None:
    executor = new(3)
    assert list(executor.map(power, range(10), range(10))) == list(map(pow, range(10), range(10)))
    assert list(executor.map(power, range(40), itertools.repeat(2), chunksize=3)) == [i**2 for i in range(40)]
    assert list(executor.map(power, [], [])) == []


def test_map_raises_an_exception_in_its_place(new: New) -> None:
    executor = new()
    results = executor.map(divmod_of, [1, 1, 1, 1], [2, 3, 0, 5])
    assert next(results) == (0, 1) and next(results) == (0, 1)
    with pytest.raises(ZeroDivisionError):
        next(results)
    executor.shutdown()


def test_map_takes_a_timeout_and_cancels_what_is_left(new: New) -> None:
    executor, gate = new(4), ThreadGate()

    async def job(i: int) -> int:
        if i < 2:
            return i
        await gate.hold()
        return await doze(3600)

    results = executor.map(job, range(4), timeout=2)
    until(lambda: "running=2/4" in repr(executor))  # the first two are there, whenever they are asked for
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(concurrent.futures.TimeoutError):
        next(results)
    executor.shutdown()  # it need not wait for the others, which are cancelled


def test_map_submits_before_anybody_iterates(new: New) -> None:
    executor, seen = new(), []

    async def note(i: int) -> None:
        seen.append(i)

    executor.map(note, range(10))
    executor.shutdown()
    assert seen == list(range(10))


def test_map_refuses_a_function_that_is_not_async(new: New) -> None:
    with pytest.raises(TypeError, match="an async function is required"):
        new().map(pow, [1], [2])


def test_a_subclass_may_have_a_submit_of_its_own(new: New) -> None:
    class Loud(AsyncPoolExecutor):
        def submit(self, func: Any, /, *args: Any, **kwargs: Any) -> Any:
            return super().submit(func, *map(operator.neg, args), **kwargs)

    with Loud(2) as executor:
        assert list(executor.map(power, [1, 2], [-2, -3])) == [1, -8]


# -- with what concurrent.futures and asyncio have --------------------------------------------------------------------


def test_wait_and_as_completed(new: New) -> None:
    executor, gate = new(3), ThreadGate()
    slow, quick = executor.submit(gate.hold), executor.submit(power, 2, 2)
    failing = executor.submit(divmod_of, 1, 0)
    found = concurrent.futures.wait([slow, quick], FOREVER, concurrent.futures.FIRST_COMPLETED)
    assert found.done == {quick} and found.not_done == {slow}
    found = concurrent.futures.wait([slow, failing], FOREVER, concurrent.futures.FIRST_EXCEPTION)
    assert found.done == {failing} and isinstance(failing.exception(), ZeroDivisionError)
    assert concurrent.futures.wait([slow], 0.01).not_done == {slow}
    with pytest.raises(concurrent.futures.TimeoutError):
        list(concurrent.futures.as_completed([slow, quick], timeout=0))
    gate.open()
    everything = list(concurrent.futures.as_completed([slow, quick, failing, slow], FOREVER))
    assert len(everything) == 3 and set(everything) == {slow, quick, failing}


def test_a_future_can_be_awaited_in_another_loop(new: New, run_loop: Callable[..., Any]) -> None:
    executor, gate = new(5), ThreadGate()

    async def main() -> Any:
        held = asyncio.wrap_future(executor.submit(gate.hold))
        await asyncio.sleep(0.01)
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        return await asyncio.gather(*[asyncio.wrap_future(executor.submit(power, 2, i)) for i in range(4)])

    assert run_loop(main()) == [1, 2, 4, 8]
    executor.shutdown()  # the cancellation has reached the job


@pytest.mark.loop("asyncio", "eager")  # the others refuse whatever `iscoroutinefunction` knows
def test_run_in_executor_takes_async_functions(new: New, run_loop: Callable[..., Any]) -> None:
    executor = new(5)

    async def main() -> Any:
        return await asyncio.get_running_loop().run_in_executor(executor, power, 2, 5)

    assert run_loop(main()) == 32


def test_run_in_executor_takes_async_callables_in_any_loop(new: New, run_loop: Callable[..., Any]) -> None:
    executor = new(5)

    async def main() -> Any:
        return await asyncio.get_running_loop().run_in_executor(executor, AsyncCallable(), 5)

    assert run_loop(main()) == 6
