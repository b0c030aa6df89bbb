"""The CancelledError that comes out of a cancelled job is the one raised inside, with its traceback, as from a Task."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any, List

import pytest

from parity import spawn
from support import Gate, turns


def text_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


async def interrupted(seen: List[Any]) -> None:
    try:
        await asyncio.sleep(3600)  # the interrupted line
    except asyncio.CancelledError as error:
        seen.append(error)
        raise


@pytest.mark.parametrize("how", ["await", "result", "exception"])
async def test_the_error_raised_inside_comes_out_with_its_traceback(how: str) -> None:
    seen: List[Any] = []
    job = spawn(interrupted(seen))
    await turns(2)
    job.cancel()
    if how != "await":
        await asyncio.wait([job])
    with pytest.raises(asyncio.CancelledError) as caught:
        if how == "await":
            await job  # the line that asks
        elif how == "result":
            job.result()  # the line that asks
        else:
            job.exception()  # the line that asks
    assert caught.value is seen[0]
    assert "# the interrupted line" in text_of(caught.value)
    assert "# the line that asks" in text_of(caught.value)


async def test_a_cancelled_error_of_its_own_making_comes_out_of_a_job_unchanged() -> None:
    class Mine(asyncio.CancelledError):
        pass

    error = Mine("one", "two")

    async def work() -> None:
        await turns()
        raise error

    job = spawn(work())
    with pytest.raises(Mine) as caught:
        await job
    assert caught.value is error and job.cancelled()


async def test_the_error_can_be_traced_from_what_it_has_caused() -> None:
    seen: List[Any] = []

    async def outer(job: Any) -> None:
        try:
            await job
        except asyncio.CancelledError as error:
            raise ValueError("cancelled") from error

    inner = spawn(interrupted(seen))
    job = spawn(outer(inner))
    await turns(3)
    inner.cancel("why")
    with pytest.raises(ValueError, match="cancelled") as caught:
        await job
    assert caught.value.__cause__ is seen[0] and seen[0].args[:1] in [("why",), ()]
    assert "# the interrupted line" in text_of(caught.value)


async def test_a_cancelled_job_can_be_asked_again_and_again() -> None:
    gate = Gate()
    job = spawn(gate.hold())
    await gate.reached(1)
    job.cancel()
    for _ in range(3):
        with pytest.raises(asyncio.CancelledError):
            await job
        with pytest.raises(asyncio.CancelledError):
            job.result()
        with pytest.raises(asyncio.CancelledError):
            job.exception()
    assert job.cancelled()
