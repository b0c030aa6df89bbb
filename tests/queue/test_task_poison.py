"""Payloads that are no tasks: never run, never in the way, and kept as they came for who wants to look."""

from __future__ import annotations

import asyncio
import json
import pickle
from typing import Any, Dict, List

import pytest
from task_support import Notes, Workshop, run_as_program

from nb_aiopool.contrib.nb_aio_task import on_event


class Raises:
    """Raises what it is made of when it is unpickled."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __reduce__(self) -> Any:
        return (throw, (self.kind,))


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


THROWN: Dict[str, Any] = {
    "exception": LookupError,
    "exit": SystemExit,
    "cancelled": asyncio.CancelledError,
    "mute": Mute,
    "base": BaseException,
}


def throw(kind: str) -> None:
    raise THROWN[kind]("on purpose")


def nested(depth: int) -> Any:
    inner: Any = []
    for _ in range(depth):
        inner = [inner]
    return inner


GARBAGE = [
    b"",
    b"\0",
    b"\n",
    b"\r\r\n",
    b"\r \t\r\t\n",
    b"garbage",
    "ä".encode("latin-1"),
    b"\xff" * 1000,
    b"\x80\x04N.",
    b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x80\x05B\xff\xff\xff\x7fabc",
    b"cnowhere\nnothing\n(tR.",
    pickle.dumps({"args": (1,), "kwargs": {}})[:-5],
    b"[" * 100_000,
    b"(" * 100_000,
    b"1" * 5000,
]
WRONG: List[Any] = [
    None,
    3,
    "text",
    [],
    [[1], {}],
    {"args": 3, "kwargs": {}},
    {"args": "ab", "kwargs": {}},
    {"args": None, "kwargs": {}},
    {"args": {"a": 1}, "kwargs": {}},
    {"args": [], "kwargs": []},
    {"args": [], "kwargs": None},
    {"args": [], "kwargs": {}, "id": 3},
    {"args": [], "kwargs": {}, "id": ["a"]},
    {"args": [], "kwargs": {}, "token": {"a": 1}},
    {"args": [], "kwargs": {}, "at": "noon"},
    {"args": [], "kwargs": {}, "at": [1]},
    {"args": [], "kwargs": {}, "at": 10**400},
    {"args": [], "kwargs": {}, "id": "\ud800"},
    {"args": [], "kwargs": {}, "id": "a", "token": "\udfff"},
]


async def bury(workshop: Workshop, payloads: List[bytes], **options: Any) -> None:
    notes = Notes()
    task = workshop.task(notes.function(), max_concurrency=2, max_retries=3, **options)
    await task.submit("before")
    await workshop.put(task, *payloads)
    await task.submit("after")
    stop = on_event(lambda event: None)  # events are no reason to stumble over anything either
    try:
        await workshop.work_off(task)
    finally:
        stop()
    assert sorted(notes.calls) == ["after", "before"]
    assert await task.stats() == (0, 0, 0, len(payloads))
    letters = await task.dead_letters(2000)
    assert sorted(letter.payload for letter in letters) == sorted(payloads)
    assert {(letter.args, letter.kwargs) for letter in letters} == {(None, None)}
    assert all(letter.error and letter.died_at for letter in letters)
    assert len({letter.id for letter in letters}) == len(payloads)


@pytest.mark.parametrize("use_pickle", [True, False])
async def test_garbage_is_a_dead_letter(
    workshop: Workshop, use_pickle: bool, caplog: pytest.LogCaptureFixture
) -> None:
    await bury(workshop, GARBAGE, use_pickle=use_pickle)
    assert "dead letters" in caplog.text


@pytest.mark.parametrize("use_pickle", [True, False])
async def test_what_has_the_wrong_shape_is_a_dead_letter(
    workshop: Workshop, use_pickle: bool, caplog: pytest.LogCaptureFixture
) -> None:
    write: Any = pickle.dumps if use_pickle else lambda task: json.dumps(task).encode()
    wrong = [write(task) for task in WRONG]
    if use_pickle:
        wrong.append(pickle.dumps({"args": (), "kwargs": {1: 2}}))
    await bury(workshop, wrong, use_pickle=use_pickle)


async def test_a_pickle_that_raises_is_a_dead_letter(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    await bury(workshop, [pickle.dumps({"args": (Raises(kind),), "kwargs": {}}) for kind in THROWN])


@pytest.mark.parametrize("use_pickle", [True, False])
async def test_the_other_format_is_a_dead_letter(
    workshop: Workshop, use_pickle: bool, caplog: pytest.LogCaptureFixture
) -> None:
    task = {"args": [1], "kwargs": {}}
    await bury(
        workshop, [json.dumps(task).encode() if use_pickle else pickle.dumps(task)], use_pickle=use_pickle
    )


@pytest.mark.loop("asyncio", "uvloop")
async def test_many_at_once_hold_up_nothing(workshop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")
    await bury(workshop, [b"garbage %d" % i for i in range(1000)])


async def test_deep_nesting_passes_or_is_a_dead_letter(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes()
    task = workshop.task(notes.function(), use_pickle=False)
    await workshop.put(
        task, b'{"args": [%s], "kwargs": {}}' % json.dumps(nested(100)).encode(), b'{"args": ' + b"[" * 50_000
    )
    await task.submit("after")
    await workshop.work_off(task)
    assert notes.calls == [nested(100), "after"]
    assert (await task.stats()).dead == 1


async def test_poison_that_is_tried_again_dies_again_and_leaves_no_id_taken(
    redis_workshop: Workshop, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    task = redis_workshop.task(Notes().function())
    await redis_workshop.put(task, b"garbage")
    for _ in range(3):
        await redis_workshop.work_off(task)
        (letter,) = await task.dead_letters()
        assert (letter.payload, letter.deliveries) == (b"garbage", 1)
        assert await task.retry_dead(letter.id) == 1
        assert await task.stats() == (1, 0, 0, 0)
    assert [key for key in client.keys("{%s}:*" % task.queue_name) if b"unique" in key or b"ids" in key] == []


def test_ctrl_c_while_a_payload_is_read_loses_nothing(
    loop_factory: Any, redis_server: Any, reports: List[Dict[str, Any]]
) -> None:
    workshop = Workshop(redis_server.url)
    notes: List[str] = []

    async def note(entry: Any) -> None:
        notes.append(entry)

    task = workshop.task(note)

    async def interrupted() -> None:
        await workshop.put(task, pickle.dumps({"args": (Interrupts(),), "kwargs": {}}))
        await task.consume()

    with pytest.raises(KeyboardInterrupt):
        run_as_program(loop_factory(), interrupted())

    async def again() -> None:
        assert await task.stats() == (1, 0, 0, 0)
        await workshop.work_off(task)
        await workshop.close()

    run_as_program(loop_factory(), again())
    assert notes == ["read"]
    assert {type(report["exception"]) for report in reports} <= {KeyboardInterrupt}
    INTERRUPTED.clear()


INTERRUPTED: List[bool] = []


class Interrupts:
    def __reduce__(self) -> Any:
        return (interrupt, ())


def interrupt() -> str:
    if not INTERRUPTED:
        INTERRUPTED.append(True)
        raise KeyboardInterrupt
    return "read"
