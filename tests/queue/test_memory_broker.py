"""What is particular to queues inside the process: the clock, names, threads, loops that were closed, forks."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, List, Optional

import pytest
from broker_support import (
    Consumer,
    MemoryQueue,
    Producer,
    dead,
    done,
    drain,
    payload_of,
    payloads,
    retry,
    task,
    token_of,
)

from nb_aiopool.contrib.nb_aio_task import trailer
from nb_aiopool.contrib.nb_aio_task.broker import Exchange
from nb_aiopool.contrib.nb_aio_task.limits import CONDEMNED_SECONDS, PRODUCER_SECONDS, UNIQUE_SECONDS
from nb_aiopool.contrib.nb_aio_task.memory_broker import MemoryBroker
from support import turns
from threads import at_once, await_in, running, until

# -- Names ---------------------------------------------------------------------------------------------------------


async def test_brokers_share_what_their_url_and_queue_name() -> None:
    memory = MemoryQueue("a-name-of-its-own")
    await Producer(memory.broker()).push(task(1))
    same = MemoryBroker(memory.url, memory.list_name)
    assert await same.size() == 1
    for url, name in (
        (memory.url + "2", memory.list_name),
        ("memory://", memory.list_name),
        (memory.url, "other"),
    ):
        assert await MemoryBroker(url, name).size() == 0


@pytest.mark.parametrize("url", ["redis://localhost", "memory:", "memory:/", "", "Memory://", " memory://"])
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="names no memory"):
        MemoryBroker(url, "queue")


async def test_the_queue_outlives_its_brokers() -> None:
    memory = MemoryQueue()
    await Producer(memory.broker()).push(task(1), task(2))
    await memory.close()
    del memory._brokers[:]
    assert await drain(memory) == payloads(1, 2)


def test_one_queue_over_several_runs(run_loop: Callable[..., Any]) -> None:
    memory = MemoryQueue()
    broker = memory.broker()

    async def waits() -> Optional[bytes]:
        return await broker.wait("nobody", 0.001)

    for number in range(3):
        assert run_loop(waits()) is None
        run_loop(broker.push("producer", number, [task(number)]))
        assert run_loop(drain(memory)) == payloads(number)


# -- The clock -----------------------------------------------------------------------------------------------------


async def test_the_usual_clock_is_real() -> None:
    memory = MemoryQueue()
    broker = MemoryBroker(memory.url, memory.list_name)
    leases = broker.leases()
    leases.seen()
    before = leases.now()
    await Producer(broker).push(task(1, delay=0.01))
    while not await Consumer(broker).fetch():
        await asyncio.sleep(0.001)
    leases.seen()
    assert leases.now() >= before + 10


async def test_a_delayed_task_is_due_exactly_then(memory: MemoryQueue) -> None:
    consumer = Consumer(memory.broker())
    await Producer(memory.broker()).push(task(1, delay=10.0), task(2, delay=10.001))
    await memory.later(9.999)
    assert await consumer.exchange(5) == Exchange([], next_due=0.001)
    memory.time = 1010.0
    assert await consumer.take(5) == payloads(1)
    memory.time = 1010.001
    assert await consumer.take(5) == payloads(2)


async def test_tasks_that_are_due_at_the_same_time_are_queued_as_they_came(memory: MemoryQueue) -> None:
    await Producer(memory.broker()).push(*(task(number, delay=1.0) for number in range(50)))
    await memory.later(1.0)
    assert await drain(memory) == payloads(*range(50))


async def test_an_id_is_free_after_a_week(memory: MemoryQueue) -> None:
    producer = Producer(memory.broker())
    await producer.push(task(1, id="a"), task(2, id="later", delay=1000.0))
    await memory.later(UNIQUE_SECONDS - 1)
    assert await producer.push(task(3, id="a"), task(4, id="later")) == [token_of(1), token_of(2)]
    await memory.later(1)
    # A delayed task keeps it for as long after its delay.
    assert await producer.push(task(5, id="a"), task(6, id="later")) == [token_of(5), token_of(2)]
    await memory.later(1000)
    assert await producer.push(task(7, id="a"), task(8, id="later")) == [token_of(5), token_of(8)]


async def test_a_retry_keeps_its_id_for_another_week(memory: MemoryQueue) -> None:
    producer, consumer = Producer(memory.broker()), Consumer(memory.broker())
    await producer.push(task(1, id="a"))
    await consumer.fetch()
    await memory.later(UNIQUE_SECONDS - 1)
    await consumer.fetch(0, settle=[retry(1, 1, "a", delay=1000.0)])
    await memory.later(UNIQUE_SECONDS + 999)
    assert await producer.push(task(2, id="a")) == [token_of(1)]
    await memory.later(1)
    assert await producer.push(task(3, id="a")) == [token_of(3)]


async def test_a_retry_does_not_take_an_id_that_expired_and_was_given_away(memory: MemoryQueue) -> None:
    producer, consumer = Producer(memory.broker()), Consumer(memory.broker())
    await producer.push(task(1, id="a"))
    await consumer.fetch()
    await memory.later(UNIQUE_SECONDS)
    await producer.push(task(2, id="a"))
    await consumer.fetch(0, settle=[retry(1, 1, "a")])
    assert await producer.push(task(3, id="a")) == [token_of(2)]


async def test_the_end_of_an_earlier_task_does_not_free_the_id_of_a_later_one(memory: MemoryQueue) -> None:
    producer, consumer = Producer(memory.broker()), Consumer(memory.broker())
    await producer.push(task(1, id="a"), task(2, id="b"))
    await consumer.fetch(2)
    await memory.later(UNIQUE_SECONDS)
    await producer.push(task(3, id="a"), task(4, id="b"))
    await consumer.fetch(0, settle=[done(1, 1, "a"), dead(2, 2, "b")])
    assert await producer.push(task(5, id="a"), task(6, id="b")) == [token_of(3), token_of(4)]


async def test_a_batch_is_known_again_for_a_week(memory: MemoryQueue) -> None:
    producer = Producer(memory.broker())
    await producer.push(task(1))
    await memory.later(PRODUCER_SECONDS - 1)
    await producer.push(task(2))
    await memory.later(PRODUCER_SECONDS - 1)
    await producer.repeat(task(2))
    assert await memory.broker().size() == 2
    await memory.later(1)
    await producer.repeat(task(2))
    assert await memory.broker().size() == 3


async def test_a_result_is_there_until_it_expires(memory: MemoryQueue) -> None:
    consumer = Consumer(memory.broker())
    await Producer(memory.broker()).push(task(1))
    await consumer.fetch()
    await consumer.fetch(0, settle=[done(1, 1, result=b"R", ttl=5.0)])
    await memory.later(4.999)
    assert await memory.broker().results([token_of(1)]) == [b"R"]
    memory.time = 1005.0
    assert await memory.broker().results([token_of(1)]) == [None]


async def test_deadlines_are_as_long_as_the_lease(memory: MemoryQueue) -> None:
    consumer, leases = Consumer(memory.broker(), lease=12.5), memory.leases()
    assert leases.now() == 0
    await consumer.fetch(0)
    assert consumer.lease_in(leases) == (consumer.name, 1_012_500)
    await memory.later(20.0)
    assert leases.renew(consumer.name, 3.0)
    assert consumer.lease_in(leases) == (consumer.name, 1_023_000)
    assert leases.now() == 1_020_000


async def test_a_recovered_consumer_is_forgotten_in_the_end(memory: MemoryQueue) -> None:
    consumer, leases = Consumer(memory.broker()), memory.leases()
    memory.time = 0.0
    await consumer.fetch(0)
    assert consumer.recover(leases) == 0
    await memory.later(CONDEMNED_SECONDS)
    assert consumer.recover(leases) == 0
    lease = consumer.lease_in(leases)
    assert lease is not None and lease.deadline < 0
    await memory.later(1.0)
    assert consumer.recover(leases) == 0
    assert list(leases.seen()) == []


# -- Threads and loops ---------------------------------------------------------------------------------------------


def test_threads_share_a_queue(loop_factory: Callable[[], Any]) -> None:
    memory, count, producers = MemoryQueue(), 300, 2
    taken: List[List[bytes]] = [[], []]

    async def produce(number: int) -> None:
        producer = Producer(memory.broker())
        for i in range(count):
            await producer.push(task((number, i), id="%d-%d" % (number, i)))

    async def consume(number: int) -> None:
        consumer, broker = Consumer(memory.broker()), memory.broker()
        acks: List[int] = []
        while sum(map(len, taken)) < producers * count:
            deliveries = await consumer.fetch(7, acks=acks)
            taken[number] += [delivery.payload for delivery in deliveries]
            acks = [delivery.number for delivery in deliveries]
            if not deliveries:
                await consumer.wait()
        await consumer.fetch(0, acks=acks)
        await consumer.leave()
        await broker.push("end-%d" % number, 1, [task("end")])  # wakes the other one

    def work(number: int) -> None:
        loop = loop_factory()
        try:
            loop.run_until_complete(produce(number) if number < producers else consume(number - producers))
        finally:
            loop.close()

    at_once(producers + 2, work)
    expected = sorted(payload_of((number, i)) for number in range(producers) for i in range(count))
    assert sorted(p for some in taken for p in some if p != payload_of("end")) == expected


def test_a_push_in_one_loop_wakes_a_consumer_in_another(loop_factory: Callable[[], Any]) -> None:
    memory = MemoryQueue()
    with running(loop_factory()) as here, running(loop_factory()) as there:
        consumer, producer = Consumer(memory.broker()), Producer(memory.broker())
        await_in(here, consumer.fetch(0))
        wait = asyncio.run_coroutine_threadsafe(consumer.wait(), here)
        until(lambda: consumer.broker._queue._waits)  # type: ignore[attr-defined]
        await_in(there, producer.push(task(1)))
        assert wait.result(20) == payload_of(1)
        assert await_in(here, consumer.take()) == payloads(1)


def test_a_recovery_in_a_thread_wakes_a_consumer(loop_factory: Callable[[], Any]) -> None:
    memory = MemoryQueue()
    with running(loop_factory()) as loop:
        died, waiting = Consumer(memory.broker()), Consumer(memory.broker())
        await_in(loop, Producer(memory.broker()).push(task(1)))
        await_in(loop, died.fetch())
        await_in(loop, waiting.fetch(0))
        wait = asyncio.run_coroutine_threadsafe(waiting.wait(), loop)
        until(lambda: waiting.broker._queue._waits)  # type: ignore[attr-defined]
        died.recover(memory.leases())
        assert wait.result(20) == trailer.join(payload_of(1), 1, 0)


def test_loops_that_were_closed_under_their_waits_do_not_stand_in_the_way(
    loop_factory: Callable[[], Any],
) -> None:
    memory, closed, other = MemoryQueue(), loop_factory(), loop_factory()
    gone, broker = Consumer(memory.broker()), memory.broker()
    closed.run_until_complete(gone.fetch(0))
    abandoned = [closed.create_task(gone.broker.wait(gone.name, 60.0)) for _ in range(2)]
    closed.run_until_complete(turns(2))
    closed.close()

    async def main() -> None:
        consumer = Consumer(broker)
        await consumer.fetch(0)
        wait = asyncio.ensure_future(consumer.wait())
        await turns()
        await Producer(broker).push(task(1))
        assert await wait == payload_of(1)
        await gone.broker.end_wait()

    other.run_until_complete(main())
    other.close()
    for task_ in abandoned:  # as asyncio.run would have done before it closed the loop
        task_.get_coro().close()
        task_._log_destroy_pending = False


def test_ending_a_wait_of_a_loop_that_was_closed(loop_factory: Callable[[], Any]) -> None:
    memory, closed = MemoryQueue(), loop_factory()
    broker = memory.broker()
    abandoned = closed.create_task(broker.wait("gone", 60.0))
    closed.run_until_complete(turns(2))
    closed.close()
    asyncio.run(broker.end_wait())
    abandoned.get_coro().close()
    abandoned._log_destroy_pending = False


async def test_closing_a_broker_ends_its_wait(memory: MemoryQueue) -> None:
    consumer = Consumer(memory.broker())
    await consumer.fetch(0)
    wait = asyncio.ensure_future(consumer.wait())
    await turns()
    await consumer.broker.close()
    assert await wait is None


async def test_who_is_no_consumer_gets_nothing_by_waiting(memory: MemoryQueue) -> None:
    died, broker = Consumer(memory.broker()), memory.broker()
    await died.fetch(0)
    died.recover(memory.leases())
    await Producer(broker).push(task(1))
    assert await died.wait() is None
    assert await broker.wait("nobody", 60.0) is None
    assert await broker.counts() == (1, 0, 0, 0)


async def test_waits_that_ended_leave_nothing_behind(memory: MemoryQueue) -> None:
    consumer = Consumer(memory.broker())
    await consumer.fetch(0)
    waits = consumer.broker._queue._waits  # type: ignore[attr-defined]
    await consumer.wait(0.0)
    cancelled = asyncio.ensure_future(consumer.wait())
    await turns(2)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    assert not waits


async def test_a_push_and_the_end_of_a_wait_at_the_same_time(memory: MemoryQueue) -> None:
    consumer, producer = Consumer(memory.broker()), Producer(memory.broker())
    await consumer.fetch(0)
    for number in range(20):
        wait = asyncio.ensure_future(consumer.wait())
        await turns()
        await producer.push(task(number))
        await consumer.broker.end_wait()
        if number % 2:
            wait.cancel()
        assert await asyncio.gather(wait, return_exceptions=True)
        assert await consumer.take() == payloads(number)


async def test_others_have_their_turn_beside_a_busy_producer_and_consumer(memory: MemoryQueue) -> None:
    consumer, producer = Consumer(memory.broker()), Producer(memory.broker())
    counted = 0

    async def count() -> None:
        nonlocal counted
        while True:
            counted += 1
            await turns()

    counting = asyncio.ensure_future(count())
    for number in range(50):
        await producer.push(task(number))
        await consumer.fetch()
    counting.cancel()
    await asyncio.gather(counting, return_exceptions=True)
    assert counted >= 100


async def test_the_queue_can_be_used_after_a_call_that_failed(memory: MemoryQueue) -> None:
    with pytest.raises(AttributeError):
        await memory.broker().push("p", 1, [None])  # type: ignore[list-item]
    await memory.broker().push("p", 2, [task(1)])
    assert await drain(memory) == payloads(1)
