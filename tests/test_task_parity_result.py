"""A job steps its coroutine as asyncio's Task does: results, exceptions, and what it awaits."""

from __future__ import annotations

import asyncio
import sys
import traceback
import types
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool
from parity import spawn
from support import Gate, raises, turns, value


async def test_a_coroutine_that_returns_at_once_gives_its_result() -> None:
    async def outer() -> int:
        return await value(42) + await value(1000)

    assert await spawn(outer()) == 1042


RESULTS = [
    None,
    (),
    (1, 2),
    [],
    0,
    ValueError("a result"),
    ValueError,
    StopIteration(1),
    KeyboardInterrupt("a result"),
    asyncio.CancelledError("a result"),
    NotImplemented,
]


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("result", RESULTS, ids=repr)
async def test_results_are_never_taken_for_something_else(result: Any, steps: int) -> None:
    async def work() -> Any:
        await turns(steps)
        return result

    job = spawn(work())
    assert await job is result
    assert not job.cancelled() and job.exception() is None


async def test_a_future_may_be_the_result() -> None:
    future = asyncio.get_running_loop().create_future()
    job = spawn(value(future))
    assert await job is future and not future.done()
    future.cancel()


async def test_a_job_may_be_the_result_of_a_job() -> None:
    inner = spawn(value("inner"))
    assert await spawn(value(inner)) is inner
    assert await inner == "inner"


@pytest.mark.parametrize("steps", [0, 1, 2])
@pytest.mark.parametrize("kind", [ValueError, OSError, StopAsyncIteration, asyncio.InvalidStateError])
async def test_an_exception_raised_at_any_step_is_that_of_the_job(kind: Any, steps: int) -> None:
    error = kind("mine")

    async def work() -> None:
        await turns(steps)
        raise error

    job = spawn(work())
    with pytest.raises(kind) as caught:
        await job
    assert caught.value is error and job.exception() is error


@pytest.mark.parametrize("steps", [0, 1])
async def test_a_stop_iteration_raised_by_a_coroutine_is_a_runtime_error(steps: int) -> None:
    async def work() -> None:
        await turns(steps)
        raise StopIteration("swallowed?")

    with pytest.raises(RuntimeError, match="StopIteration") as caught:
        await spawn(work())
    assert isinstance(caught.value.__cause__, StopIteration)


async def test_a_future_that_a_job_awaits_gives_it_its_result() -> None:
    future, seen = asyncio.get_running_loop().create_future(), []  # type: ignore[var-annotated]

    async def work() -> str:
        seen.append(await future)
        return "end"

    job = spawn(work())
    await turns(3)
    assert not job.done() and seen == []
    result = object()
    future.set_result(result)
    assert await job == "end"
    assert len(seen) == 1 and seen[0] is result


async def test_a_future_that_a_job_awaits_raises_its_exception_there() -> None:
    future, error = asyncio.get_running_loop().create_future(), LookupError("of the future")

    async def work() -> Any:
        try:
            await future
        except LookupError as caught:
            return caught
        return None

    job = spawn(work())
    await turns(2)
    future.set_exception(error)
    assert await job is error


async def test_an_exception_of_an_awaited_future_that_is_not_caught_is_that_of_the_job() -> None:
    future, error = asyncio.get_running_loop().create_future(), LookupError("of the future")

    async def work() -> None:
        await future

    job = spawn(work())
    await turns(2)
    future.set_exception(error)
    with pytest.raises(LookupError) as caught:
        await job
    assert caught.value is error


async def test_awaiting_a_finished_future_does_not_suspend_the_job() -> None:
    loop = asyncio.get_running_loop()
    done, failed, log = loop.create_future(), loop.create_future(), []  # type: ignore[var-annotated]
    done.set_result(1)
    failed.set_exception(LookupError())

    async def work() -> None:
        loop.call_soon(log.append, "turned")
        log.append(await done)
        with pytest.raises(LookupError):
            await failed
        log.append("same step")

    await spawn(work())
    await turns()
    assert log == [1, "same step", "turned"]


async def test_a_job_takes_one_turn_of_the_loop_for_each_bare_yield() -> None:
    loop, log = asyncio.get_running_loop(), []  # type: ignore[var-annotated]

    async def work() -> None:
        for i in range(3):
            loop.call_soon(log.append, "turn")
            log.append(i)
            await turns()
        log.append("end")

    await spawn(work())
    assert log == [0, "turn", 1, "turn", 2, "turn", "end"]


