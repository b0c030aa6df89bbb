"""Leases: renewing them, recovering whose has run out, and refusing a consumer that was recovered everything."""

from __future__ import annotations

from typing import List

import pytest
from broker_support import Consumer, Producer, Queue, dead, done, drain, payloads, retry, task, token_of

from nb_aiopool.contrib.nb_aio_task import trailer


async def holding(queue: Queue, *labels: object, lease: float = 60.0) -> Consumer:
    """A consumer that holds these tasks."""
    await Producer(queue.broker()).push(*(task(label) for label in labels))
    consumer = Consumer(queue.broker(), lease)
    assert await consumer.take(len(labels)) == payloads(*labels)
    return consumer


async def refused_everything(consumer: Consumer) -> None:
    number = consumer.last
    settlements = [done(number, "x", id="x", result=b"R"), retry(number, "y"), dead(number, "z")]
    answer = await consumer.exchange(5, acks=range(1, number + 1), settle=settlements)
    assert answer.lost and answer.deliveries == []
    assert await consumer.broker.reconcile(consumer.name, []) == 0
    await consumer.leave()
    consumer.register = True
    assert (await consumer.exchange(5, acks=[1])).lost


# -- Looking and renewing ------------------------------------------------------------------------------------------


async def test_a_lease_is_there_from_the_first_exchange_until_the_consumer_leaves(queue: Queue) -> None:
    consumer, leases = Consumer(queue.broker()), queue.leases()
    assert list(leases.seen()) == []
    await consumer.fetch(0)
    lease = consumer.lease_in(leases)
    assert lease is not None
    assert 30_000 < lease.deadline - leases.now() <= 60_000
    await consumer.leave()
    assert list(leases.seen()) == []


async def test_the_brokers_clock_goes_on(queue: Queue) -> None:
    leases = queue.leases()
    leases.seen()
    before = leases.now()
    await queue.later(0.01)
    assert leases.now() == before
    leases.seen()
    assert leases.now() >= before + 10


async def test_a_lease_runs_out(queue: Queue) -> None:
    consumer, leases = await holding(queue, "a", lease=0.01), queue.leases()
    await queue.later(0.02)
    lease = consumer.lease_in(leases)
    assert lease is not None and 0 < lease.deadline < leases.now()


async def test_each_exchange_renews_the_lease(queue: Queue) -> None:
    consumer, leases = await holding(queue, "a", "b", lease=0.01), queue.leases()
    await queue.later(0.02)
    consumer.lease = 60.0
    await consumer.fetch(0)
    lease = consumer.lease_in(leases)
    assert lease is not None and lease.deadline > leases.now() + 30_000
    # One that is not heard renews it as well, and so does one that only says that an answer was lost.
    await Producer(queue.broker()).push(task("c"))
    await consumer.exchange(1, answered=False)
    consumer.lease = 6_000.0
    assert (await consumer.exchange(1)).stray
    lease = consumer.lease_in(leases)
    assert lease is not None and lease.deadline > leases.now() + 3_000_000


async def test_renewing_moves_the_deadline_and_nothing_else(queue: Queue) -> None:
    consumer, leases = await holding(queue, "a", "b", lease=0.01), queue.leases()
    await queue.later(0.02)
    for _ in range(2):
        assert leases.renew(consumer.name, 60.0)
        lease = consumer.lease_in(leases)
        assert lease is not None and lease.deadline > leases.now() + 30_000
    assert await queue.broker().counts() == (0, 2, 0, 0)
    await consumer.leave()
    assert await drain(queue) == payloads("a", "b")


async def test_only_a_registered_consumers_lease_is_renewed(queue: Queue) -> None:
    leases, consumer = queue.leases(), await holding(queue, "a")
    assert not leases.renew("nobody", 60.0)
    await consumer.leave()
    assert not leases.renew(consumer.name, 60.0)
    assert list(leases.seen()) == []


async def test_closing_the_leases_leaves_them_usable(queue: Queue) -> None:
    leases, consumer = queue.leases(), await holding(queue, "a")
    leases.seen()
    leases.close()
    leases.close()
    assert leases.renew(consumer.name, 60.0)


