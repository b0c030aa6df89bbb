"""With a key, nothing is read that was not signed with it for this queue; without one, signatures are no obstacle."""

from __future__ import annotations

import json
import pickle
from typing import Any, List

import pytest
from task_support import Notes, Workshop

from nb_aiopool.contrib.nb_aio_task import trailer

TOUCHED: List[str] = []


class Touch:
    """Does something when it is unpickled."""

    def __reduce__(self) -> Any:
        return (TOUCHED.append, ("unpickled",))


@pytest.fixture(autouse=True)
def nothing_touched() -> Any:
    TOUCHED.clear()
    yield
    assert TOUCHED == []


def signed(workshop: Workshop, **options: Any) -> Any:
    notes = Notes()
    options.setdefault("sign_key", "key")
    return notes, workshop.task(notes.function(), **options)


async def assert_refused(workshop: Workshop, task: Any, notes: Notes, *payloads: bytes) -> None:
    await workshop.put(task, *payloads)
    await task.submit("good")
    await workshop.work_off(task)
    assert notes.calls == ["good"]
    letters = await task.dead_letters(1000)
    assert sorted(letter.payload for letter in letters) == sorted(payloads)
    assert all("signature" in letter.error and letter.args is None for letter in letters), letters


@pytest.mark.parametrize("key", ["key", b"key", "ä", b"\0" * 1000])
@pytest.mark.parametrize("use_pickle", [True, False])
async def test_who_has_the_key_notices_nothing(workshop: Workshop, key: Any, use_pickle: bool) -> None:
    notes, task = signed(workshop, sign_key=key, use_pickle=use_pickle, max_retries=1, result_ttl=60)
    handle = await task.submit("a")
    await task.submit_many([(("b",), {})])
    await task.options(delay=0.01).submit("c")
    await workshop.work_off(task)
    assert sorted(notes.calls) == ["a", "b", "c"]
    assert await handle.result() == "a"


async def test_a_key_is_the_same_as_text_and_as_bytes(workshop: Workshop) -> None:
    notes, task = signed(workshop, sign_key="ä")
    await workshop.again(task, task.func, sign_key="ä".encode()).submit("a")
    await workshop.work_off(task)
    assert notes.calls == ["a"]


async def test_a_retry_keeps_its_signature(workshop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    for use_pickle in (True, False):
        calls: List[int] = []

        async def flaky(x: int, calls: List[int] = calls) -> None:
            calls.append(x)
            if len(calls) < 3:
                raise LookupError

        task = workshop.task(flaky, sign_key="k", use_pickle=use_pickle, max_retries=2, retry_delay=0.001)
        await task.submit(1)
        await workshop.work_off(task)
        assert calls == [1, 1, 1]
        assert await task.stats() == (0, 0, 0, 0)


@pytest.mark.parametrize("use_pickle", [True, False])
async def test_what_is_not_signed_is_refused(
    workshop: Workshop, use_pickle: bool, caplog: pytest.LogCaptureFixture
) -> None:
    notes, task = signed(workshop, use_pickle=use_pickle)
    call = {"args": ["evil"], "kwargs": {}}
    bad = [
        pickle.dumps({"args": (Touch(),), "kwargs": {}}),
        pickle.dumps(call),
        json.dumps(call).encode(),
        json.dumps({**call, "hmac": "0" * 64}).encode(),
        json.dumps({**call, "hmac": ""}).encode(),
        pickle.dumps(Touch()) + b"\n#hmac-sha256:" + b"0" * 64,
        pickle.dumps(Touch()) + b"\n#hmac-sha256:",
        pickle.dumps(Touch()) + b"\n#hmac-sha256:\xff",
        b"",
        b"garbage",
        b"\n#hmac-sha256:",
        b'"}',
    ]
    await assert_refused(workshop, task, notes, *bad)


@pytest.mark.parametrize("use_pickle", [True, False])
async def test_what_another_key_or_queue_has_signed_is_refused(
    workshop: Workshop, use_pickle: bool, caplog: pytest.LogCaptureFixture
) -> None:
    notes, task = signed(workshop, use_pickle=use_pickle)
    bad = []
    others = [
        workshop.again(task, task.func, use_pickle=use_pickle, sign_key="another"),
        workshop.task(task.func, use_pickle=use_pickle, sign_key="key"),
        workshop.task(task.func, task.definition.queue + "2", use_pickle=use_pickle, sign_key="key"),
    ]
    for other in others:
        await other.submit(Touch() if use_pickle else "evil")
        bad += await workshop.peek(other)
        await other.clear_queue()
    await assert_refused(workshop, task, notes, *bad)


@pytest.mark.parametrize("use_pickle", [True, False])
async def test_what_was_changed_since_is_refused(
    workshop: Workshop, use_pickle: bool, caplog: pytest.LogCaptureFixture
) -> None:
    notes, task = signed(workshop, use_pickle=use_pickle)
    await task.submit("true")
    (payload,) = await workshop.peek(task)
    await task.clear_queue()
    bad = [payload[:i] + bytes([payload[i] ^ 1]) + payload[i + 1 :] for i in range(len(payload))]
    bad += [payload[:-1], payload + b" ", b" " + payload, payload * 2, payload + b"\n", payload.upper()]
    await assert_refused(workshop, task, notes, *bad)


async def test_a_signed_payload_may_carry_counts_behind_its_end(workshop: Workshop) -> None:
    # They are outside the signature: whoever can write to Redis can make a task be counted, not make another run.
    for use_pickle in (True, False):
        notes, task = signed(workshop, use_pickle=use_pickle)
        await task.submit("a")
        (payload,) = await workshop.peek(task)
        await task.clear_queue()
        await workshop.put(task, trailer.join(payload, 1, 2))
        await workshop.work_off(task)
        assert notes.calls == ["a"]


async def test_without_a_key_a_signed_payload_is_read(workshop: Workshop) -> None:
    for use_pickle in (True, False):
        notes, task = signed(workshop, use_pickle=use_pickle)
        await task.submit("a")
        await workshop.work_off(workshop.again(task, task.func, use_pickle=use_pickle))
        assert notes.calls == ["a"]


async def test_a_refused_payload_is_not_unpickled_when_it_is_looked_at_or_tried_again(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    notes, task = signed(workshop)
    payload = pickle.dumps({"args": (Touch(),), "kwargs": {}})
    await workshop.put(task, payload)
    for _ in range(2):
        await workshop.work_off(task)
        (letter,) = await task.dead_letters()
        assert (letter.args, letter.kwargs, letter.payload) == (None, None, payload)
        assert await task.retry_dead(letter.id) == 1
    assert notes.calls == []


async def test_keys_show_up_nowhere(workshop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    notes, task = signed(workshop, sign_key="geheim")
    await task.submit("a")
    (payload,) = await workshop.peek(task)
    await workshop.put(task, b"garbage")
    await workshop.work_off(task)
    (letter,) = await task.dead_letters()
    assert b"geheim" not in payload
    assert "geheim" not in caplog.text + repr(task) + repr(letter) + repr(notes.calls)
