"""A shop on the task queue: orders are charged, with retries, and each charge submits a mail.

    python examples/task_queue.py [--orders N]

runs producer and worker in one process, with the queue in memory. With NB_AIO_TASK_URL=redis://localhost:6379/0 in
the environment the queue is in Redis, and the two may be apart: in the folder of this file,

    python task_queue.py --submit                  submits, and ends
    nb-aiopool worker task_queue --processes 2     runs what was submitted, until Ctrl-C

Redis needs the client: python -m pip install ".[redis]"
"""

from __future__ import annotations

import argparse
import asyncio
import os
from typing import List, Optional, Set

from nb_aiopool.contrib.nb_aio_task import (
    DeadLetter,
    TaskEvent,
    TaskFailed,
    aio_task,
    batch_consume,
    on_event,
)

URL = os.environ.get("NB_AIO_TASK_URL", "memory://")
asked: Set[int] = set()


@aio_task("example-orders", 20, URL, max_retries=3, retry_delay=0.02, timeout=10, result_ttl=60)
async def charge(order: int, price: int) -> int:
    """Take the money; every tenth time the bank does not answer at first."""
    await asyncio.sleep(0.002)
    if order % 10 == 0 and order not in asked:
        asked.add(order)
        raise ConnectionError("the bank does not answer")
    if price < 0:
        raise ValueError(f"order {order} has the price {price}")
    # An id that stays the same: if this worker dies before the order is acknowledged, and the order is charged again,
    # a mail that still waits is not queued twice.
    await thank.options(id=f"mail-{order}").submit(order)
    return price


@aio_task("example-mails", 5, URL)
async def thank(order: int) -> None:  # noqa: ARG001 - whatever it is
    """Send a mail."""
    await asyncio.sleep(0.001)


class Counter:
    """How many tasks of this process have succeeded, by queue; also a place for metrics."""

    def __init__(self) -> None:
        self.mails = 0
        self.retries = 0

    def __call__(self, event: TaskEvent) -> None:
        self.mails += event.kind == "succeeded" and event.queue == "example-mails"
        self.retries += event.kind == "retried" and event.queue == "example-orders"


async def submit(orders: int) -> List[Optional[int]]:
    """Submit orders, the last of them a bad one, and wait for what they have brought."""
    prices = [*range(1, orders), -1]
    handles = await charge.submit_many(((order, price), {}) for order, price in enumerate(prices, 1))
    outcomes: List[Optional[int]] = []
    for handle in handles:
        try:
            outcomes.append(await handle.result(timeout=60))
        except TaskFailed:
            outcomes.append(None)
    return outcomes


async def until_all_mails_are_sent() -> None:
    """Wait until nothing is left in the second queue."""
    while True:
        stats = await thank.stats()
        if stats.queued + stats.running + stats.delayed == 0:
            return
        await asyncio.sleep(0.05)


async def main(orders: int) -> None:
    counter = Counter()
    stop_counting = on_event(counter)
    worker = asyncio.create_task(batch_consume([charge, thank]))
    outcomes = await submit(orders)
    await until_all_mails_are_sent()
    letters: List[DeadLetter] = await charge.dead_letters()
    await charge.delete_dead(*[letter.id for letter in letters])
    await charge.stop()
    await thank.stop()
    await worker
    stop_counting()
    await charge.close()
    await thank.close()

    charged = [price for price in outcomes if price is not None]
    print(f"{len(charged)} of {orders} orders charged, {sum(charged)} in all, {counter.retries} retries")
    print(f"{counter.mails} mails sent")
    for letter in letters:
        print(f"dead: {letter.args} {letter.error.splitlines()[-1]}")


async def only_submit(orders: int) -> None:
    await charge.submit_many(((order, order), {}) for order in range(1, orders + 1))
    print(f"{await charge.get_queue_size()} orders are waiting")
    await charge.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A shop on the task queue.", prog="task_queue.py")
    parser.add_argument("--orders", type=int, default=50, help="how many")
    parser.add_argument("--submit", action="store_true", help="only submit them, for workers elsewhere")
    options = parser.parse_args()
    asyncio.run((only_submit if options.submit else main)(options.orders))
