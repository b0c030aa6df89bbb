"""Waiting for something to fetch, and what becomes of what a wait has taken out of the list."""

from __future__ import annotations

import asyncio
from typing import List

import pytest
from broker_support import Consumer, Producer, Queue, done, drain, payload_of, payloads, task, token_of

from nb_aiopool.contrib.nb_aio_task import trailer
from nb_aiopool.contrib.nb_aio_task.broker import Exchange
from support import turns


async def settled(queue: Queue) -> None:
    """Let a call that was begun just now reach the broker."""
    for _ in range(5):
        await turns(5)
        await queue.broker().counts()


async def test_waiting_ends_at_once_when_there_is_something(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await Producer(queue.broker()).push(task(1))
    await consumer.fetch(0)
    assert await consumer.wait() == payload_of(1)
    assert await consumer.take(2) == payloads(1)


async def test_a_push_ends_the_wait(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await consumer.fetch(0)
    wait = asyncio.ensure_future(consumer.wait())
    await settled(queue)
    assert not wait.done()
    await Producer(queue.broker()).push(task(1), task(2))
    assert await wait == payload_of(1)
    assert await consumer.take(2) == payloads(1, 2)


async def test_what_a_wait_has_brought_is_with_the_consumer(queue: Queue) -> None:
    consumer, broker = Consumer(queue.broker()), queue.broker()
    await Producer(broker).push(task(1), task(2))
    await consumer.fetch(0)
    assert await consumer.wait() == payload_of(1)
    assert await broker.counts() == (1, 1, 0, 0)
    assert await broker.places([token_of(1), token_of(2)]) == {token_of(1): "running", token_of(2): "queued"}
    await broker.clear()
    assert await broker.counts() == (0, 1, 0, 0)
    assert await consumer.take(2) == payloads(1)


async def test_an_exchange_that_does_not_sweep_leaves_what_a_wait_has_brought(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await Producer(queue.broker()).push(task(1), task(2), task(3), task(4))
    await consumer.fetch(0)
    assert await consumer.wait() == payload_of(1)
    assert await consumer.wait() == payload_of(2)
    assert await consumer.take(1, sweep=False) == payloads(3)
    assert await consumer.take(1) == payloads(1)
    assert await consumer.take(5) == payloads(2, 4)


async def test_a_wait_ends_by_itself(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await consumer.fetch(0)
    assert await consumer.wait(0.01) is None
    assert await consumer.wait(0.0) is None


async def test_a_wait_is_ended(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await consumer.fetch(0)
    for early in (False, True):
        wait = asyncio.ensure_future(consumer.wait())
        # It may have come to its first await only.
        await (turns() if early else settled(queue))
        await consumer.broker.end_wait()
        assert await wait is None
    await Producer(queue.broker()).push(task(1))
    assert await consumer.take() == payloads(1)


async def test_ending_a_wait_when_there_is_none_does_nothing(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await consumer.fetch(0)
    await consumer.broker.end_wait()
    await Producer(queue.broker()).push(task(1))
    assert await consumer.wait()


async def test_a_wait_is_ended_for_its_own_broker_only(queue: Queue) -> None:
    one, other = Consumer(queue.broker()), Consumer(queue.broker())
    await one.fetch(0)
    await other.fetch(0)
    waits = [asyncio.ensure_future(one.wait()), asyncio.ensure_future(other.wait())]
    await settled(queue)
    await one.broker.end_wait()
    assert await waits[0] is None
    await settled(queue)
    assert not waits[1].done()
    await Producer(queue.broker()).push(task(1))
    assert await waits[1] == payload_of(1)
    assert await other.take() == payloads(1)


async def test_all_that_wait_get_something_when_there_is_something_for_all(queue: Queue) -> None:
    consumers = [Consumer(queue.broker()) for _ in range(5)]
    for consumer in consumers:
        await consumer.fetch(0)
    taken: List[bytes] = []

    async def consume(consumer: Consumer) -> None:
        while not (got := await consumer.take()):
            assert await consumer.wait()
        taken.extend(got)

    tasks = [asyncio.ensure_future(consume(consumer)) for consumer in consumers]
    await settled(queue)
    producer = Producer(queue.broker())
    for number in range(5):
        await producer.push(task(number))
    await asyncio.gather(*tasks)
    assert sorted(taken) == payloads(*range(5))


async def test_what_is_handed_back_ends_a_wait(queue: Queue) -> None:
    leaver, dier, waiter = (Consumer(queue.broker()) for _ in range(3))
    await Producer(queue.broker()).push(task(1), task(2))
    await leaver.fetch()
    await dier.fetch()
    await waiter.fetch(0)
    wait = asyncio.ensure_future(waiter.wait())
    await settled(queue)
    await leaver.leave()
    assert await wait == payload_of(1)
    assert await waiter.take() == payloads(1)
    wait = asyncio.ensure_future(waiter.wait())
    await settled(queue)
    dier.recover(queue.leases())
    assert await wait == trailer.join(payload_of(2), 1, 0)
    assert await waiter.take() == [trailer.join(payload_of(2), 1, 0)]


async def test_what_was_waited_for_comes_before_what_is_in_the_list(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await Producer(queue.broker()).push(task(1), task(2), task(3))
    await consumer.fetch(0)
    assert await consumer.wait()
    assert await consumer.fetch(0) == []
    assert await consumer.take(2) == payloads(1, 2)


@pytest.mark.parametrize("put_by", [False, True])
async def test_what_was_waited_for_is_handed_back_behind_the_rest_if_it_is_asked_for(
    queue: Queue, put_by: bool
) -> None:
    consumer = Consumer(queue.broker())
    await Producer(queue.broker()).push(task(1), task(2), task(3), task(4))
    await consumer.fetch(2)
    assert await consumer.wait() == payload_of(3)
    assert await consumer.reconcile(1, put_by=put_by) == 2
    back = payloads(2, 3, 4) if put_by else payloads(2, 4)
    assert await drain(queue) == back
    await consumer.leave()
    assert await drain(queue) == (payloads(1) if put_by else payloads(1, 3))


async def test_who_leaves_after_a_wait_takes_nothing_along(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await Producer(queue.broker()).push(task(1), task(2), task(3))
    await consumer.fetch(1)
    assert await consumer.wait()
    await consumer.leave()
    assert consumer.lease_in(queue.leases()) is None
    assert await drain(queue) == payloads(1, 2, 3)


async def test_who_dies_after_a_wait_takes_nothing_along(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await Producer(queue.broker()).push(task(1), task(2))
    await consumer.fetch(0)
    assert await consumer.wait()
    assert consumer.recover(queue.leases()) == 0
    assert await drain(queue) == [trailer.join(payload_of(1), 1, 0), payload_of(2)]


async def test_who_dies_of_what_a_wait_has_brought_beside_another_does_not_blame_that(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await Producer(queue.broker()).push(task(1), task(2))
    await consumer.fetch(1)
    assert await consumer.wait()
    await consumer.fetch(0)
    for _ in range(3):
        assert consumer.recover(queue.leases(), max_deliveries=2) == 0
        consumer = Consumer(queue.broker())
        marked = [trailer.split(payload) for payload in await consumer.take(2)]
        assert marked == [(payload_of(1), 1, 0), (payload_of(2), 1, 0)]


async def test_what_comes_to_a_condemned_consumer_is_handed_back_uncounted(queue: Queue) -> None:
    consumer, leases = Consumer(queue.broker()), queue.leases()
    await consumer.fetch(0)
    wait = asyncio.ensure_future(consumer.wait())
    await settled(queue)
    assert consumer.recover(leases) == 0
    await Producer(queue.broker()).push(task(1))
    await settled(queue)
    assert consumer.recover(leases) == 0
    assert await drain(queue) == payloads(1)
    await consumer.broker.end_wait()
    await wait


async def test_what_was_waited_for_goes_back_behind_what_is_held(queue: Queue) -> None:
    for ending in ("leave", "recover"):
        await Producer(queue.broker()).push(*(task(number) for number in range(6)))
        consumer = Consumer(queue.broker())
        await consumer.fetch(2)
        assert await consumer.wait() == payload_of(2)
        assert await consumer.wait() == payload_of(3)
        if ending == "leave":
            await consumer.leave()
        else:
            assert [consumer.recover(queue.leases(), limit=1) for _ in range(4)] == [3, 2, 1, 0]
        marked = [trailer.split(payload) for payload in await drain(queue)]
        assert [one.body for one in marked] == payloads(*range(6))
        # Who dies may have begun it.
        assert [one.deliveries for one in marked] == ([0] * 6 if ending == "leave" else [1, 1, 1, 1, 0, 0])


async def test_waiting_first_is_served_first(queue: Queue) -> None:
    consumers = [Consumer(queue.broker()) for _ in range(3)]
    waits = []
    for consumer in consumers:
        await consumer.fetch(0)
        waits.append(asyncio.ensure_future(consumer.wait()))
        await settled(queue)
    await Producer(queue.broker()).push(task(1), task(2))
    assert await waits[0] == payload_of(1)
    assert await waits[1] == payload_of(2)
    await consumers[2].broker.end_wait()
    assert await waits[2] is None


async def test_a_task_that_comes_after_a_wait_was_cancelled_is_not_lost(queue: Queue) -> None:
    consumer, leases = Consumer(queue.broker()), queue.leases()
    await consumer.fetch(0)
    wait = asyncio.ensure_future(consumer.wait())
    await settled(queue)
    wait.cancel()
    await asyncio.gather(wait, return_exceptions=True)
    assert wait.cancelled()
    await consumer.leave()
    await Producer(queue.broker()).push(task(1))
    # If its lease was left behind, what the abandoned wait may have taken is recovered.
    lease = consumer.lease_in(leases)
    if lease is not None:
        assert lease.deadline < 0
        assert consumer.recover(leases) == 0
    assert await drain(queue) == payloads(1)


async def test_a_cancelled_wait_may_be_waited_again(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await consumer.fetch(0)
    wait = asyncio.ensure_future(consumer.wait())
    await settled(queue)
    wait.cancel()
    await asyncio.gather(wait, return_exceptions=True)
    again = asyncio.ensure_future(consumer.wait())
    await settled(queue)
    await Producer(queue.broker()).push(task(1), task(2))
    assert await again in payloads(1, 2)  # the cancelled one may have had its turn before
    assert sorted(await consumer.take(2)) == payloads(1, 2)


async def test_closing_a_broker_leaves_it_usable(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await Producer(queue.broker()).push(task(1), task(2))
    assert await consumer.take() == payloads(1)
    for _ in range(2):
        await consumer.broker.close()
    assert await consumer.take() == payloads(2)


# -- Starting at once what a wait has brought ----------------------------------------------------------------------


async def brought(queue: Queue, *labels: object) -> Consumer:
    """A consumer that a wait has brought the first of these tasks."""
    consumer = Consumer(queue.broker())
    await consumer.fetch(0)
    await Producer(queue.broker()).push(*(task(label) for label in labels))
    assert await consumer.wait() == payload_of(labels[0])
    return consumer


async def test_what_was_started_at_once_gets_a_number(queue: Queue) -> None:
    consumer = await brought(queue, 1, 2)
    answer = await consumer.exchange(1, early=1, early_payload=payload_of(1))
    assert answer.early == 1
    assert answer.deliveries == [(2, payload_of(2))]
    await consumer.fetch(0, settle=[done(1, 1, result=b"R")], acks=[2])
    assert await queue.broker().results([token_of(1)]) == [b"R"]
    assert await queue.broker().counts() == (0, 0, 0, 0)


async def test_what_was_started_at_once_and_has_ended_is_forgotten(queue: Queue) -> None:
    consumer = await brought(queue, 1, 2)
    answer = await consumer.exchange(1, early=1, early_payload=payload_of(1), early_ended=True)
    assert answer.early == 0
    assert [delivery.payload for delivery in answer.deliveries] == payloads(2)
    assert await queue.broker().counts() == (0, 1, 0, 0)
    assert await queue.broker().places([token_of(1), token_of(2)]) == {token_of(2): "running"}


async def test_an_early_start_is_taken_note_of_without_sweeping(queue: Queue) -> None:
    consumer = await brought(queue, 1, 2, 3)
    assert await consumer.wait() == payload_of(2)
    answer = await consumer.exchange(5, early=1, early_payload=payload_of(1), sweep=False)
    assert answer.early == 1
    assert [delivery.payload for delivery in answer.deliveries] == payloads(3)
    assert await consumer.take(5) == payloads(2)


@pytest.mark.parametrize("ended", [False, True])
async def test_an_early_start_leaves_alone_what_an_earlier_wait_has_brought(
    queue: Queue, ended: bool
) -> None:
    consumer = await brought(queue, 1, 2, 3)
    assert await consumer.wait() == payload_of(2)
    answer = await consumer.exchange(early=1, early_payload=payload_of(2), early_ended=ended)
    assert answer.early == (0 if ended else 1)
    await consumer.fetch(0, acks=[1])
    assert await queue.broker().places([token_of(1), token_of(2)]) == {token_of(1): "running"}
    assert await consumer.take(5) == payloads(1, 3)


@pytest.mark.parametrize("ended", [False, True])
async def test_an_early_start_takes_effect_once(queue: Queue, ended: bool) -> None:
    consumer = await brought(queue, 1, 2)
    assert await consumer.wait() == payload_of(2)
    await consumer.exchange(early=1, early_payload=payload_of(1), early_ended=ended, answered=False)
    answer = await consumer.exchange(early=1, early_payload=payload_of(1), early_ended=ended)
    assert answer.early == (0 if ended else 1)
    assert answer.stray == (not ended)  # the answer that has told of a number was lost
    assert await queue.broker().counts() == (0, 1 if ended else 2, 0, 0)
    await consumer.reconcile()
    assert (await consumer.exchange(early=2, early_payload=payload_of(2))).early == consumer.last > 0


async def test_an_early_start_that_was_not_heard_of_is_handed_back(queue: Queue) -> None:
    consumer = await brought(queue, 1, 2)
    await consumer.exchange(1, early=1, early_payload=payload_of(1), answered=False)
    assert (await consumer.exchange(1, early=1, early_payload=payload_of(1))).stray
    assert await consumer.reconcile() == 2
    assert await drain(queue) == payloads(1, 2)


async def test_an_early_start_whose_answer_was_lost_is_not_handed_back_with_the_rest(queue: Queue) -> None:
    consumer = await brought(queue, 1, 2)
    await consumer.exchange(1, early=1, early_payload=payload_of(1), answered=False)
    for _ in range(2):
        assert await consumer.reconcile(early=1) == 2
        assert await queue.broker().counts() == (1, 1, 0, 0)
    answer = await consumer.exchange(1, early=1, early_payload=payload_of(1), early_ended=True)
    assert (answer.early, answer.stray) == (1, False)
    assert answer.deliveries == [(3, payload_of(2))]
    await consumer.exchange(acks=[1])
    await consumer.reconcile(early=1)
    assert await drain(queue) == payloads(2)


async def test_an_early_start_is_noted_when_another_answer_was_lost(queue: Queue) -> None:
    consumer = await brought(queue, 1, 2)
    await consumer.exchange(1, sweep=False, answered=False)
    answer = await consumer.exchange(1, early=1, early_payload=payload_of(1))
    assert answer.stray and answer.early == 2
    await consumer.reconcile(2)
    assert await consumer.take(2) == payloads(2)
    await consumer.leave()
    assert await drain(queue) == payloads(1, 2)


async def test_an_early_start_of_what_was_recovered_does_not_count(queue: Queue) -> None:
    consumer = await brought(queue, 1)
    consumer.recover(queue.leases())
    assert await consumer.exchange(early=1, early_payload=payload_of(1), early_ended=True) == Exchange(
        [], lost=True
    )
    assert await drain(queue) == [trailer.join(payload_of(1), 1, 0)]


async def test_an_early_start_of_nothing_is_nothing(queue: Queue) -> None:
    consumer = Consumer(queue.broker())
    await consumer.fetch(0)
    await Producer(queue.broker()).push(task(1))
    answer = await consumer.exchange(1, early=1, early_payload=payload_of(1))
    assert answer.early == 0
    assert answer.deliveries == [(1, payload_of(1))]


async def test_an_early_start_is_a_delivery_like_others(queue: Queue) -> None:
    consumer = await brought(queue, 1)
    assert (await consumer.exchange(early=1, early_payload=payload_of(1))).early == 1
    assert consumer.recover(queue.leases()) == 0
    assert await drain(queue) == [trailer.join(payload_of(1), 1, 0)]
