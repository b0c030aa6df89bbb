"""Where tasks are and how many, and clearing the queue."""

from __future__ import annotations

import asyncio
from typing import List

from broker_support import Consumer, Producer, Queue, dead, done, drain, payloads, retry, task, token_of

from nb_aiopool.contrib.nb_aio_task.broker import Exchange, Settlement


async def places(queue: Queue, *labels: object) -> str:
    """The places of these tasks, by their first letters; "-" is nowhere."""
    found = await queue.broker().places([token_of(label) for label in labels])
    assert set(found) <= {token_of(label) for label in labels}
    return "".join(found.get(token_of(label), "-")[0] for label in labels)


async def test_an_empty_queue(queue: Queue) -> None:
    broker = queue.broker()
    assert await broker.counts() == (0, 0, 0, 0)
    assert await broker.size() == 0
    assert await broker.places([]) == {}
    assert await broker.places([token_of(1)]) == {}
    await broker.clear()


async def test_where_a_task_is_all_its_life(queue: Queue) -> None:
    producer, consumer = Producer(queue.broker()), Consumer(queue.broker())
    assert await places(queue, 1, 2, 3) == "---"
    await producer.push(task(1), task(2), task(3, delay=60.0))
    assert await places(queue, 1, 2, 3) == "qqd"
    await consumer.fetch()
    assert await places(queue, 1, 2, 3) == "rqd"
    await consumer.fetch(1, settle=[retry(1, 1, delay=60.0)])
    assert await places(queue, 1, 2, 3) == "drd"
    await consumer.fetch(1, settle=[dead(2, 2)])
    assert await places(queue, 1, 2, 3) == "d-d"
    await producer.push(task(4))
    await consumer.fetch()
    await consumer.fetch(0, settle=[done(3, 4, result=b"R")])
    assert await places(queue, 4) == "-"


