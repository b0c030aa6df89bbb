"""What consumers do: fetch, acknowledge, settle, and find out what an answer that was lost has given them."""

from __future__ import annotations

import pytest
from broker_support import (
    Consumer,
    Producer,
    Queue,
    again,
    dead,
    done,
    drain,
    payload_of,
    payloads,
    retry,
    task,
    token_of,
)

from nb_aiopool.contrib.nb_aio_task.broker import Exchange


async def started(queue: Queue, *labels: object, want: int = 0) -> Consumer:
    """A consumer of a queue that these tasks were pushed to."""
    await Producer(queue.broker()).push(*(task(label) for label in labels))
    consumer = Consumer(queue.broker())
    await consumer.fetch(want)
    return consumer


async def test_deliveries_are_numbered_in_the_order_in_which_they_were_given(queue: Queue) -> None:
    consumer = await started(queue, *"abcde")
    assert await consumer.fetch(2) == [(1, payload_of("a")), (2, payload_of("b"))]
    assert await consumer.fetch(2, acks=[1, 2]) == [(3, payload_of("c")), (4, payload_of("d"))]
    assert await consumer.fetch(2) == [(5, payload_of("e"))]
    assert await consumer.fetch(2) == []


async def test_consumers_share_the_tasks_and_number_them_independently(queue: Queue) -> None:
    one, other = await started(queue, *"abc"), Consumer(queue.broker())
    assert await one.fetch() == [(1, payload_of("a"))]
    assert await other.fetch() == [(1, payload_of("b"))]
    assert await one.fetch() == [(2, payload_of("c"))]
    await one.fetch(0, acks=[1])
    assert await queue.broker().counts() == (0, 2, 0, 0)
    await other.leave()
    assert await drain(queue) == payloads("b")


async def test_no_more_is_fetched_than_is_wanted(queue: Queue) -> None:
    consumer = await started(queue, *"abc", want=0)
    assert await queue.broker().counts() == (3, 0, 0, 0)
    assert len(await consumer.fetch(2)) == 2
    assert await queue.broker().counts() == (1, 2, 0, 0)


async def test_what_is_acknowledged_is_forgotten(queue: Queue) -> None:
    consumer = await started(queue, *"abc", want=3)
    await consumer.fetch(0, acks=[1, 3])
    assert await queue.broker().counts() == (0, 1, 0, 0)
    await consumer.leave()
    assert await drain(queue) == payloads("b")


async def test_acknowledging_again_or_something_unknown_does_nothing(queue: Queue) -> None:
    consumer = await started(queue, *"abc", want=2)
    for _ in range(2):
        await consumer.fetch(0, acks=[1, 77, 1, 3])
    assert await consumer.take() == payloads("c")
    await consumer.leave()
    assert await drain(queue) == payloads("b", "c")


async def test_fetching_and_acknowledging_may_be_large(queue: Queue) -> None:
    consumer = await started(queue, *range(9_000))
    assert await consumer.take(9_000) == payloads(*range(9_000))
    await consumer.fetch(0, acks=range(1, 8_999))
    await consumer.leave()
    assert await drain(queue) == payloads(8_998, 8_999)


# -- Settling ------------------------------------------------------------------------------------------------------


async def test_done_forgets_the_task_and_stores_its_result(queue: Queue) -> None:
    consumer, broker = await started(queue, *"abc", want=3), queue.broker()
    await consumer.fetch(
        0, settle=[done(1, "a", result=b"A"), done(2, "b"), done(3, "c", id="named", result=b"C")]
    )
    assert await broker.counts() == (0, 0, 0, 0)
    names = ["named", token_of("a"), token_of("b"), token_of("c")]
    assert await broker.results(names) == [b"C", b"A", None, None]
    assert await broker.results([]) == []


async def test_a_result_expires(queue: Queue) -> None:
    consumer, broker = await started(queue, *"ab", want=2), queue.broker()
    await consumer.fetch(0, settle=[done(1, "a", result=b"A", ttl=0.05), done(2, "b", result=b"B", ttl=60.0)])
    await queue.later(0.06)
    assert await broker.results([token_of("a"), token_of("b")]) == [None, b"B"]


