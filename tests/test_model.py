"""The whole pool against a naive model of the contract: thousands of random moves, compared after each.

A failure shows the seed of its trial; ``NB_AIOPOOL_SEED=<seed>`` repeats it, another seed makes other trials.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
from typing import Any, Callable, Coroutine, List

import pytest

pytest.register_assert_rewrite("moves", "trial")


from moves import (  # noqa: E402
    MOVES,
    finish,
    submit,
    submit_batch_without_waiting,
    submit_from_inside,
    submit_without_waiting,
)
from support import turns  # noqa: E402
from trial import Trial  # noqa: E402

SEED = int(os.environ.get("NB_AIOPOOL_SEED", "20"))
TRIALS = range(SEED, SEED + 12)
MOVES_OF_A_TRIAL = 80


async def play(seed: int) -> Trial:
    """A pool with a history: random moves, each one compared with the model."""
    print("NB_AIOPOOL_SEED=%d" % seed)
    rng = random.Random(seed)
    trial = Trial(rng, rng.randint(1, 5), rng.randint(0, 5))
    moves, weights = list(MOVES), list(MOVES.values())
    for _ in range(MOVES_OF_A_TRIAL):
        move = rng.choices(moves, weights)[0]
        print(move.__name__)
        await move(trial)
        await trial.settle()
    return trial


async def drain(trial: Trial) -> None:
    """Let jobs end, one at a time, until none is left."""
    while trial.running():
        finish(trial, trial.rng.choice(trial.running()))
        await trial.settle()
    assert trial.model.idle


async def end(trial: Trial, reports: List[Any]) -> None:
    """Check what everyone has heard; the loop hears only of jobs whose futures went with a cancelled batch."""
    for task in trial.batches:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
    trial.check_outcomes()
    gc.collect()
    for report in reports:
        assert report["message"] == "Job exception was never retrieved"
        assert trial.work[report["exception"].args[0]].orphan
    reports.clear()


@pytest.mark.parametrize("seed", TRIALS)
async def test_a_pool_does_what_the_model_does_until_all_jobs_have_ended(
    seed: int, reports: List[Any]
) -> None:
    trial = await play(seed)
    await drain(trial)
    await end(trial, reports)


async def finish_batches(trial: Trial) -> None:
    """Let jobs end until no batch waits for room."""
    while any(not task.done() for task in trial.batches) and trial.model.line:
        finish(trial, trial.rng.choice(trial.running()))
        await trial.settle()


REFUSED = (submit, submit_without_waiting, submit_batch_without_waiting)


async def try_to_submit(trial: Trial) -> None:
    """New work is refused, from wherever it comes."""
    for move in REFUSED:
        await move(trial)
        await trial.settle()


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("seed", TRIALS)
async def test_a_pool_that_is_shut_down_ends_its_jobs_and_admits_who_waits(
    seed: int, wait: bool, reports: List[Any]
) -> None:
    trial = await play(seed)
    await finish_batches(trial)
    shutdown = asyncio.ensure_future(trial.pool.shutdown(wait))
    trial.model.close(cancel=False)
    await trial.settle()
    while trial.running():
        assert shutdown.done() is (not wait)
        await try_to_submit(trial)
        if trial.rng.random() < 0.3:
            await submit_from_inside(trial)
            await trial.settle()
        if trial.running():
            finish(trial, trial.rng.choice(trial.running()))
        await trial.settle()
    await shutdown
    await try_to_submit(trial)
    await trial.pool.shutdown()
    await end(trial, reports)


Cancels = Callable[[Any], Coroutine[Any, Any, None]]
CANCELS = {
    "cancel=True": lambda pool: pool.shutdown(cancel=True),
    "timeout=0": lambda pool: pool.shutdown(timeout=0),
    "wait=False, cancel=True": lambda pool: pool.shutdown(wait=False, cancel=True),
    "wait=False, timeout=0": lambda pool: pool.shutdown(False, timeout=0),
}


@pytest.mark.parametrize("how", CANCELS)
@pytest.mark.parametrize("seed", TRIALS)
async def test_a_pool_that_is_shut_down_with_cancel_drops_and_cancels_everything(
    seed: int, how: str, reports: List[Any]
) -> None:
    trial = await play(seed)
    lined_up = list(trial.model.line)
    shutdown = asyncio.ensure_future(CANCELS[how](trial.pool))
    refused_batches = [task for task, batch in trial.batches.items() if any(w in lined_up for w in batch)]
    for task in refused_batches:
        for work in trial.batches[task]:
            trial.orphan(work)
    left = trial.model.close(cancel=True)
    for work in trial.work:
        if work in lined_up or work.place == "new":
            work.leave("stopped")
        elif work.expected is None and work not in left:
            work.leave("cancelled")
    for work in left:
        trial.hit(work)
    await asyncio.wait([shutdown])
    assert shutdown.exception() is None
    for task in refused_batches:
        await asyncio.wait([task])
        assert "shut down" in str(task.exception())
    for work in trial.work:
        if work.place == "new":
            work.coro.close()
    await turns(10)
    await trial.settle()
    await try_to_submit(trial)
    await end(trial, reports)
