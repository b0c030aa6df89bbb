"""What producers do: batches take effect once, in order, and ids are unique while their tasks live."""

from __future__ import annotations

import asyncio
import random

from broker_support import Consumer, Producer, Queue, dead, done, drain, payloads, retry, task, token_of

from nb_aiopool.contrib.nb_aio_task.broker import Submission


async def test_tasks_are_fetched_in_the_order_in_which_they_were_pushed(queue: Queue) -> None:
    first, second = Producer(queue.broker()), Producer(queue.broker())
    await first.push(task(1), task(2))
    await second.push(task(3))
    await first.push(task(4), task(5))
    assert await drain(queue) == payloads(1, 2, 3, 4, 5)


async def test_push_returns_the_tokens_of_the_tasks(queue: Queue) -> None:
    assert await Producer(queue.broker()).push(task(1), task(2, id="a"), task(3, delay=60.0)) == [
        token_of(1),
        token_of(2),
        token_of(3),
    ]


async def test_an_empty_batch_is_a_batch(queue: Queue) -> None:
    producer = Producer(queue.broker())
    assert await producer.push() == []
    await producer.push(task(1))
    assert await drain(queue) == payloads(1)


async def test_a_batch_that_is_pushed_again_takes_effect_once(queue: Queue) -> None:
    producer = Producer(queue.broker())
    for _ in range(3):
        tokens = await producer.push(task(producer.sequence), task((producer.sequence, 2)))
        again = (task(producer.sequence - 1), task((producer.sequence - 1, 2)))
        assert await producer.repeat(*again) == tokens
        assert await producer.repeat(*again) == tokens
    assert await drain(queue) == payloads(0, (0, 2), 1, (1, 2), 2, (2, 2))


async def test_a_batch_that_is_pushed_again_after_it_was_consumed_is_not_queued_again(queue: Queue) -> None:
    producer = Producer(queue.broker())
    await producer.push(task(1), task(2, delay=60.0))
    assert await drain(queue) == payloads(1)
    await queue.broker().clear()
    await producer.repeat(task(1), task(2, delay=60.0))
    assert await queue.broker().counts() == (0, 1, 0, 0)


async def test_producers_number_their_batches_independently(queue: Queue) -> None:
    one, other = Producer(queue.broker()), Producer(queue.broker())
    one.sequence = 10
    await one.push(task(1))
    await other.push(task(2))
    assert await drain(queue) == payloads(1, 2)


async def test_any_bytes_come_out_as_they_went_in(queue: Queue) -> None:
    rng = random.Random(7)
    bodies = [
        b"\r\n",
        b"\x00",
        b"\xff" * 3,
        b"a\r \t\rb\n",
        b"$-1\r\n",
        b" ",
        bytes(range(256)),
        b"x" * 300_000,
    ]
    bodies += [rng.getrandbits(8 * n).to_bytes(n, "big") for n in range(1, 200)]
    await Producer(queue.broker()).push(
        *(Submission(body, token_of(number)) for number, body in enumerate(bodies))
    )
    assert await drain(queue) == bodies


async def test_batches_may_be_large(queue: Queue) -> None:
    producer = Producer(queue.broker())
    await producer.push(*(task(i) for i in range(9_000)))
    await producer.push(*(task(i, id=str(i)) for i in range(9_000, 18_000)))
    assert await queue.broker().size() == 18_000
    assert await drain(queue) == payloads(*range(18_000))


async def test_pushes_at_the_same_time_are_all_queued(queue: Queue) -> None:
    broker = queue.broker()
    producers = [Producer(broker) for _ in range(20)]
    await asyncio.gather(*(producer.push(task(number)) for number, producer in enumerate(producers)))
    assert sorted(await drain(queue)) == sorted(payloads(*range(20)))


# -- Ids -----------------------------------------------------------------------------------------------------------


async def test_an_id_is_one_task_while_that_is_queued(queue: Queue) -> None:
    producer = Producer(queue.broker())
    await producer.push(task(1, id="a"))
    assert await producer.push(task(2, id="a"), task(3, id="b"), task(4)) == [
        token_of(1),
        token_of(3),
        token_of(4),
    ]
    assert await Producer(queue.broker()).push(task(5, id="a", delay=60.0)) == [token_of(1)]
    assert await queue.broker().counts() == (3, 0, 0, 0)
    assert await drain(queue) == payloads(1, 3, 4)


async def test_an_id_that_stands_twice_in_a_batch_is_one_task(queue: Queue) -> None:
    tokens = await Producer(queue.broker()).push(task(1, id="a"), task(2, id="a"))
    assert tokens == [token_of(1), token_of(1)]
    assert await drain(queue) == payloads(1)


