"""A worker hears of everything at once, and one that is to empty the queue ends when there is nothing left."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, List

from task_support import Notes, Workshop, eventually

from support import Gate

if TYPE_CHECKING:
    import pytest

    from nb_aiopool.contrib.nb_aio_task import AioTask
    from nb_aiopool.contrib.nb_aio_task.broker import Exchange, Request


async def test_an_empty_queue_is_worked_off_at_once(workshop: Workshop) -> None:
    task = workshop.task(Notes().function())
    await task._consume(burst=True)


async def test_what_tasks_submit_meanwhile_is_worked_off_as_well(workshop: Workshop) -> None:
    seen: List[int] = []

    async def count_down(n: int) -> None:
        seen.append(n)
        if n:
            await task.submit(n - 1)

    task = workshop.task(count_down, max_concurrency=1)
    await task.submit(30)
    await task._consume(burst=True)
    assert seen == list(range(30, -1, -1))
    assert await task.stats() == (0, 0, 0, 0)


async def test_it_ends_with_its_last_task_though_it_waits_for_more_meanwhile(workshop: Workshop) -> None:
    gate = Gate()
    task = workshop.task(gate.hold)
    await task.submit()
    worker = asyncio.ensure_future(task._consume(burst=True))
    await gate.reached(1)
    await eventually(lambda: listening(task))
    gate.open()
    await worker


async def listening(task: AioTask[Any]) -> bool:
    return all(worker._listener.listening for worker in task._workers.values())


async def test_what_a_wait_brings_while_a_turn_is_under_way_is_not_left_lying(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = Notes()
    task = workshop.task(notes.function())
    broker = workshop.broker(task)
    exchange = type(broker).exchange
    held: List[Exchange] = []

    async def slow(self: Any, consumer: str, request: Request) -> Exchange:
        answer = await exchange(self, consumer, request)
        if not answer.deliveries and not request.sweep and not held:
            held.append(answer)
            # The answer is on its way back while the other connection brings a task.
            await task.submit("late")
            await asyncio.sleep(0.05)
        return answer

    monkeypatch.setattr(type(broker), "exchange", slow)
    async with workshop.consuming(task):
        await notes.reached(1)
    assert notes.calls == ["late"]
    assert len(held) == 1