async def test_a_later_result_replaces_an_earlier_one_and_its_end(queue: Queue) -> None:
    consumer, broker = await started(queue, *"ab", want=2), queue.broker()
    await consumer.fetch(0, settle=[done(1, "a", id="x", result=b"A", ttl=0.05)])
    await consumer.fetch(0, settle=[done(2, "b", id="x", result=b"B", ttl=60.0)])
    await queue.later(0.06)
    assert await broker.results(["x"]) == [b"B"]


async def test_a_retry_is_queued_with_its_new_payload_behind_what_is_queued(queue: Queue) -> None:
    consumer = await started(queue, *"ab", want=1)
    await consumer.fetch(0, settle=[retry(1, "a", body=b"again")])
    assert await queue.broker().counts() == (2, 0, 0, 0)
    assert await drain(queue) == [payload_of("b"), b"again"]


async def test_a_retry_waits_for_its_delay_without_being_held(queue: Queue) -> None:
    consumer = await started(queue, "a", want=1)
    await consumer.fetch(0, settle=[retry(1, "a", delay=60.0)])
    await consumer.leave()
    assert await queue.broker().counts() == (0, 0, 1, 0)


async def test_what_is_to_start_again_is_at_the_front_with_its_new_payload(queue: Queue) -> None:
    consumer = await started(queue, *"abc", want=2)
    settlement = again(2, "b", b"new " + payload_of("b"))
    for _ in range(2):
        await consumer.exchange(settle=[settlement])
    assert await queue.broker().counts() == (2, 1, 0, 0)
    assert await queue.broker().places([token_of("b")]) == {token_of("b"): "queued"}
    assert await drain(queue) == [b"new " + payload_of("b"), payload_of("c")]


async def test_a_dead_task_leaves_a_record_and_a_result(queue: Queue) -> None:
    consumer, broker = await started(queue, *"ab", want=2), queue.broker()
    await consumer.fetch(
        0, settle=[dead(1, "a", record=b"why"), dead(2, "b", id="named", record=b"\x00", result=b"R")]
    )
    assert await broker.counts() == (0, 0, 0, 2)
    assert await broker.dead([token_of("a"), "named", "nobody"]) == [b"why", b"\x00", None]
    assert await broker.results([token_of("a"), "named"]) == [None, b"R"]


@pytest.mark.parametrize("kind", ["done", "retry", "dead"])
async def test_a_settlement_that_is_sent_again_takes_effect_once(queue: Queue, kind: str) -> None:
    consumer, broker = await started(queue, "a", want=1), queue.broker()
    settlement = {
        "done": done(1, "a", result=b"first"),
        "retry": retry(1, "a", delay=60.0),
        "dead": dead(1, "a", record=b"first"),
    }[kind]
    await consumer.exchange(settle=[settlement], answered=False)
    before = await broker.counts()
    again = settlement._replace(result=b"second" if kind == "done" else b"", body=b"second")
    await consumer.fetch(0, settle=[again])
    assert await broker.counts() == before
    assert await broker.results([token_of("a")]) == [b"first" if kind == "done" else None]
    assert await broker.dead([token_of("a")]) == [b"first" if kind == "dead" else None]


@pytest.mark.parametrize("kind", ["done", "retry", "dead"])
async def test_what_the_consumer_does_not_hold_is_not_settled(queue: Queue, kind: str) -> None:
    consumer, broker = await started(queue, "a", "b", want=1), queue.broker()
    other = Consumer(queue.broker())
    await other.fetch()
    settlement = {
        "done": done(2, "b", result=b"R"),
        "retry": retry(2, "b"),
        "dead": dead(2, "b", result=b"R"),
    }[kind]
    await consumer.fetch(0, acks=[1], settle=[settlement, settlement._replace(number=1)])
    assert await broker.counts() == (0, 1, 0, 0)
    assert await broker.results([token_of("b")]) == [None]


# -- Consumers that are not, or no longer, known -------------------------------------------------------------------


