"""The end of a worker: no cancellation is lost on the way."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from nb_aiopool.contrib.nb_aio_task import listener, worker
from nb_aiopool.contrib.nb_aio_task.worker import LAST_ANSWER_SECONDS, PARTING_SECONDS, Worker
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


def test_all_that_a_worker_waits_for_when_it_ends_takes_less_than_five_seconds() -> None:
    """The answer to its last call, the end of its wait, and the answers to handing back and leaving."""
    assert LAST_ANSWER_SECONDS + listener.PARTING_SECONDS + 2 * PARTING_SECONDS < 5.0


async def test_a_call_that_is_not_answered_is_given_up() -> None:
    nobody: Any = None
    answer = asyncio.get_running_loop().create_future()
    assert await Worker._within(nobody, 0.001, answer) is False
    assert answer.cancelled()


async def test_a_turn_that_is_not_answered_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LAST_ANSWER_SECONDS", 0.001)
    nobody: Any = None
    asked: List[int] = []

    async def turn() -> None:
        while len(asked) < 3:  # the first cancellations come with an answer, and get lost
            asked.append(1)
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                if len(asked) == 3:
                    raise

    server = asyncio.ensure_future(turn())
    await Worker._end_of(nobody, server)
    assert server.cancelled()
