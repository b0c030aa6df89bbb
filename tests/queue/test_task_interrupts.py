"""Tasks that raise what is meant for programs and coroutines: KeyboardInterrupt and GeneratorExit."""

from __future__ import annotations

import asyncio
import functools
from typing import Any, Dict, List

import pytest
from task_support import Notes, Workshop, eventually, run_as_program

from nb_aiopool.contrib.nb_aio_task import AioTask, TaskFailed


@pytest.mark.parametrize("where", ["run", "read"])
def test_a_task_that_always_raises_keyboardinterrupt_ends_max_deliveries_workers_at_most(
    where: str,
    loop_factory: Any,
    redis_server: Any,
    reports: List[Dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    workshop = Workshop(redis_server.url)
    calls: List[Any] = []

    async def interrupt(entry: Any) -> None:
        calls.append(entry)
        if entry == "bad":
            raise KeyboardInterrupt

    task = workshop.task(interrupt, max_concurrency=2, max_deliveries=3)

    async def submit() -> None:
        await task.options(id="it").submit(Interrupts() if where == "read" else "bad")
        await task.submit("good")
        await task.close()

    async def consume() -> None:
        async with workshop.consuming(task):
            await eventually(functools.partial(_is_dead, task))
        if where == "run":  # reading it would raise here
            assert [letter.deliveries for letter in await task.dead_letters()] == [3]
        assert await task.delete_dead("it") == 1
        await workshop.close()

    run_as_program(loop_factory(), submit())
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run_as_program(loop_factory(), consume())
    run_as_program(loop_factory(), consume())
    assert calls.count("good") in (1, 2)  # it may have run beside the other when that ended the worker
    assert calls.count("bad") == (3 if where == "run" else 0)


async def _is_dead(task: AioTask[Any]) -> bool:
    return await task.stats() == (0, 0, 0, 1)


class Interrupts:
    """Raises KeyboardInterrupt whenever it is unpickled."""

    def __reduce__(self) -> Any:
        return (_interrupt, ())


def _interrupt() -> None:
    raise KeyboardInterrupt


async def test_generatorexit_is_a_failure_like_any_other(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes()

    async def exits(kind: str) -> None:
        await notes(kind)
        if kind == "at once":
            raise GeneratorExit("on purpose")
        if kind == "later":
            await asyncio.sleep(0)
            raise GeneratorExit("on purpose")

    task = workshop.task(exits, max_concurrency=1, max_retries=1, retry_delay=0.001, result_ttl=60)
    handles = [await task.submit(kind) for kind in ("at once", "later", "good")]
    await workshop.work_off(task)
    assert sorted(notes.calls) == ["at once", "at once", "good", "later", "later"]
    for handle in handles[:2]:
        with pytest.raises(TaskFailed, match="GeneratorExit: on purpose"):
            await handle.result()
    assert await handles[2].result() is None


class Exits:
    def __reduce__(self) -> Any:
        return (_exit, ())


def _exit() -> None:
    raise GeneratorExit


async def test_generatorexit_while_a_payload_is_read_makes_it_a_dead_letter(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    task = workshop.task(Notes().function())
    handle = await task.submit(Exits())
    await workshop.work_off(task)
    assert await handle.status() == "dead"