# -- Recovering ----------------------------------------------------------------------------------------------------


async def test_recovery_hands_back_to_the_front_and_in_order(queue: Queue) -> None:
    consumer, leases = await holding(queue, *range(12)), queue.leases()
    await Producer(queue.broker()).push(task(12), task(13))
    await consumer.fetch(0, acks=[3, 1])
    assert consumer.recover(leases) == 0
    assert await queue.broker().counts() == (12, 0, 0, 0)
    bodies = [trailer.split(payload).body for payload in await drain(queue)]
    assert bodies == payloads(1, *range(3, 14))


async def test_a_consumer_without_deliveries_is_recovered(queue: Queue) -> None:
    consumer, leases = Consumer(queue.broker()), queue.leases()
    await consumer.fetch(0)
    assert consumer.recover(leases) == 0
    await refused_everything(consumer)


async def test_who_was_recovered_is_refused_everything(queue: Queue) -> None:
    consumer, leases, broker = await holding(queue, "a", "b"), queue.leases(), queue.broker()
    await Producer(broker).push(task("c", id="x"))
    assert consumer.recover(leases) == 0
    await refused_everything(consumer)
    assert not leases.renew(consumer.name, 60.0)
    assert await broker.counts() == (3, 0, 0, 0)
    assert await broker.results(["x", token_of("a")]) == [None, None]
    assert await broker.dead_names() == []
    # What it did is not counted again either.
    assert [trailer.split(payload).deliveries for payload in await drain(queue)] == [1, 1, 0]


async def test_who_is_condemned_is_refused_everything_before_all_is_handed_back(queue: Queue) -> None:
    consumer, leases, broker = await holding(queue, *"abcd"), queue.leases(), queue.broker()
    assert consumer.recover(leases, limit=1) == 3
    await refused_everything(consumer)
    assert not leases.renew(consumer.name, 60.0)
    assert await broker.counts() == (1, 3, 0, 0)
    lease = consumer.lease_in(leases)
    assert lease is not None and lease.deadline < 0


async def test_recovery_goes_on_in_portions_and_in_order_whoever_does_it(queue: Queue) -> None:
    consumer = await holding(queue, *range(10))
    await Producer(queue.broker()).push(task(10))
    left = [consumer.recover(queue.leases(), limit=3) for _ in range(4)]
    assert left == [7, 4, 1, 0]
    marked = [trailer.split(payload) for payload in await drain(queue)]
    assert [one.body for one in marked] == payloads(*range(11))
    assert [one.deliveries for one in marked] == [1] * 10 + [0]


async def test_a_portion_may_be_repeated_with_the_lease_that_was_condemned(queue: Queue) -> None:
    consumer, leases = await holding(queue, *range(5)), queue.leases()
    assert consumer.recover(leases, limit=2) == 3
    lease = consumer.lease_in(leases)
    assert lease is not None
    any_condemned = lease._replace(deadline=-1)
    assert leases.recover(any_condemned, max_deliveries=5, limit=2) == 1
    assert leases.recover(lease, max_deliveries=5, limit=2) == 0
    assert leases.recover(any_condemned, max_deliveries=5, limit=2) == 0
    assert [trailer.split(payload).deliveries for payload in await drain(queue)] == [1] * 5


async def test_a_lease_that_has_changed_is_not_recovered(queue: Queue) -> None:
    consumer, leases = await holding(queue, "a", "b"), queue.leases()
    old = consumer.lease_in(leases)
    assert old is not None
    leases.renew(consumer.name, 120.0)
    assert leases.recover(old, max_deliveries=5, limit=10) is None
    assert leases.recover(old._replace(deadline=-1), max_deliveries=5, limit=10) is None
    assert await queue.broker().counts() == (0, 2, 0, 0)
    new = consumer.lease_in(leases)
    assert new is not None
    await consumer.fetch(0, acks=[1])
    assert leases.recover(new._replace(deadline=new.deadline - 1), max_deliveries=5, limit=10) is None
    assert await queue.broker().counts() == (0, 1, 0, 0)