async def test_who_never_registered_is_refused(queue: Queue) -> None:
    await Producer(queue.broker()).push(task("a"))
    stranger = Consumer(queue.broker())
    stranger.register = False
    assert await stranger.exchange(1) == Exchange([], lost=True)
    assert await queue.broker().counts() == (1, 0, 0, 0)
    lease = stranger.lease_in(queue.leases())  # what a wait takes in its name is looked for there
    assert lease is not None and lease.deadline < 0
    assert (await stranger.exchange(1)).lost


async def test_who_has_left_is_refused(queue: Queue) -> None:
    consumer = await started(queue, *"ab", want=1)
    await consumer.leave()
    assert (await consumer.exchange(1, acks=[1])).lost
    assert await consumer.reconcile() == 0
    await consumer.leave()
    assert await drain(queue) == payloads("a", "b")


async def test_registering_again_changes_nothing(queue: Queue) -> None:
    await Producer(queue.broker()).push(*(task(label) for label in "ab"))
    consumer = Consumer(queue.broker())
    await consumer.exchange(0, answered=False)
    assert consumer.register
    assert await consumer.take() == payloads("a")
    consumer.register = True
    assert await consumer.fetch() == [(2, payload_of("b"))]


# -- Answers that were lost ----------------------------------------------------------------------------------------


async def test_a_consumer_finds_out_that_it_holds_what_it_was_not_told_of(queue: Queue) -> None:
    consumer = await started(queue, *"abcd", want=1)
    await consumer.exchange(2, answered=False)
    answer = await consumer.exchange(2, settle=[done(1, "a", result=b"A")])
    assert answer == Exchange([], stray=True)
    # All of it took effect but the fetching.
    assert await queue.broker().counts() == (1, 2, 0, 0)
    assert await queue.broker().results([token_of("a")]) == [b"A"]


async def test_the_first_answer_may_be_lost_as_well(queue: Queue) -> None:
    await Producer(queue.broker()).push(*(task(label) for label in "abc"))
    consumer = Consumer(queue.broker())
    await consumer.exchange(2, answered=False)
    assert (await consumer.exchange(2)).stray
    assert await consumer.reconcile() == 2
    assert await consumer.fetch(3) == [(3, payload_of("a")), (4, payload_of("b")), (5, payload_of("c"))]


async def test_reconcile_hands_back_what_is_not_known_to_the_front_and_in_order(queue: Queue) -> None:
    consumer = await started(queue, *range(25), want=5)
    await consumer.exchange(15, acks=[2], answered=False)
    for _ in range(2):
        assert await consumer.reconcile(1, 4, 2) == 20
        assert await queue.broker().counts() == (22, 2, 0, 0)
    assert await consumer.fetch(3) == [(21, payload_of(2)), (22, payload_of(4)), (23, payload_of(5))]
    assert await drain(queue) == payloads(*range(6, 25))
    await consumer.leave()
    assert await drain(queue) == payloads(0, 3, 2, 4, 5)


async def test_reconcile_with_everything_known_hands_nothing_back(queue: Queue) -> None:
    consumer = await started(queue, *"abc", want=2)
    assert await consumer.reconcile(1, 2) == 2
    assert await consumer.reconcile(2, 1, 99) == 2
    assert await queue.broker().counts() == (1, 2, 0, 0)
    assert await consumer.take() == payloads("c")


async def test_handing_back_is_no_delivery_to_a_consumer_that_died(queue: Queue) -> None:
    consumer = await started(queue, *"ab", want=1)
    await consumer.reconcile()
    await consumer.fetch(1)
    await consumer.leave()
    assert await drain(queue) == payloads("a", "b")


# -- Leaving -------------------------------------------------------------------------------------------------------


async def test_leaving_hands_back_to_the_front_and_in_order(queue: Queue) -> None:
    consumer = await started(queue, *range(30), want=12)
    await consumer.fetch(0, acks=[5])
    await consumer.leave()
    assert consumer.lease_in(queue.leases()) is None
    await consumer.leave()
    assert await drain(queue) == payloads(0, 1, 2, 3, *range(5, 30))


async def test_leaving_without_having_come_does_nothing(queue: Queue) -> None:
    await Producer(queue.broker()).push(task("a"))
    await Consumer(queue.broker()).leave()
    assert await queue.broker().counts() == (1, 0, 0, 0)
