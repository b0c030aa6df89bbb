"""What is accepted: any awaitable, nothing else; and from its first step on the call owns it."""

from __future__ import annotations

import asyncio
import functools
import gc
import types
import weakref
from typing import Any, AsyncIterator, Awaitable, Callable, Iterator

import pytest

from nb_aiopool import NbAioPool, PoolFull, PoolStopped
from support import Awaitable as PlainAwaitable
from support import Gate, accounting, fill, is_closed, is_untouched, park, raises, turns, value

Call = Callable[[NbAioPool, Any], Awaitable[Any]]


async def by_submit(pool: NbAioPool, item: Any) -> Any:
    return await (await pool.submit(item))


async def by_submit_nowait(pool: NbAioPool, item: Any) -> Any:
    return await pool.submit_nowait(item)


async def by_run(pool: NbAioPool, item: Any) -> Any:
    return await pool.run(item)


async def by_batch_submit(pool: NbAioPool, item: Any) -> Any:
    return await (await pool.batch_submit([item]))[0]


async def by_batch_run(pool: NbAioPool, item: Any) -> Any:
    return (await pool.batch_run([item]))[0]


each_call = pytest.mark.parametrize(
    "call",
    [by_submit, by_submit_nowait, by_run, by_batch_submit, by_batch_run],
    ids=lambda call: call.__name__,
)


@types.coroutine
def generator_based() -> Any:
    yield
    return "generator"


async def numbers() -> AsyncIterator[int]:
    yield 1


def plain_generator() -> Iterator[int]:
    yield 1


class WithAsyncCall:
    async def __call__(self) -> None:
        pass

    async def method(self) -> None:
        pass


@each_call
async def test_a_coroutine_is_accepted(call: Call) -> None:
    assert await call(NbAioPool(), value("result")) == "result"


@each_call
async def test_an_object_with_an_await_method_is_accepted(call: Call) -> None:
    item = PlainAwaitable("result")
    assert await call(NbAioPool(), item) == "result"
    assert item.calls == 1


@each_call
async def test_futures_and_tasks_are_accepted(call: Call) -> None:
    future = asyncio.get_running_loop().create_future()
    future.set_result("future")
    assert await call(NbAioPool(), future) == "future"
    assert await call(NbAioPool(), asyncio.ensure_future(value("task"))) == "task"


@each_call
async def test_generator_based_coroutines_are_accepted(call: Call) -> None:
    assert await call(NbAioPool(), generator_based()) == "generator"


@each_call
async def test_the_awaitables_of_an_async_generator_are_accepted(call: Call) -> None:
    generator = numbers()
    assert await call(NbAioPool(), generator.__anext__()) == 1
    await generator.aclose()


@each_call
async def test_a_job_of_another_pool_is_accepted(call: Call) -> None:
    assert await call(NbAioPool(1), NbAioPool(1).submit_nowait(value("job"))) == "job"


@each_call
async def test_an_awaitable_may_fail(call: Call) -> None:
    future = asyncio.get_running_loop().create_future()
    error = LookupError("mine")
    future.set_exception(error)
    with pytest.raises(LookupError) as caught:
        await call(NbAioPool(), future)
    assert caught.value is error


BAD = {
    "None": None,
    "number": 17,
    "string": "text",
    "list": [1],
    "coroutine function": value,
    "bound coroutine function": WithAsyncCall().method,
    "partial": functools.partial(value, 1),
    "object with async call": WithAsyncCall(),
    "lambda": lambda: None,
    "class": PlainAwaitable,
    "generator": plain_generator(),
    "async generator": numbers(),
    "async generator function": numbers,
}


@each_call
@pytest.mark.parametrize("bad", BAD.values(), ids=list(BAD))
async def test_anything_else_is_a_type_error_that_shows_it(call: Call, bad: Any) -> None:
    pool = NbAioPool(2, 2)
    with pytest.raises(TypeError) as caught:
        await call(pool, bad)
    text = str(caught.value)
    name = getattr(bad, "__name__", type(bad).__name__)
    assert repr(bad) in text or type(bad).__name__ in text or name in text
    assert accounting(pool).submitted == 0
    assert await call(pool, value("still usable")) == "still usable"


@each_call
@pytest.mark.parametrize("function", [value, WithAsyncCall().method], ids=["function", "method"])
async def test_for_a_coroutine_function_the_error_says_to_call_it(call: Call, function: Any) -> None:
    with pytest.raises(TypeError, match="call") as caught:
        await call(NbAioPool(), function)
    assert function.__name__ in str(caught.value)


async def test_the_error_of_a_bad_item_comes_when_the_call_is_awaited() -> None:
    pool: Any = NbAioPool()
    calls = [pool.submit(3), pool.run(3), pool.batch_submit([3]), pool.batch_run([3])]
    for call in calls:
        with pytest.raises(TypeError):
            await call


async def test_await_is_called_once_and_not_before_the_job_starts() -> None:
    pool, gate, item = NbAioPool(1, 1), Gate(), PlainAwaitable("result")
    (first,) = [pool.submit_nowait(gate.hold())]
    second = pool.submit_nowait(item)
    await gate.reached(1)
    await turns(3)
    assert item.calls == 0
    gate.open()
    assert await second == "result"
    assert item.calls == 1
    await first