async def test_a_job_that_is_woken_goes_on_in_the_next_turn() -> None:
    loop, gate, log = asyncio.get_running_loop(), Gate(), []  # type: ignore[var-annotated]

    async def work() -> None:
        await gate.wait()
        log.append("woken")

    job = spawn(work())
    await gate.reached(1)
    loop.call_soon(log.append, "before")
    gate.open()
    loop.call_soon(log.append, "after")
    await job
    assert log == ["before", "woken", "after"]


async def test_jobs_that_give_way_take_turns() -> None:
    pool, log = NbAioPool(3, 3), []  # type: ignore[var-annotated]

    async def work(name: str) -> None:
        for i in range(3):
            log.append(name + str(i))
            await turns()

    await asyncio.gather(*[pool.submit_nowait(work(name)) for name in "abc"])
    assert log == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]


async def test_a_job_may_await_tasks_jobs_and_generator_based_coroutines() -> None:
    @types.coroutine
    def old() -> Any:
        yield
        return (yield from value("old").__await__())

    async def work() -> List[Any]:
        task = asyncio.ensure_future(value("task"))
        return [await task, await spawn(value("job")), await old()]

    assert await spawn(work()) == ["task", "job", "old"]


async def test_a_generator_based_coroutine_may_be_the_job() -> None:
    @types.coroutine
    def old() -> Any:
        for _ in range(3):
            yield
        return "old"

    assert await spawn(old()) == "old"


async def test_deeply_nested_coroutines_work() -> None:
    async def down(depth: int) -> int:
        if depth == 0:
            await turns(2)
            return 0
        return 1 + await down(depth - 1)

    assert await spawn(down(150)) == 150


async def test_an_endless_recursion_is_the_failure_of_its_job_alone() -> None:
    async def down() -> None:
        await down()

    job = spawn(down())
    with pytest.raises(RecursionError):
        await job
    assert await spawn(value("usable")) == "usable"


@pytest.mark.skipif(sys.version_info < (3, 9), reason="generator.throw sets the context from Python 3.9 on")
async def test_an_exception_raised_while_another_is_handled_is_chained_to_it() -> None:
    async def work() -> None:
        try:
            raise KeyError(3)
        except KeyError:
            await spawn(raises(ValueError()))

    with pytest.raises(ValueError) as caught:  # noqa: PT011
        await spawn(work())
    context = caught.value.__context__
    assert type(context) is KeyError and context.args == (3,)


async def test_an_exception_is_never_its_own_context() -> None:
    async def work() -> Any:
        try:
            raise KeyError("a")
        except KeyError as error:
            try:
                await spawn(raises(error))
            except KeyError as again:
                return again is error, again.__context__
        return None

    assert await spawn(work()) == (True, None)


async def test_the_exception_that_is_handled_where_a_job_is_stepped_is_not_seen_inside() -> None:
    pool = NbAioPool(1, 1)

    async def work() -> Any:
        return traceback.format_exc()

    try:
        raise KeyError("outside")
    except KeyError:
        outside = await pool.submit_nowait(work())
    assert outside.strip() == "NoneType: None"


async def test_the_exception_that_a_job_handles_survives_its_suspensions() -> None:
    async def work() -> Any:
        try:
            raise KeyError("mine")
        except KeyError:
            await turns(2)
            await spawn(value())
            return traceback.format_exc()

    assert "KeyError: 'mine'" in await spawn(work())


async def test_the_traceback_of_a_failed_job_shows_where_it_failed() -> None:
    async def inner() -> None:
        await turns()
        raise LookupError("here")  # the line that fails

    async def work() -> None:
        await inner()

    job = spawn(work())
    with pytest.raises(LookupError) as caught:
        await job
    names = [entry.name for entry in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-2:] == ["work", "inner"]
    assert "# the line that fails" in traceback.format_tb(caught.value.__traceback__)[-1]


async def test_a_job_may_await_what_awaits_the_job_elsewhere_without_disturbing_it() -> None:
    gate = Gate()

    async def follow(job: Any) -> Any:
        return await job

    job = spawn(gate.hold("result"))
    followers = [spawn(follow(job)) for _ in range(3)]
    chain = spawn(follow(followers[0]))
    await gate.reached(1)
    gate.open()
    assert await asyncio.gather(chain, *followers) == ["result"] * 4
