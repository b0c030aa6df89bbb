"""Dead letters: what is kept of a task that nobody will run any more, until somebody decides otherwise."""

from __future__ import annotations

from broker_support import Consumer, Producer, Queue, dead, drain, payload_of, payloads, task, token_of


async def with_dead(queue: Queue, *names: str) -> None:
    """Let tasks of these names die; the record of one is its name in capitals."""
    consumer = Consumer(queue.broker())
    await Producer(queue.broker()).push(*(task(name, id=name) for name in names))
    numbers = [delivery.number for delivery in await consumer.fetch(len(names))]
    settlements = [
        dead(number, name, name, name.upper().encode(), b"R") for number, name in zip(numbers, names)
    ]
    await consumer.fetch(0, settle=settlements)


async def test_without_dead_letters(queue: Queue) -> None:
    broker = queue.broker()
    assert await broker.dead_names() == []
    assert await broker.dead([]) == []
    assert await broker.dead(["a", "b"]) == [None, None]
    assert await broker.bury([]) == 0
    assert await broker.bury(["a"]) == 0


async def test_the_names_of_all_or_of_some(queue: Queue) -> None:
    names = ["n%d" % number for number in range(700)]
    await with_dead(queue, *names)
    broker = queue.broker()
    assert sorted(await broker.dead_names()) == sorted(names)
    some = await broker.dead_names(limit=150)
    assert len(set(some)) == 150 and set(some) <= set(names)
    assert len(await broker.dead_names(limit=1000)) == 700
    assert await broker.dead_names(limit=0) == []


async def test_records_come_in_the_order_of_the_names(queue: Queue) -> None:
    await with_dead(queue, *"abc")
    assert await queue.broker().dead(["c", "x", "a"]) == [b"C", None, b"A"]


async def test_what_is_buried_is_gone(queue: Queue) -> None:
    await with_dead(queue, *"abc")
    broker = queue.broker()
    assert await broker.bury(["a", "x", "c"]) == 2
    assert await broker.bury(["a", "b"]) == 1
    assert await broker.counts() == (0, 0, 0, 0)


async def test_who_dies_again_under_the_same_name_leaves_the_last_record(queue: Queue) -> None:
    await with_dead(queue, "a")
    consumer = Consumer(queue.broker())
    await Producer(queue.broker()).push(task(2, id="a"))
    await consumer.fetch()
    await consumer.fetch(0, settle=[dead(1, 2, "a", b"second")])
    assert await queue.broker().dead(["a"]) == [b"second"]
    assert await queue.broker().counts() == (0, 0, 0, 1)


async def test_a_revived_task_is_queued_at_the_back_without_record_or_result(queue: Queue) -> None:
    await with_dead(queue, *"ab")
    broker = queue.broker()
    assert await broker.results(["a", "b"]) == [b"R", b"R"]
    await Producer(broker).push(task(1))
    assert await broker.revive("a", b"A", task("again", id="a"))
    assert await broker.results(["a", "b"]) == [None, b"R"]
    assert await broker.dead_names() == ["b"]
    assert await broker.counts() == (2, 0, 0, 1)
    assert await broker.places([token_of("again")]) == {token_of("again"): "queued"}
    assert await drain(queue) == [*payloads(1), payload_of("again")]


async def test_a_revived_task_may_have_no_id_of_its_own(queue: Queue) -> None:
    await with_dead(queue, "a")
    assert await queue.broker().revive("a", b"A", task("again"))
    assert await queue.broker().results(["a"]) == [None]
    assert await Producer(queue.broker()).push(task(1, id="a")) == [token_of(1)]
    assert await drain(queue) == payloads("again", 1)


async def test_a_task_is_revived_once(queue: Queue) -> None:
    await with_dead(queue, "a")
    broker = queue.broker()
    assert await broker.revive("a", b"A", task("again"))
    assert not await broker.revive("a", b"A", task("again"))
    assert not await broker.revive("nobody", b"", task("never"))
    assert await drain(queue) == payloads("again")


async def test_another_record_than_the_one_that_was_read_is_not_revived(queue: Queue) -> None:
    await with_dead(queue, "a")
    broker = queue.broker()
    assert not await broker.revive("a", b"a", task("again", id="a"))
    assert await broker.dead(["a"]) == [b"A"]
    assert await Producer(broker).push(task(1, id="a")) == [token_of(1)]


async def test_a_dead_letter_whose_id_lives_again_is_not_revived(queue: Queue) -> None:
    await with_dead(queue, "a")
    broker = queue.broker()
    await Producer(broker).push(task(1, id="a"))
    assert not await broker.revive("a", b"A", task("again", id="a"))
    assert await broker.dead(["a"]) == [b"A"]
    assert await drain(queue) == payloads(1)


async def test_a_revived_task_holds_its_id(queue: Queue) -> None:
    await with_dead(queue, "a")
    broker = queue.broker()
    assert await broker.revive("a", b"A", task("again", id="a"))
    assert await Producer(broker).push(task(1, id="a")) == [token_of("again")]