async def test_an_awaitable_whose_job_is_cancelled_in_the_queue_is_never_awaited() -> None:
    pool, gate, item = NbAioPool(1, 1), Gate(), PlainAwaitable()
    first = pool.submit_nowait(gate.hold())
    second = pool.submit_nowait(item)
    await gate.reached(1)
    assert second.cancel()
    gate.open()
    await first
    await pool.join()
    assert second.cancelled() and item.calls == 0


async def test_an_await_method_that_fails_is_the_failure_of_the_job() -> None:
    class Bad:
        def __await__(self) -> Any:
            raise LookupError("no await today")

    pool = NbAioPool(1, 1)
    job = await pool.submit(Bad())
    with pytest.raises(LookupError, match="no await today"):
        await job
    assert accounting(pool).failed == 1


async def test_an_await_method_that_returns_no_iterator_is_a_type_error_of_the_job() -> None:
    class Bad:
        def __await__(self) -> Any:
            return 5

    pool = NbAioPool(1, 1)
    job = await pool.submit(Bad())
    with pytest.raises(TypeError):
        await job
    assert accounting(pool).failed == 1


async def test_cancelling_a_job_that_awaits_a_future_cancels_the_future() -> None:
    pool = NbAioPool(1, 1)
    future = asyncio.get_running_loop().create_future()
    job = await pool.submit(future)
    await turns(2)
    assert job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert future.cancelled()


@each_call
async def test_a_coroutine_that_has_ended_is_the_failure_of_its_job(call: Call) -> None:
    coro = value()
    await coro
    with pytest.raises(RuntimeError, match="already awaited"):
        await call(NbAioPool(), coro)


async def test_a_coroutine_that_has_begun_is_carried_on() -> None:
    coro = turns(2)
    coro.send(None)
    assert await (await NbAioPool().submit(coro)) is None


@pytest.mark.parametrize("name", ["submit", "run"])
async def test_a_call_that_never_begins_does_not_touch_the_coroutine(name: str) -> None:
    pool, coro = NbAioPool(), value("mine")
    call = getattr(pool, name)(coro)
    call.close()
    await turns(2)
    assert is_untouched(coro)
    assert await coro == "mine"


@pytest.mark.parametrize("name", ["submit", "run"])
async def test_a_call_that_is_abandoned_while_it_waits_closes_the_coroutine(name: str) -> None:
    pool, gate, coro = NbAioPool(1, 1), Gate(), value()
    jobs = fill(pool, gate)
    call = getattr(pool, name)(coro)
    call.send(None)
    assert pool.waiting == 1
    call.close()
    assert is_closed(coro)
    assert pool.waiting == 0
    gate.open()
    await asyncio.gather(*jobs)


@pytest.mark.parametrize("name", ["submit", "run", "submit_nowait"])
async def test_a_refused_coroutine_is_closed(name: str) -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)

    async def call(coro: Any) -> None:
        if name == "submit_nowait":
            pool.submit_nowait(coro)
        else:
            await getattr(pool, name)(coro, block=False)

    refused = value()
    with pytest.raises(PoolFull):
        await call(refused)
    assert is_closed(refused)
    gate.open()
    await asyncio.gather(*jobs)
    await pool.shutdown()
    refused = value()
    with pytest.raises(PoolStopped):
        await call(refused)
    assert is_closed(refused)


@pytest.mark.parametrize("name", ["batch_submit", "batch_run"])
async def test_a_stopped_pool_closes_a_whole_list(name: str) -> None:
    pool, coros = NbAioPool(), [value(i) for i in range(4)]
    await pool.shutdown()
    with pytest.raises(PoolStopped):
        await getattr(pool, name)(coros)
    assert all(is_closed(coro) for coro in coros)


async def test_a_job_dropped_from_the_queue_closes_its_coroutine_at_once() -> None:
    pool, gate, coro = NbAioPool(1, 1), Gate(), value()
    first = pool.submit_nowait(gate.hold())
    dropped = pool.submit_nowait(coro)
    assert dropped.cancel()
    assert is_closed(coro)
    gate.open()
    await first


async def test_the_pool_lets_go_of_a_coroutine_whose_job_has_ended() -> None:
    class Witness:
        pass

    witness = Witness()
    reference = weakref.ref(witness)
    pool = NbAioPool(1, 1)

    async def job(held: Witness) -> None:
        await turns()

    await pool.run(job(witness))
    done = await pool.submit(job(witness))
    await done
    del witness
    gc.collect()
    assert reference() is None


async def test_a_failing_call_among_waiting_ones_disturbs_nobody() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    (producer,) = await park(pool, value("waited"))
    bad: Any = None
    with pytest.raises(TypeError):
        await pool.submit(bad)
    gate.open()
    assert await (await producer) == "waited"
    await asyncio.gather(*jobs)
    with pytest.raises(KeyError):
        await pool.run(raises(KeyError("own")))
