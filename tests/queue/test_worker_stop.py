"""The end of a worker: no cancellation is lost on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nb_aiopool.contrib.nb_aio_task.worker import Worker
from support import turns


async def test_a_cancellation_that_comes_with_an_answer_is_not_lost() -> None:
    """What was asked of the broker has just been answered: the second cancellation must arrive all the same."""
    answer = asyncio.get_running_loop().create_future()
    answered = False

    async def ask() -> None:
        nonlocal answered
        await answer
        answered = True

    nobody: Any = None
    asking = asyncio.ensure_future(Worker._within(nobody, 5.0, ask()))
    await turns(3)
    answer.set_result(None)
    while not answered:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
