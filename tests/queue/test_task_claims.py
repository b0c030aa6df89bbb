"""What becomes of the ids of tasks whose payloads no worker can decode: they are freed, and their handles know."""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from typing import Any, List

import pytest
from task_support import Notes, Workshop

from nb_aiopool.contrib.nb_aio_task import TaskFailed, trailer
from nb_aiopool.contrib.nb_aio_task.claims import MOST_OPERATIONS, Claim, claim_of

READ: List[str] = []


class Unreadable:
    """Can be pickled, and not be read again; as one whose class only its producer has."""

    def __reduce__(self) -> Any:
        return (_unread, ("on purpose",))


def _unread(why: str) -> None:
    READ.append(why)
    raise LookupError(why)


@pytest.fixture(autouse=True)
def nothing_read() -> None:
    READ.clear()


async def test_its_id_can_be_given_again(workshop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    notes = Notes()
    task = workshop.task(notes.function(), result_ttl=60)
    await task.options(id="order-42").submit(Unreadable())
    await workshop.work_off(task)
    handle = await task.options(id="order-42").submit("again")
    await workshop.work_off(task)
    assert notes.calls == ["again"]
    assert await handle.result() == "again"


@pytest.mark.parametrize("given", ["order-42", None])
@pytest.mark.parametrize("result_ttl", [0, 60])
async def test_its_handle_knows_that_it_is_dead(
    workshop: Workshop, given: str, result_ttl: int, caplog: pytest.LogCaptureFixture
) -> None:
    task = workshop.task(Notes().function(), result_ttl=result_ttl)
    handle = await task.options(id=given).submit(Unreadable())
    await workshop.work_off(task)
    assert await handle.status() == "dead"
    if result_ttl:
        with pytest.raises(TaskFailed, match="on purpose"):
            await handle.result()
    (letter,) = await task.dead_letters()
    assert letter.id == handle.id
    assert await task.retry_dead(handle.id) == 1
    assert await handle.status() == "queued"
    if given is not None:
        assert (await task.options(id=given).submit(1)).id == given
        assert await task.get_queue_size() == 1


async def test_a_payload_in_the_other_form_is_known_by_its_id(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    for use_pickle in (True, False):
        task = workshop.task(Notes().function(), use_pickle=use_pickle)
        other = workshop.again(task, task.func, use_pickle=not use_pickle)
        handle = await other.options(id="a").submit(1)
        await workshop.work_off(task)
        assert await handle.status() == "dead"
        assert (await task.options(id="a").submit(1)).id == "a"
        assert await task.get_queue_size() == 1


@pytest.mark.parametrize("use_pickle", [True, False])
async def test_what_is_not_signed_frees_its_own_id(
    workshop: Workshop, use_pickle: bool, caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes()
    task = workshop.task(notes.function(), use_pickle=use_pickle, sign_key="key")
    await workshop.again(task, task.func, use_pickle=use_pickle).options(id="a").submit("evil")
    await workshop.work_off(task)
    await task.options(id="a").submit("good")
    await workshop.work_off(task)
    assert notes.calls == ["good"]


@pytest.mark.parametrize("use_pickle", [True, False])
async def test_what_is_not_signed_touches_nothing_of_others(
    workshop: Workshop, use_pickle: bool, caplog: pytest.LogCaptureFixture
) -> None:
    task = workshop.task(Notes().function(), use_pickle=use_pickle, sign_key="key", result_ttl=60)
    done = await task.options(id="done").submit("good")
    await workshop.work_off(task)
    alive = await task.options(id="alive", delay=600).submit("later")
    write: Any = pickle.dumps if use_pickle else lambda call: json.dumps(call).encode()
    for id_, token in (("done", done._token), ("alive", "0" * 32), ("alive", "")):
        await workshop.put(task, write({"args": [], "kwargs": {}, "id": id_, "token": token}))
    await workshop.work_off_list(task)
    assert await done.result() == "good"
    assert (await done.status(), await alive.status()) == ("done", "delayed")
    assert not {"done", "alive"} & {letter.id for letter in await task.dead_letters()}
    await task.options(id="alive").submit("swallowed")
    assert await task.get_queue_size() == 0


async def test_what_is_condemned_is_not_read(workshop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    task = workshop.task(Notes().function(), max_deliveries=2)
    handle = await task.options(id="a").submit(Unreadable())
    (payload,) = await workshop.peek(task)
    await task.clear_queue()
    await workshop.put(task, trailer.join(payload, 2, 0))
    await workshop.work_off(task)
    assert READ == []
    assert await handle.status() == "dead"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_names_are_found_among_all_that_a_pickle_can_hold(protocol: int) -> None:
    unlike: Any = {"id": "not this", "token": "nor this", "at": 1}
    arguments = [
        "a",
        unlike,
        Unreadable(),
        {1, 2},
        frozenset("x"),
        OrderedDict(id=1),
        2**100,
        b"x",
        (),
        (1, 2, 3),
    ]
    call = {"args": arguments, "kwargs": {"id": 5}, "id": "a", "at": 1.5, "token": "t"}
    payload = pickle.dumps(call, protocol)
    assert claim_of(payload) == claim_of(payload + b"\n#more") == Claim("a", "t")
    assert claim_of(pickle.dumps({**call, "token": None}, protocol)) == Claim("a", "a")
    for end in range(len(payload)):
        assert claim_of(payload[:end]) == Claim()
    assert READ == []


@pytest.mark.parametrize(
    "call",
    [
        {"id": 3},
        {"id": None, "token": ["t"]},
        {"id": "\ud800"},
        {"id": "a", "token": "\ud800"},
        ["id", "a"],
        {"args": [{"id": "a", "token": "t"}]},
        {"id": "a", "args": [1] * MOST_OPERATIONS},
    ],
)
def test_what_has_no_names_that_could_be_used_has_none(call: Any) -> None:
    assert claim_of(pickle.dumps(call)) == Claim()
    if len(str(call)) < 1000:
        assert claim_of(json.dumps(call).encode()) == Claim()
