"""Cancelling a job has the effect that cancelling asyncio's Task has: when, where, and what comes of it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any, List

import pytest

from parity import cancelled_with, new_future, spawn
from support import Gate, outcome, turns

futures_have_messages = pytest.mark.skipif(
    sys.version_info < (3, 9), reason="Future.cancel takes a message from 3.9 on"
)


async def test_a_job_that_waits_is_cancelled_together_with_what_it_waits_for() -> None:
    future = new_future()

    async def work() -> None:
        await future

    job = spawn(work())
    await turns(2)
    assert job._fut_waiter is future
    assert job.cancel() is True
    assert future.cancelled() and not job.done()
    assert await cancelled_with(job) == ()
    assert job.cancel() is False


@pytest.mark.parametrize("steps", range(5))
async def test_a_job_may_be_cancelled_at_each_of_its_steps(steps: int) -> None:
    log: List[Any] = []

    async def work() -> str:
        try:
            for i in range(4):
                log.append(i)
                await turns()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        return "end"

    job = spawn(work())
    await turns(steps)
    begun = list(log)
    assert begun == list(range(min(steps, 4)))
    assert job.cancel() is True
    assert await cancelled_with(job) == ()
    assert log == ([*begun, "cancelled"] if begun else [])


async def test_cancelling_what_a_job_waits_for_cancels_the_job() -> None:
    future = new_future()

    async def work() -> None:
        await future

    job = spawn(work())
    await turns(2)
    future.cancel()
    assert await cancelled_with(job) == ()


async def test_the_job_and_what_it_waits_for_may_both_be_cancelled() -> None:
    future = new_future()

    async def work() -> None:
        await future

    job = spawn(work())
    await turns(2)
    future.cancel()
    assert job.cancel() is True
    assert await cancelled_with(job) == ()


async def test_a_cancellation_that_was_caught_is_over() -> None:
    first, second = new_future(), new_future()

    async def work() -> Any:
        with contextlib.suppress(asyncio.CancelledError):
            await first
        return await second

    job = spawn(work())
    await turns(2)
    job.cancel()
    assert first.cancelled()
    await turns(2)
    assert job._fut_waiter is second
    second.set_result(42)
    assert await job == 42
    assert not job.cancelled() and job.cancelling() == 1


async def test_a_cancellation_after_the_awaited_future_is_done_wins() -> None:
    future, seen = new_future(), []  # type: ignore[var-annotated]

    async def work() -> None:
        seen.append(await future)

    job = spawn(work())
    await turns(2)
    future.set_result("too late")
    assert job.cancel() is True
    assert job._must_cancel
    assert await cancelled_with(job) == ()
    assert seen == [] and not job._must_cancel


async def test_a_cancellation_after_the_awaited_future_has_failed_wins() -> None:
    future = new_future()

    async def work() -> None:
        await future

    job = spawn(work())
    await turns(2)
    future.set_exception(LookupError())
    assert job.cancel() is True
    assert await cancelled_with(job) == ()


async def test_uncancel_takes_back_a_cancellation_that_has_not_been_delivered() -> None:
    future = new_future()

    async def work() -> Any:
        return await future

    job = spawn(work())
    await turns(2)
    future.set_result(42)
    job.cancel()
    assert (job.cancelling(), job._must_cancel) == (1, True)
    assert job.uncancel() == 0
    assert (job.cancelling(), job._must_cancel) == (0, False)
    assert await job == 42


async def test_uncancel_keeps_a_pending_cancellation_while_requests_remain() -> None:
    future = new_future()

    async def work() -> Any:
        return await future

    job = spawn(work())
    await turns(2)
    future.set_result(42)
    job.cancel()
    job.cancel()
    assert job.uncancel() == 1 and job._must_cancel
    assert await cancelled_with(job) == ()


async def test_requests_to_cancel_are_counted() -> None:
    gates = [Gate(), Gate()]

    async def work() -> None:
        try:
            await gates[0].wait()
        except asyncio.CancelledError:
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
            await gates[1].wait()

    job = spawn(work())
    assert (job.cancelling(), job.uncancel()) == (0, 0)
    await gates[0].reached(1)
    assert job.cancel() is True and job.cancel() is True
    assert job.cancelling() == 2
    await gates[1].reached(1)
    assert job.cancelling() == 1 and not job.cancelled()
    job.cancel()
    assert job.cancelling() == 2
    assert await cancelled_with(job) == ()
    assert job.uncancel() == 1
    assert job.cancelled() and job.done()


async def test_two_requests_before_the_next_step_raise_one_error() -> None:
    gate, log = Gate(), []  # type: ignore[var-annotated]

    async def work() -> str:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            log.append("cancelled")
        await turns(3)
        return "end"

    job = spawn(work())
    await gate.reached(1)
    job.cancel()
    job.cancel()
    assert await job == "end"
    assert log == ["cancelled"] and job.cancelling() == 2


async def test_a_finished_job_does_not_count_requests() -> None:
    async def work() -> int:
        return 1

    job = spawn(work())
    await job
    assert job.cancel() is False
    assert job.cancelling() == 0


@pytest.mark.parametrize("kind", [LookupError, GeneratorExit])
async def test_an_exception_that_answers_a_cancellation_is_the_failure_of_the_job(kind: Any) -> None:
    gate, error = Gate(), kind("instead")

    async def work() -> None:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            raise error from None

    job = spawn(work())
    await gate.reached(1)
    job.cancel()
    await asyncio.wait([job])
    assert outcome(job) == ("exception", error)


MESSAGES = [((), ()), ((None,), ()), (("my message",), ("my message",)), ((5,), (5,)), (((1, 2),), ((1, 2),))]


@pytest.mark.parametrize(("given", "seen"), MESSAGES, ids=repr)
@pytest.mark.parametrize("begun", [False, True], ids=["before it began", "while it waits"])
@futures_have_messages
async def test_the_message_of_a_cancellation_comes_out_of_the_job(given: Any, seen: Any, begun: bool) -> None:
    async def work() -> None:
        await asyncio.sleep(3600)

    job = spawn(work())
    await turns(2 * begun)
    job.cancel(*given)
    await asyncio.wait([job])
    assert await cancelled_with(job) == seen


async def test_the_message_of_a_cancellation_is_seen_inside_the_job() -> None:
    seen = []

    async def work() -> None:
        for _ in range(2):
            try:
                await turns()
            except asyncio.CancelledError as error:
                seen.append(error.args)

    job = spawn(work())
    await turns(1)
    job.cancel(msg="why")
    await turns()
    job.cancel("again")
    await job
    assert seen == [("why",), ("again",)]


@futures_have_messages
async def test_the_message_of_a_cancellation_is_handed_to_what_the_job_waits_for() -> None:
    future = new_future()

    async def work() -> None:
        await future

    job = spawn(work())
    await turns(2)
    job.cancel("why")
    with pytest.raises(asyncio.CancelledError) as caught:
        future.result()
    assert caught.value.args == ("why",)
    assert await cancelled_with(job) == ("why",)


async def test_cancel_takes_one_message_and_nothing_else() -> None:
    gate = Gate()
    job = spawn(gate.hold("untouched"))
    await gate.reached(1)
    for arguments, names in (((1, 2), {}), ((), {"message": 1}), ((1,), {"msg": 1})):
        with pytest.raises(TypeError, match="cancel"):
            job.cancel(*arguments, **names)
    gate.open()
    assert await job == "untouched"