async def test_a_batch_with_ids_is_answered_alike_when_pushed_again(queue: Queue) -> None:
    await Producer(queue.broker()).push(task(0, id="taken"))
    producer = Producer(queue.broker())
    batch = [task(1, id="taken"), task(2, id="free"), task(3), task(4, id="later", delay=60.0)]
    tokens = await producer.push(*batch)
    assert tokens == [token_of(0), token_of(2), token_of(3), token_of(4)]
    assert await producer.repeat(*batch) == tokens
    assert await queue.broker().counts() == (3, 0, 1, 0)


async def test_a_batch_is_answered_alike_when_pushed_again_after_its_ids_were_freed_or_taken(
    queue: Queue,
) -> None:
    await Producer(queue.broker()).push(task(0, id="taken"), task(1, id="taken too"))
    producer = Producer(queue.broker())
    batch = [task(2), task(3, id="free"), task(4, id="taken"), task(5, id="taken too"), task(6, id="free")]
    tokens = await producer.push(*batch)
    assert tokens == [token_of(2), token_of(3), token_of(0), token_of(1), token_of(3)]
    consumer = Consumer(queue.broker())
    await consumer.fetch(4)
    await consumer.fetch(0, settle=[done(1, 0, "taken"), done(2, 1, "taken too"), done(4, 3, "free")])
    await Producer(queue.broker()).push(task(7, id="free"), task(8, id="taken"))
    assert await producer.repeat(*batch) == tokens
    assert await queue.broker().counts() == (2, 1, 0, 0)
    await producer.push(task(9, id="taken"))
    assert await producer.push(task(10)) == [token_of(10)]


async def test_an_id_stays_taken_while_its_task_is_delayed_or_runs(queue: Queue) -> None:
    producer, consumer = Producer(queue.broker()), Consumer(queue.broker())
    await producer.push(task(1, id="delayed", delay=60.0), task(2, id="running"))
    assert await consumer.take() == payloads(2)
    assert await producer.push(task(3, id="delayed"), task(4, id="running")) == [token_of(1), token_of(2)]
    assert await queue.broker().counts() == (0, 1, 1, 0)


async def test_an_id_is_free_again_when_its_task_is_done_or_dead(queue: Queue) -> None:
    producer, consumer = Producer(queue.broker()), Consumer(queue.broker())
    await producer.push(task(1, id="a"), task(2, id="b"))
    await consumer.fetch(2)
    await consumer.fetch(0, settle=[done(1, 1, "a"), dead(2, 2, "b")])
    assert await producer.push(task(3, id="a"), task(4, id="b")) == [token_of(3), token_of(4)]
    assert await drain(queue) == payloads(3, 4)


async def test_an_id_stays_taken_over_a_retry_and_a_hand_back(queue: Queue) -> None:
    producer, consumer = Producer(queue.broker()), Consumer(queue.broker())
    await producer.push(task(1, id="a"), task(2, id="b"))
    await consumer.fetch(2)
    await consumer.fetch(0, settle=[retry(1, 1, "a", delay=60.0)])
    await consumer.leave()
    assert await producer.push(task(3, id="a"), task(4, id="b")) == [token_of(1), token_of(2)]
    assert await queue.broker().counts() == (1, 0, 1, 0)


async def test_a_task_frees_only_an_id_that_is_still_its_own(queue: Queue) -> None:
    producer, late, consumer = (
        Producer(queue.broker()),
        Consumer(queue.broker()),
        Consumer(queue.broker()),
    )
    await producer.push(task(1, id="a"))
    await late.fetch()
    late.recover(queue.leases())
    await consumer.fetch()
    await consumer.fetch(0, settle=[done(1, 1, "a")])
    await producer.push(task(2, id="a"))
    # A foreign payload was fetched under the same id: its end says nothing about the task that has it now.
    await producer.push(task(3))
    assert (await late.exchange(settle=[done(1, 1, "a")])).lost
    await consumer.fetch(2)
    await consumer.fetch(0, settle=[done(3, 3, "a")])
    assert await producer.push(task(4, id="a")) == [token_of(2)]


async def test_a_new_task_of_an_id_begins_without_the_result_of_the_last_one(queue: Queue) -> None:
    producer, consumer = Producer(queue.broker()), Consumer(queue.broker())
    await producer.push(task(1, id="a"))
    await consumer.fetch()
    await consumer.fetch(0, settle=[done(1, 1, "a", result=b"old")])
    assert await queue.broker().results(["a"]) == [b"old"]
    await producer.push(task(2, id="a"))
    assert await queue.broker().results(["a"]) == [None]
    assert await producer.push(task(3, id="a")) == [token_of(2)]
