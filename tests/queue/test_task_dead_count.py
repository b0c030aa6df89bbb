"""How many dead letters were queued again or deleted, when answers get lost on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List

import pytest

from nb_aiopool.contrib.nb_aio_task import Outage

if TYPE_CHECKING:
    from task_support import Workshop

    from nb_aiopool.contrib.nb_aio_task.broker import Broker


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


async def graveyard(workshop: Workshop, count: int) -> Any:
    async def fail(number: int) -> None:
        raise LookupError(number)

    task = workshop.task(fail)
    for number in range(count):
        await task.options(id=str(number)).submit(number)
    await workshop.work_off(task)
    return task


def lose(
    monkeypatch: pytest.MonkeyPatch, broker: Broker, method: str, at: int, *, before: bool = False
) -> List[Any]:
    """The answer to that call of the method gets lost; or, `before`, the call itself. Returns what was called."""
    calls: List[Any] = []
    real = getattr(broker, method)

    async def losing(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == at and before:
            raise Outage("lost")
        answer = await real(*arguments)
        if len(calls) == at:
            raise Outage("lost")
        return answer

    monkeypatch.setattr(broker, method, losing)
    return calls


@pytest.mark.parametrize("ids", [(), tuple("01234"), ("nobody", *"01234", "0")])
@pytest.mark.parametrize("method", ["dead_names", "dead", "revive"])
@pytest.mark.parametrize("before", [False, True])
async def test_retried(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, ids: Any, method: str, before: bool
) -> None:
    task = await graveyard(workshop, 5)
    lose(monkeypatch, task._links.here().broker, method, 1 if method != "revive" else 3, before=before)
    assert await task.retry_dead(*ids) == 5
    assert await task.stats() == (5, 0, 0, 0)


async def test_one_whose_id_is_taken_was_not_retried(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = await graveyard(workshop, 2)
    await task.options(id="0").submit(0)
    lose(monkeypatch, task._links.here().broker, "revive", 1)
    assert await task.retry_dead("0", "1") == 1
    assert await task.stats() == (2, 0, 0, 1)


@pytest.mark.parametrize("ids", [(), tuple("01234"), ("nobody", *"01234", "0")])
@pytest.mark.parametrize("method", ["dead_names", "dead", "bury"])
@pytest.mark.parametrize("before", [False, True])
async def test_deleted(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, ids: Any, method: str, before: bool
) -> None:
    task = await graveyard(workshop, 5)
    lose(monkeypatch, task._links.here().broker, method, 1, before=before)
    assert await task.delete_dead(*ids) == 5
    assert await task.stats() == (0, 0, 0, 0)


async def test_what_has_died_since_is_left_alone(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    task = await graveyard(workshop, 3)
    broker = task._links.here().broker
    lose(monkeypatch, broker, "revive", 2)
    real = broker.revive

    async def dying(name: str, *arguments: Any) -> Any:
        answer = await real(name, *arguments)
        await workshop.work_off(task)  # it dies at once
        return answer

    monkeypatch.setattr(broker, "revive", dying)
    assert await task.retry_dead() == 3
    assert await task.stats() == (0, 0, 0, 3)
