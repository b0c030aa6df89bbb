"""What may happen to a pool, at random: each move does one kind of thing, a few times, and settles.

Things of one kind cannot decide anything for each other, so the model need not know in which of the loop's
turns each of them takes effect; test_storm.py is where everything happens at once.
"""

from __future__ import annotations

import asyncio
from typing import Any, Callable, List, Optional

import pytest

from nb_aiopool import PoolFull, PoolStopped
from support import value
from trial import Trial, Work


def some(trial: Trial, candidates: List[Work], most: int = 3) -> List[Work]:
    return trial.rng.sample(candidates, min(len(candidates), trial.rng.randint(1, most)))


async def submit(trial: Trial) -> None:
    for _ in range(trial.rng.randint(1, 4)):
        work = trial.new_work()
        if trial.rng.random() < 0.4:
            call = trial.runs(work, True)
        else:
            call = trial.submits(work, True, trial.rng.random() < 0.3)
        work.producer = asyncio.ensure_future(call)


async def submit_without_waiting(trial: Trial) -> None:
    work = trial.new_work()
    way = trial.rng.randrange(3)
    if way == 0:
        trial.submit_nowait(work)
    elif way == 1:
        work.producer = asyncio.ensure_future(trial.runs(work, False))
    else:
        work.producer = asyncio.ensure_future(trial.submits(work, False, False))


async def submit_from_inside(trial: Trial) -> None:
    for outer in some(trial, trial.running(), 1):
        inner = trial.new_work()

        def order(inner: Work = inner) -> None:
            trial.submit_nowait(inner, inside=True)

        assert outer.orders is not None
        outer.orders.set_result(order)


async def submit_batch(trial: Trial) -> None:
    batch = trial.batch(trial.rng.randrange(7))
    drawn = trial.drawn if trial.rng.random() < 0.6 else trial.drawn_slowly
    runs = trial.rng.random() < 0.5
    call = trial.pool.batch_run if runs else trial.pool.batch_submit
    task = asyncio.ensure_future(follow(call, drawn(batch), batch))
    if runs:
        trial.runs_of_batches.add(task)
    trial.batches[task] = batch


async def follow(call: Callable[[Any], Any], drawn: Any, batch: List[Work]) -> Any:
    answer = await call(drawn)
    for work, item in zip(batch, answer):
        if isinstance(item, asyncio.Future):
            work.future = item
    return answer


async def submit_batch_without_waiting(trial: Trial) -> None:
    batch = trial.batch(trial.rng.randrange(5))
    answer = trial.model.arrive_together(list(batch))
    coros = [work.coro for work in batch]
    if answer == "accepted":
        for work, future in zip(batch, await trial.pool.batch_submit(coros, block=False)):
            work.future = future
    else:
        error = {"full": PoolFull, "stopped": PoolStopped}[answer]
        if batch:
            with pytest.raises(error):
                await trial.pool.batch_submit(coros, block=False)
        for work in batch:
            work.leave(answer)


async def release(trial: Trial) -> None:
    for work in some(trial, trial.running(), 4):
        finish(trial, work)


def finish(trial: Trial, work: Work) -> None:
    """Let work that runs end in one of the ways in which a coroutine can."""
    way = trial.rng.choice([0, 1, 3] if work.orphan else [0, 1, 2, 3])
    error: Optional[BaseException] = {2: KeyError(work.number), 3: asyncio.CancelledError()}.get(way)

    def order() -> Any:
        if error is not None:
            raise error
        return "finished"

    assert work.orders is not None
    work.orders.set_result(order)
    if way == 2:
        trial.ends(work, "failed", ("exception", KeyError))
    elif way == 3:
        trial.ends(work, "cancelled", ("cancelled", None))
    else:
        trial.ends(work, "succeeded", ("result", "finished"))


def cancellable(trial: Trial, entries: List[Any]) -> List[Work]:
    """Work that somebody can be asked to cancel: a batch that is under way holds its futures for itself."""
    return [work for work in entries if work.future is not None or work.producer is not None]


async def cancel_queued(trial: Trial) -> None:
    for work in some(trial, cancellable(trial, trial.model.queue)):
        # An earlier cancellation can have made room only in the queue: this one is still there.
        trial.cancel(work)


async def cancel_running(trial: Trial) -> None:
    for work in some(trial, cancellable(trial, trial.model.slots)):
        trial.cancel(work)


async def cancel_waiting(trial: Trial) -> None:
    for work in some(trial, [w for w in trial.model.line if isinstance(w, Work) and w.producer is not None]):
        assert work.producer is not None
        work.producer.cancel()
        trial.model.withdraw(work)
        work.leave("cancelled")


async def cancel_batch(trial: Trial) -> None:
    """Cancel a batch that waits for room: what it has not submitted is closed."""
    waiting = [
        (task, batch)
        for task, batch in trial.batches.items()
        if not task.done() and any(work.place == "line" for work in batch)
    ]
    if not waiting:
        return
    task, batch = trial.rng.choice(waiting)
    task.cancel()
    abandon(trial, batch, task in trial.runs_of_batches)


def abandon(trial: Trial, batch: List[Work], with_jobs: bool) -> None:
    for work in batch:
        trial.orphan(work)
        if work.place == "line":
            trial.model.withdraw(work)
        if work.place in ("refused", "new"):
            work.leave("cancelled")
            work.coro.close()  # what was never drawn belongs to the test
    if with_jobs:
        for work in [w for w in batch if w.place == "queue"] + [w for w in batch if w.place == "slot"]:
            trial.hit(work)


async def resize(trial: Trial) -> None:
    if trial.rng.random() < 0.6:
        limit = trial.rng.randint(1, 6)
        trial.pool.max_concurrency = limit
        trial.model.set_max_concurrency(limit)
        assert trial.pool.max_concurrency == limit
    else:
        limit = trial.rng.randint(0, 6)
        trial.pool.max_queue_size = limit
        trial.model.set_max_queue_size(limit)
        assert trial.pool.max_queue_size == limit


async def join(trial: Trial) -> None:
    trial.joins.append(asyncio.ensure_future(trial.pool.join()))


async def misuse(trial: Trial) -> None:
    """Errors change nothing."""
    for wrong in (42, None, value):
        with pytest.raises(TypeError):
            await trial.pool.submit(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="-1"):
        trial.pool.max_queue_size = -1
    with pytest.raises(ValueError, match="0"):
        trial.pool.max_concurrency = 0
    for work in trial.work:
        if work.future is not None and work.future.done():
            assert work.future.cancel() is False


MOVES = {
    submit: 8,
    submit_without_waiting: 4,
    submit_from_inside: 2,
    submit_batch: 3,
    submit_batch_without_waiting: 2,
    release: 9,
    cancel_queued: 3,
    cancel_running: 3,
    cancel_waiting: 2,
    cancel_batch: 1,
    resize: 3,
    join: 1,
    misuse: 1,
}