async def test_where_a_delayed_task_is_when_it_is_due(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await Producer(queue.broker()).push(task(1, delay=0.0))
    await consumer.fetch(0)
    assert await places(queue, 1) == "q"
    await consumer.fetch()
    assert await places(queue, 1) == "r"
    await consumer.fetch(0, acks=[1])
    assert await places(queue, 1) == "-"


async def test_where_a_task_is_that_was_handed_back(queue: Queue) -> None:
    consumer, leases = Consumer(queue.broker()), queue.leases()
    await Producer(queue.broker()).push(task(1), task(2), task(3))
    await consumer.fetch(3)
    await consumer.reconcile(1, 2)
    assert await places(queue, 1, 2, 3) == "rrq"
    assert consumer.recover(leases, limit=1) == 1
    assert await places(queue, 1, 2, 3) == "rqq"
    assert consumer.recover(leases) == 0
    assert await places(queue, 1, 2, 3) == "qqq"


async def test_where_a_task_is_in_a_long_list(queue: Queue) -> None:
    await Producer(queue.broker()).push(*(task(number) for number in range(3_500)))
    assert await places(queue, 0, 999, 1000, 1001, 2499, 2500, 2501, 3499, 3500) == "qqqqqqqq-"


async def test_the_places_are_spelled_out(queue: Queue) -> None:
    await Producer(queue.broker()).push(task(1, id="a"), task(2), task(3, delay=60.0))
    await Consumer(queue.broker()).fetch(1)
    places = {token_of(1): "running", token_of(2): "queued", token_of(3): "delayed"}
    assert await queue.broker().places([*places, token_of(1), token_of(4)]) == places


async def test_a_task_that_moves_on_is_not_missed(queue: Queue) -> None:
    # Long enough for a broker that reads the list in portions, while all that it reads moves from the front to the end.
    count = 2_400
    await Producer(queue.broker()).push(*(task(number) for number in range(count)))
    labels = {token_of(number): number for number in range(count)}
    mover, broker, stop = Consumer(queue.broker()), queue.broker(), asyncio.Event()

    async def move() -> None:
        settlements: List[Settlement] = []
        while not stop.is_set():
            deliveries = await mover.fetch(50, settle=settlements)
            found = [(number, labels[payload[-34:-2].decode()]) for number, payload in deliveries]
            settlements = [retry(number, label) for number, label in found]

    moving = asyncio.ensure_future(move())
    for number in range(0, count, 40):
        tokens = [token_of(number + i) for i in range(40)]
        assert set(await broker.places(tokens)) == set(tokens)
        await asyncio.sleep(0)
    stop.set()
    await moving


async def test_counts_are_of_all_consumers(queue: Queue) -> None:
    broker = queue.broker()
    await Producer(broker).push(*(task(number) for number in range(9)), task(9, delay=60.0))
    one, other = Consumer(queue.broker()), Consumer(queue.broker())
    await one.fetch(2)
    await other.fetch(3)
    await one.fetch(0, settle=[dead(1, 0)])
    assert await broker.counts() == (4, 4, 1, 1)
    assert await broker.size() == 4


async def test_queues_of_different_names_have_nothing_in_common(queue: Queue) -> None:
    other = type(queue).__new__(type(queue))
    other.__dict__.update(queue.__dict__, list_name=queue.list_name + "2")
    await Producer(queue.broker()).push(task(1, id="a"), task(2, delay=60.0))
    assert await Producer(other.broker()).push(task(3, id="a")) == [token_of(3)]
    await other.broker().clear()
    assert await queue.broker().counts() == (1, 0, 1, 0)


# -- Clearing ------------------------------------------------------------------------------------------------------


async def test_clearing_drops_what_is_queued_and_delayed(queue: Queue) -> None:
    broker, consumer = queue.broker(), Consumer(queue.broker())
    await Producer(broker).push(task(1), task(2), task(3, delay=60.0), task(4, delay=0.0))
    await consumer.fetch(1)
    await broker.clear()
    assert await broker.counts() == (0, 1, 0, 0)
    assert await consumer.exchange(5) == Exchange([])
    assert await places(queue, 1, 2, 3, 4) == "r---"


async def test_clearing_keeps_dead_letters_and_results(queue: Queue) -> None:
    broker, consumer = queue.broker(), Consumer(queue.broker())
    await Producer(broker).push(task(1), task(2))
    await consumer.fetch(2)
    await consumer.fetch(0, settle=[dead(1, 1), done(2, 2, result=b"R")])
    await broker.clear()
    assert await broker.counts() == (0, 0, 0, 1)
    assert await broker.results([token_of(2)]) == [b"R"]


async def test_clearing_frees_the_ids_of_what_it_drops_and_no_others(queue: Queue) -> None:
    broker, consumer = queue.broker(), Consumer(queue.broker())
    producer = Producer(broker)
    await producer.push(task(1, id="runs"), task(2, id="queued"), task(3, id="delayed", delay=60.0))
    await consumer.fetch(1)
    await broker.clear()
    again = [task(4, id="runs"), task(5, id="queued"), task(6, id="delayed")]
    assert await producer.push(*again) == [token_of(1), token_of(5), token_of(6)]
    assert await drain(queue) == payloads(5, 6)


async def test_clearing_frees_no_id_that_is_taken_meanwhile(queue: Queue) -> None:
    producer, other, broker = Producer(queue.broker()), Producer(queue.broker()), queue.broker()
    labels = [str(number) for number in range(20)]

    async def push() -> None:
        for label in labels:
            await producer.push(task(label, id=label))

    for _ in range(20):
        await producer.push(*(task(number, id="old %d" % number) for number in range(1000)))
        await asyncio.gather(broker.clear(), push())
        left = [label for label in labels if await places(queue, label) == "q"]
        tokens = await other.push(*(task("again", id=label) for label in left))
        assert tokens == [token_of(label) for label in left]
        await broker.clear()


async def test_clearing_frees_ids_by_the_thousands_and_not_those_of_what_runs(queue: Queue) -> None:
    producer, broker = Producer(queue.broker()), queue.broker()
    tasks = [task(number, id=str(number)) for number in range(3_000)]
    await producer.push(*tasks)
    await Consumer(queue.broker()).fetch(10)
    await broker.clear()
    again = [task(("again", number), id=str(number)) for number in range(3_000)]
    expected = [*(one.token for one in tasks[:10]), *(one.token for one in again[10:])]
    assert await producer.push(*again) == expected
    assert await broker.counts() == (2_990, 10, 0, 0)


async def test_what_runs_while_the_queue_is_cleared_goes_on(queue: Queue) -> None:
    broker, consumer, leases = queue.broker(), Consumer(queue.broker()), queue.leases()
    await Producer(broker).push(task(1), task(2), task(3))
    await consumer.fetch(3)
    await broker.clear()
    await consumer.fetch(0, settle=[done(1, 1, result=b"R")])
    assert await broker.results([token_of(1)]) == [b"R"]
    assert consumer.recover(leases) == 0
    assert await broker.counts() == (2, 0, 0, 0)


async def test_many_ids_are_freed(queue: Queue) -> None:
    broker = queue.broker()
    producer = Producer(broker)
    await producer.push(*(task(number, id=str(number)) for number in range(2_500)))
    await broker.clear()
    again = [task((number, 2), id=str(number)) for number in range(2_500)]
    assert await producer.push(*again) == [one.token for one in again]
