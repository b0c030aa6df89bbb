"""Tasks that are to be run later: they are queued by whoever exchanges after they have become due."""

from __future__ import annotations

from broker_support import Consumer, MemoryQueue, Producer, Queue, drain, payloads, retry, task

from nb_aiopool.contrib.nb_aio_task.limits import DUE_AT_ONCE


async def test_a_delayed_task_is_not_in_the_list_before_it_is_due(queue: Queue) -> None:
    await Producer(queue.broker()).push(task(1, delay=60.0), task(2))
    assert await drain(queue) == payloads(2)
    assert await queue.broker().counts() == (0, 1, 1, 0)


async def test_a_task_that_has_become_due_is_fetched_by_the_next_exchange(queue: Queue) -> None:
    await Producer(queue.broker()).push(task(1, delay=0.02))
    await queue.later(0.03)
    assert await queue.broker().counts() == (0, 0, 1, 0)
    assert await drain(queue) == payloads(1)
    assert await queue.broker().counts() == (0, 1, 0, 0)


async def test_due_tasks_are_queued_in_the_order_in_which_they_are_due_behind_the_list(queue: Queue) -> None:
    producer = Producer(queue.broker())
    await producer.push(*(task(number, delay=number / 1000) for number in (7, 3, 5, 1, 9)), task(0))
    await queue.later(0.02)
    await producer.push(task(10))
    assert await drain(queue) == payloads(0, 10, 1, 3, 5, 7, 9)


async def test_an_exchange_that_fetches_nothing_queues_what_is_due(queue: Queue) -> None:
    await Producer(queue.broker()).push(task(1, delay=0.0))
    assert await Consumer(queue.broker()).fetch(0) == []
    assert await queue.broker().counts() == (1, 0, 0, 0)


async def test_no_delay_at_all_still_goes_by_way_of_the_next_exchange(queue: Queue) -> None:
    await Producer(queue.broker()).push(task(1, delay=0.0), task(2))
    assert await queue.broker().counts() == (1, 0, 1, 0)
    assert await drain(queue) == payloads(2, 1)


async def test_the_answer_tells_when_the_next_task_is_due(queue: Queue) -> None:
    producer, consumer = Producer(queue.broker()), Consumer(queue.broker())
    assert (await consumer.exchange()).next_due is None
    await producer.push(task(1, delay=1000.0), task(2, delay=50.0))
    due = (await consumer.exchange()).next_due
    assert due is not None and 30.0 < due <= 50.0
    await producer.push(task(3, delay=0.0))
    due = (await consumer.exchange(1)).next_due
    assert due is not None and 30.0 < due <= 50.0
    await queue.broker().clear()
    assert (await consumer.exchange()).next_due is None


async def test_an_answer_that_fetches_nothing_because_one_was_lost_tells_it_as_well(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await Producer(queue.broker()).push(task(1), task(2, delay=50.0))
    await consumer.fetch(0)
    await consumer.exchange(1, answered=False)
    answer = await consumer.exchange(1)
    assert answer.stray and answer.next_due is not None and 30.0 < answer.next_due <= 50.0


async def test_one_exchange_queues_a_bounded_number_of_due_tasks(queue: Queue) -> None:
    producer, consumer = Producer(queue.broker()), Consumer(queue.broker())
    await producer.push(*(task(number, delay=0.0) for number in range(DUE_AT_ONCE + 5)))
    await queue.later(0.002)
    assert (await consumer.exchange()).next_due == 0
    assert await queue.broker().counts() == (DUE_AT_ONCE, 0, 5, 0)
    assert (await consumer.exchange()).next_due is None
    assert sorted(await drain(queue)) == sorted(payloads(*range(DUE_AT_ONCE + 5)))


async def test_a_retry_becomes_due_as_a_delayed_task_does(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await Producer(queue.broker()).push(task(1))
    await consumer.fetch()
    answer = await consumer.exchange(1, settle=[retry(1, 1, delay=0.02)])
    assert answer.deliveries == [] and answer.next_due is not None and answer.next_due <= 0.02
    await queue.later(0.03)
    assert await consumer.take() == payloads(1)


async def test_a_hundred_thousand_delayed_tasks(memory: MemoryQueue) -> None:
    count = 100_000
    producer, consumer = Producer(memory.broker()), Consumer(memory.broker())
    await producer.push(*(task(n, delay=(n * 7919 % count) / 100) for n in range(count)))
    seen = []
    for _ in range(count // DUE_AT_ONCE):
        assert (await memory.broker().counts()).delayed == count - len(seen)
        await memory.later(DUE_AT_ONCE / 100)
        fetched = await consumer.fetch(
            count, acks=range(max(1, consumer.last - 2 * DUE_AT_ONCE), consumer.last + 1)
        )
        seen += [delivery.payload for delivery in fetched]
    assert seen == payloads(*sorted(range(count), key=lambda n: n * 7919 % count))