async def test_a_lease_that_has_gone_is_not_recovered(queue: Queue) -> None:
    consumer, leases = await holding(queue, "a"), queue.leases()
    lease = consumer.lease_in(leases)
    assert lease is not None
    await consumer.leave()
    assert leases.recover(lease, max_deliveries=5, limit=10) is None
    assert leases.recover(lease._replace(deadline=-1), max_deliveries=5, limit=10) is None
    assert list(leases.seen()) == []
    assert await drain(queue) == payloads("a")


async def test_an_old_lease_is_of_no_use_once_its_consumer_was_condemned(queue: Queue) -> None:
    consumer, leases = await holding(queue, "a", "b"), queue.leases()
    lease = consumer.lease_in(leases)
    assert lease is not None
    assert leases.recover(lease, max_deliveries=5, limit=1) == 1
    assert leases.recover(lease, max_deliveries=5, limit=1) is None
    assert await queue.broker().counts() == (1, 1, 0, 0)


async def test_recovering_one_consumer_leaves_the_others_alone(queue: Queue) -> None:
    one, other, leases = await holding(queue, "a"), await holding(queue, "b"), queue.leases()
    assert one.recover(leases) == 0
    await other.fetch(0, settle=[done(1, "b", result=b"B")])
    assert await queue.broker().results([token_of("b")]) == [b"B"]
    assert await queue.broker().counts() == (1, 0, 0, 0)


async def test_the_other_consumers_outcome_stands(queue: Queue) -> None:
    late, other, leases, broker = (
        await holding(queue, "a"),
        Consumer(queue.broker()),
        queue.leases(),
        queue.broker(),
    )
    late.recover(leases)
    await other.fetch()
    assert (await late.exchange(settle=[done(1, "a", result=b"late")])).lost
    await other.fetch(0, settle=[done(1, "a", result=b"right")])
    assert (await late.exchange(settle=[dead(1, "a")])).lost
    assert await broker.results([token_of("a")]) == [b"right"]
    assert await broker.counts() == (0, 0, 0, 0)


async def test_recovery_may_be_large(queue: Queue) -> None:
    consumer, leases = await holding(queue, *range(9_000)), queue.leases()
    left = [consumer.recover(leases, limit=5_000) for _ in range(2)]
    assert left == [4_000, 0]
    bodies = [trailer.split(payload).body for payload in await drain(queue)]
    assert bodies == payloads(*range(9_000))


# -- Counting deliveries -------------------------------------------------------------------------------------------


async def deliveries_after(queue: Queue, consumer: Consumer, **options: int) -> List[int]:
    assert consumer.recover(queue.leases(), **options) == 0
    return [trailer.split(payload).deliveries for payload in await drain(queue)]


async def test_each_delivery_is_counted(queue: Queue) -> None:
    assert await deliveries_after(queue, await holding(queue, "a", "b")) == [1, 1]


@pytest.mark.parametrize(("max_deliveries", "most"), [(1, 1), (2, 1), (3, 2), (5, 4)])
async def test_who_ran_beside_others_is_counted_up_to_a_limit(
    queue: Queue, max_deliveries: int, most: int
) -> None:
    await Producer(queue.broker()).push(task("a"), task("b"))
    for round_ in range(1, 7):
        consumer = Consumer(queue.broker())
        fetched = await consumer.take(2)
        assert [trailer.split(payload).deliveries for payload in fetched] == [min(round_ - 1, most)] * 2
        assert [trailer.split(payload).body for payload in fetched] == payloads("a", "b")
        assert consumer.recover(queue.leases(), max_deliveries=max_deliveries) == 0


async def test_a_count_above_the_limit_stays(queue: Queue) -> None:
    high = task("a")._replace(payload=trailer.join(b"A", 9, 2))
    await Producer(queue.broker()).push(high, task("b"))
    consumer = Consumer(queue.broker())
    await consumer.fetch(2)
    assert consumer.recover(queue.leases(), max_deliveries=3) == 0
    assert await drain(queue) == [high.payload, trailer.join(task("b").payload, 1, 0)]


