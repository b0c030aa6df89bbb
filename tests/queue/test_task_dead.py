"""Dead letters: what they tell, and giving them another chance or none."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, List

import pytest
from broker_support import Consumer
from task_support import Workshop, eventually

from nb_aiopool.contrib.nb_aio_task.broker import Settlement

if TYPE_CHECKING:
    from nb_aiopool.contrib.nb_aio_task import AioTask, DeadLetter

pytestmark = pytest.mark.usefixtures("caplog")


class Patient:
    """A task that fails while it is ill."""

    def __init__(self, workshop: Workshop, **options: Any) -> None:
        self.workshop = workshop
        self.ill = True
        self.calls: List[Any] = []

        async def run(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(args)
            if self.ill:
                raise LookupError("%r is ill" % (args,))
            return args

        self.task: AioTask[Any] = workshop.task(run, max_concurrency=1, **options)

    async def die(self, *calls: Any) -> List[DeadLetter]:
        """Submit these, one after another, and have them die."""
        for call in calls:
            await self.task.submit(call)
        await self.workshop.work_off(self.task)
        return await self.task.dead_letters()


@pytest.mark.parametrize("use_pickle", [True, False])
@pytest.mark.parametrize("sign_key", [None, "k"])
async def test_a_dead_letter_tells_all_there_is(workshop: Workshop, use_pickle: bool, sign_key: Any) -> None:
    patient = Patient(workshop, use_pickle=use_pickle, sign_key=sign_key)
    begun = time.time()
    handle = await patient.task.submit(1, "b", key=[None])
    (payload,) = await workshop.peek(patient.task)
    await workshop.work_off(patient.task)
    (letter,) = await patient.task.dead_letters()
    assert letter.id == handle.id
    assert (list(letter.args or ()), letter.kwargs) == ([1, "b"], {"key": [None]})
    assert letter.error.startswith("Traceback") and letter.error.rstrip().endswith("(1, 'b') is ill")
    assert letter.deliveries == 1
    assert begun - 1 <= letter.died_at <= time.time() + 1
    assert letter.payload == payload
    assert await handle.status() == "dead"


async def test_without_any_there_are_none(workshop: Workshop) -> None:
    task = Patient(workshop).task
    assert await task.dead_letters() == []
    assert (await task.retry_dead(), await task.delete_dead()) == (0, 0)
    assert (await task.retry_dead("a"), await task.delete_dead("a", "b")) == (0, 0)


async def test_they_come_in_the_order_in_which_they_died(workshop: Workshop) -> None:
    patient = Patient(workshop)
    letters = await patient.die(*range(30))
    assert [letter.args for letter in letters] == [(i,) for i in range(30)]


async def test_a_limit_is_kept(workshop: Workshop) -> None:
    patient = Patient(workshop)
    await patient.task.submit_many(((i,), {}) for i in range(250))
    await workshop.work_off(patient.task)
    assert len(await patient.task.dead_letters()) == 100
    for limit in (0, 1, 249, 250, 1000):
        assert len(await patient.task.dead_letters(limit)) == min(limit, 250)
    assert (await patient.task.stats()).dead == 250


@pytest.mark.parametrize("limit", [-1, 1.5, "1", None, True])
async def test_a_bad_limit_is_refused(workshop: Workshop, limit: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="limit must be"):
        await Patient(workshop).task.dead_letters(limit)


@pytest.mark.parametrize("method", ["retry_dead", "delete_dead"])
@pytest.mark.parametrize("id_", [3, None, ["a"], b"a"])
async def test_ids_are_strings(workshop: Workshop, method: str, id_: Any) -> None:
    patient = Patient(workshop)
    await patient.die(1)
    with pytest.raises(TypeError, match="ids must be str"):
        await getattr(patient.task, method)(id_)
    assert (await patient.task.stats()).dead == 1


async def test_all_are_tried_again_at_the_back_with_nothing_counted(workshop: Workshop) -> None:
    patient = Patient(workshop, max_retries=1, retry_delay=0.001, result_ttl=60)
    letters = await patient.die(1, 2)
    patient.ill = False
    patient.calls.clear()
    await patient.task.submit(3)
    assert await patient.task.retry_dead() == 2
    assert await patient.task.stats() == (3, 0, 0, 0)
    assert await patient.task.dead_letters() == []
    assert {letter.payload.rstrip() for letter in letters} <= set(await workshop.peek(patient.task))
    await workshop.work_off(patient.task)
    assert patient.calls[0] == (3,)
    assert sorted(patient.calls) == [(1,), (2,), (3,)]


async def test_one_that_is_tried_again_has_all_its_retries_again(workshop: Workshop) -> None:
    patient = Patient(workshop, max_retries=2, retry_delay=0.001)
    await patient.die(1)
    assert len(patient.calls) == 3
    assert await patient.task.retry_dead() == 1
    await workshop.work_off(patient.task)
    assert len(patient.calls) == 6
    (letter,) = await patient.task.dead_letters()
    assert letter.deliveries == 1


async def test_its_result_may_be_waited_for_again(workshop: Workshop) -> None:
    patient = Patient(workshop, result_ttl=60)
    handle = await patient.task.options(id="a").submit(1)
    await workshop.work_off(patient.task)
    assert await handle.status() == "dead"
    patient.ill = False
    await patient.task.retry_dead("a")
    assert await handle.status() == "queued"
    await workshop.work_off(patient.task)
    assert await handle.result() == (1,)
    assert await handle.status() == "done"


@pytest.mark.parametrize("method", ["retry_dead", "delete_dead"])
async def test_those_that_are_named_are_taken_once_and_others_left(workshop: Workshop, method: str) -> None:
    patient = Patient(workshop)
    letters = await patient.die(*range(5))
    names = [letter.id for letter in letters]
    taken = await getattr(patient.task, method)(names[3], "unknown", names[1], names[3])
    assert taken == 2
    assert [letter.id for letter in await patient.task.dead_letters()] == [names[0], names[2], names[4]]
    assert await patient.task.get_queue_size() == (2 if method == "retry_dead" else 0)
    assert await getattr(patient.task, method)(*names) == 3
    assert (await patient.task.stats()).dead == 0


async def test_many_are_taken_at_once(workshop: Workshop) -> None:
    patient = Patient(workshop)
    await patient.task.submit_many(((i,), {}) for i in range(234))
    await workshop.work_off(patient.task)
    assert await patient.task.retry_dead() == 234
    patient.ill = False
    patient.calls.clear()
    await workshop.work_off(patient.task)
    assert sorted(patient.calls) == [(i,) for i in range(234)]


async def test_deleted_ones_are_gone(workshop: Workshop) -> None:
    patient = Patient(workshop)
    await patient.die(*range(3))
    assert await patient.task.delete_dead() == 3
    assert await patient.task.stats() == (0, 0, 0, 0)
    assert await patient.task.retry_dead() == 0


async def test_clearing_the_queue_leaves_dead_letters_alone(workshop: Workshop) -> None:
    patient = Patient(workshop)
    await patient.die(1)
    await patient.task.clear_queue()
    assert await patient.task.stats() == (0, 0, 0, 1)


async def test_one_whose_id_was_taken_meanwhile_stays_until_that_is_free(workshop: Workshop) -> None:
    patient = Patient(workshop)
    await patient.task.options(id="a").submit(1)
    await patient.task.options(id="b").submit(2)
    await workshop.work_off(patient.task)
    await patient.task.options(id="a", delay=1000).submit(3)
    assert await patient.task.retry_dead() == 1
    assert [letter.args for letter in await patient.task.dead_letters()] == [(1,)]
    await patient.task.clear_queue()
    assert await patient.task.retry_dead("a") == 1


async def test_one_that_is_tried_again_has_its_id_and_keeps_others_out(workshop: Workshop) -> None:
    patient = Patient(workshop)
    await patient.task.options(id="a").submit(1)
    await workshop.work_off(patient.task)
    await patient.task.retry_dead()
    second = await patient.task.options(id="a").submit(2)
    assert await second.status() == "queued"
    assert await patient.task.get_queue_size() == 1
    patient.ill = False
    await workshop.work_off(patient.task)
    assert patient.calls == [(1,), (1,)]


async def test_the_letter_of_an_earlier_task_of_an_id_gives_way_to_the_next(workshop: Workshop) -> None:
    patient = Patient(workshop)
    for i in (1, 2):
        await patient.task.options(id="a").submit(i)
        await workshop.work_off(patient.task)
    assert [letter.args for letter in await patient.task.dead_letters()] == [(2,)]


async def bury(workshop: Workshop, task: Any, name: str, record: bytes) -> None:
    """Put a record among the dead, as anybody can who reaches Redis."""
    forger = Consumer(workshop.broker(task))
    await workshop.put(task, b"any")
    (delivery,) = await forger.fetch()
    await forger.fetch(0, settle=[Settlement("dead", delivery.number, name, "", "", record)])
    await forger.leave()


FORGED = [
    b"garbage",
    b"\xff\n\xff",
    b"[]\t\npayload",
    b"{}\t\npayload",
    json.dumps(
        {"name": "x", "token": "t", "given_id": "", "error": "e", "deliveries": 1, "died_at": 1.0}
    ).encode()
    + b"\t\npayload",
]


async def test_a_forged_letter_is_shown_as_such_and_never_tried_again(workshop: Workshop) -> None:
    patient = Patient(workshop, sign_key="k")
    other = workshop.again(patient.task, patient.task.func, sign_key="other")
    await other.submit(1)
    await workshop.work_off(other)
    for i, record in enumerate(FORGED):
        await bury(workshop, patient.task, "f%d" % i, record)
    letters = await patient.task.dead_letters()
    assert len(letters) == len(FORGED) + 1
    for letter in letters:
        assert (letter.args, letter.kwargs) == (None, None)
        assert "not to be trusted" in letter.error
    assert await patient.task.retry_dead() == 0
    assert await patient.task.retry_dead(*(letter.id for letter in letters)) == 0
    assert await patient.task.delete_dead() == len(letters)


async def test_a_letter_that_was_moved_to_another_name_or_queue_is_not_trusted(workshop: Workshop) -> None:
    patient, elsewhere = Patient(workshop, sign_key="k"), Patient(workshop, sign_key="k")
    (letter,) = await patient.die(1)
    broker = workshop.broker(patient.task)
    (record,) = await broker.dead([letter.id])
    assert record is not None
    await bury(workshop, patient.task, "another", record)
    await bury(workshop, elsewhere.task, letter.id, record)
    assert await elsewhere.task.retry_dead() == 0
    assert await patient.task.retry_dead("another") == 0
    assert await patient.task.retry_dead() == 1


async def test_a_broken_letter_harms_no_other(workshop: Workshop) -> None:
    patient = Patient(workshop)
    await patient.die(1)
    await bury(workshop, patient.task, "broken", b"garbage")
    assert {letter.id for letter in await patient.task.dead_letters()} >= {"broken"}
    assert await patient.task.retry_dead() == 1
    await eventually(lambda: only_broken(patient))


async def only_broken(patient: Patient) -> bool:
    return [letter.id for letter in await patient.task.dead_letters()] == ["broken"]