async def test_who_ran_alone_is_counted_without_a_limit(queue: Queue) -> None:
    await Producer(queue.broker()).push(task("a"), task("b"))
    for round_ in range(1, 7):
        consumer = Consumer(queue.broker())
        fetched = await consumer.fetch(2)
        await consumer.fetch(0, solo=fetched[0].number)
        assert consumer.recover(queue.leases(), max_deliveries=2) == 0
        consumer = Consumer(queue.broker())
        both = [trailer.split(payload).deliveries for payload in await consumer.take(2)]
        assert both == [round_, 0]
        await consumer.leave()


async def test_the_only_one_held_ran_alone(queue: Queue) -> None:
    consumer = await holding(queue, "a", "b", "c")
    await consumer.fetch(0, acks=[1, 3])
    for round_ in range(1, 6):
        assert consumer.recover(queue.leases(), max_deliveries=2) == 0
        consumer = Consumer(queue.broker())
        (payload,) = await consumer.take(2)
        assert trailer.split(payload).deliveries == round_


async def test_the_last_one_left_of_a_portion_did_not_run_alone(queue: Queue) -> None:
    await Producer(queue.broker()).push(task("a")._replace(payload=trailer.join(b"A", 1, 0)), task("b"))
    consumer, leases = Consumer(queue.broker()), queue.leases()
    await consumer.fetch(2)
    assert [consumer.recover(leases, max_deliveries=2, limit=1) for _ in range(2)] == [1, 0]
    assert [trailer.split(payload).deliveries for payload in await drain(queue)] == [1, 1]


async def test_the_solo_one_is_the_only_one_counted_in_all_portions(queue: Queue) -> None:
    consumer, leases = await holding(queue, *"abcd"), queue.leases()
    await consumer.fetch(0, solo=3)
    assert [consumer.recover(leases, limit=2) for _ in range(2)] == [2, 0]
    assert [trailer.split(payload).deliveries for payload in await drain(queue)] == [0, 0, 1, 0]


async def test_an_exchange_without_solo_ends_it(queue: Queue) -> None:
    consumer = await holding(queue, *"abc")
    await consumer.fetch(0, solo=1)
    await consumer.fetch(0, acks=[1])
    assert await deliveries_after(queue, consumer) == [1, 1]


async def test_an_exchange_that_tells_of_a_lost_answer_still_hears_of_solo(queue: Queue) -> None:
    consumer = await holding(queue, *"ab")
    await Producer(queue.broker()).push(task("c"))
    await consumer.exchange(1, answered=False)
    assert (await consumer.exchange(solo=2)).stray
    assert await deliveries_after(queue, consumer) == [0, 1, 0]


async def test_retries_are_kept_over_a_recovery(queue: Queue) -> None:
    payload = trailer.join(b"A", 0, 5)
    await Producer(queue.broker()).push(task("a")._replace(payload=payload))
    consumer = Consumer(queue.broker())
    assert await consumer.take() == [payload]
    assert consumer.recover(queue.leases()) == 0
    assert await drain(queue) == [trailer.join(b"A", 1, 5)]


@pytest.mark.parametrize("deliveries", [1, 2, 7, 8, 255, 1000])
@pytest.mark.parametrize(
    "body", [b"\x80\x04N.", b"a\r \t\r\t\n", b"\n", b"\r\r\n", b"", b'{"args": []} \t\n']
)
async def test_trailers_are_read_and_written_behind_any_body(
    queue: Queue, body: bytes, deliveries: int
) -> None:
    payload = trailer.join(body, deliveries, 3)
    await Producer(queue.broker()).push(task("a")._replace(payload=payload))
    consumer = Consumer(queue.broker())
    await consumer.fetch()
    assert consumer.recover(queue.leases()) == 0
    assert await drain(queue) == [trailer.join(body, deliveries + 1, 3)]
