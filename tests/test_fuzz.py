"""Hostile objects inside and around jobs: whatever they do, the pool keeps its books, ends its jobs and stays usable.

Each hostile object does each deed at each fate of a job. Only the pool's own state is checked here: what exactly a
job gets that a hostile object has broken is for the object to answer for.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
from typing import Any, Callable, Dict, List, Optional

import pytest

from hostile import DEEDS, HOOKS, HostileCoroutine, OddError, Scene
from nb_aiopool import NbAioPool, PoolError, PoolFull
from support import Gate, accounting, turns, value

SEED = int(os.environ.get("NB_AIOPOOL_SEED", "3"))


async def usable(pool: NbAioPool) -> None:
    """The pool has nothing left, and works unless it was shut down."""
    stats = accounting(pool)
    assert (stats.running, stats.queued, pool.waiting) == (0, 0, 0)
    if pool.closed:
        with pytest.raises(PoolError):
            await pool.run(value())
    else:
        before = accounting(pool).succeeded
        assert await pool.run(value("works")) == "works"
        assert await pool.batch_run(value(i) for i in range(5)) == list(range(5))
        assert accounting(pool).succeeded == before + 6


# -- What can become of a job -------------------------------------------------------------------------------------


async def it_runs(scene: Scene, job: Any, gate: Gate) -> None:
    await turns(5)


async def it_is_cancelled_while_it_is_queued(scene: Scene, job: Any, gate: Gate) -> None:
    if job is not None:
        job.cancel()


async def it_is_cancelled_while_it_runs(scene: Scene, job: Any, gate: Gate) -> None:
    gate.open()
    await turns(2)
    if job is not None:
        job.cancel()


async def it_is_looked_at(scene: Scene, job: Any, gate: Gate) -> None:
    gate.open()
    for _ in range(8):
        await turns()
        for look in (repr, str, bool, hash, lambda it: it.get_stack(), lambda it: it == 3):
            with contextlib.suppress(ValueError, OddError):
                look(job)


async def it_has_a_waiter(scene: Scene, job: Any, gate: Gate) -> None:
    gate.open()
    if job is not None:
        await asyncio.wait([job])


async def it_is_shut_down(scene: Scene, job: Any, gate: Gate) -> None:
    shutdown = asyncio.ensure_future(scene.pool.shutdown(cancel=True))
    del job
    await asyncio.wait([shutdown])
    assert shutdown.exception() is None


FATES = [
    it_runs,
    it_is_cancelled_while_it_is_queued,
    it_is_cancelled_while_it_runs,
    it_is_looked_at,
    it_has_a_waiter,
    it_is_shut_down,
]


async def tell(hook: str, deed: str, fate: Callable[..., Any]) -> None:
    pool, gate = NbAioPool(2, 8), Gate()
    scene = Scene(pool)
    scene.jobs += [pool.submit_nowait(gate.hold()) for _ in range(2)]
    job: Optional[Any] = pool.submit_nowait(HOOKS[hook](scene, deed))
    scene.jobs += [pool.submit_nowait(value()) for _ in range(2)]
    if hook not in ("del of a result", "del of a later result"):
        scene.jobs.append(job)  # else the deed would come only when all is over
    await fate(scene, job, gate)
    accounting(pool)
    del job
    gate.open()
    await pool.join()
    scene.over = True
    scene.jobs.clear()
    await usable(pool)


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("hook", HOOKS)
async def test_a_pool_outlives_hostile_jobs(
    hook: str, deed: str, reports: List[Any], unraisables: List[str]
) -> None:
    for fate in FATES:
        task = asyncio.ensure_future(tell(hook, deed, fate))
        await asyncio.wait([task])
        assert task.exception() is None, fate.__name__
    gc.collect()
    reports.clear()
    assert all("from a deed" in text for text in unraisables), unraisables


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_pool_outlives_hostile_done_callbacks(deed: str, reports: List[Dict[str, Any]]) -> None:
    pool, gate = NbAioPool(2, 8), Gate()
    scene = Scene(pool)
    scene.jobs += [pool.submit_nowait(gate.hold(i)) for i in range(6)]
    for job in scene.jobs:
        job.add_done_callback(lambda _: scene.do(deed if deed != "fail_oddly" else "fail"))
    scene.jobs[5].cancel()
    await turns(2)
    gate.open()
    await pool.join()
    await turns(2)
    assert scene.deeds_done == 6
    for context in reports:
        assert str(context["exception"]) == "from a deed"
    assert len(reports) == (6 if deed.startswith("fail") else 0)
    reports.clear()
    scene.over = True
    await usable(pool)


async def offer(pool: NbAioPool, call: str, coros: List[Any]) -> Any:
    if call == "submit_nowait":
        return pool.submit_nowait(coros[0])
    return await getattr(pool, call)(coros if call.startswith("batch") else coros[0], block=False)


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("call", ["submit_nowait", "submit", "run", "batch_submit", "batch_run"])
async def test_a_refused_coroutine_may_do_anything_as_it_is_closed(
    call: str, deed: str, reports: List[Dict[str, Any]]
) -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    scene = Scene(pool)
    scene.jobs += [pool.submit_nowait(gate.hold(i)) for i in range(2)]
    coros = [HostileCoroutine(scene, deed, "close") for _ in range(3)]
    offered = coros if call.startswith("batch") else coros[:1]
    with pytest.raises(PoolFull):
        await offer(pool, call, offered)
    assert all(coro.closed for coro in offered)
    # A failure to close cannot be raised in place of what was wrong with the call.
    assert len(reports) == (len(offered) if deed.startswith("fail") else 0)
    assert all(str(context["exception"]) == "from a deed" for context in reports)
    reports.clear()
    gate.open()
    await pool.join()
    scene.over = True
    scene.jobs.clear()
    await usable(pool)


@pytest.mark.parametrize("seed", range(SEED, SEED + 8))
async def test_a_pool_outlives_hostile_objects_of_every_kind_at_once(
    seed: int, reports: List[Any], unraisables: List[str]
) -> None:
    print("NB_AIOPOOL_SEED=%d" % seed)
    rng = random.Random(seed)
    deeds = [deed for deed in DEEDS if not deed.startswith("shut_down")]
    pool = NbAioPool(3, 8)
    scene = Scene(pool)
    for _ in range(150):
        hook, deed = rng.choice(list(HOOKS)), rng.choice(deeds)
        try:
            job = pool.submit_nowait(HOOKS[hook](scene, deed))
        except (PoolError, ValueError, OddError):
            pass
        else:
            if rng.random() < 0.5:
                scene.jobs.append(job)
            if rng.random() < 0.3:
                job.cancel()
            del job
        if rng.random() < 0.5:
            await turns(rng.randrange(4))
        accounting(pool)
    await pool.join()
    scene.over = True
    scene.jobs.clear()
    await usable(pool)
    gc.collect()
    reports.clear()
    assert all("from a deed" in text for text in unraisables), unraisables


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("deed", ["submit", "cancel_all", "shut_down", "fail"])
def test_a_loop_ends_with_hostile_jobs_left(
    hook: str, deed: str, run_loop: Any, reports: List[Any], unraisables: List[str]
) -> None:
    pool = NbAioPool(2, 8)
    scenes = []

    async def main() -> None:
        scene = Scene(pool)
        scenes.append(scene)
        scene.jobs += [pool.submit_nowait(HOOKS[hook](scene, deed)) for _ in range(6)]
        scene.jobs.append(pool.submit_nowait(asyncio.sleep(60)))
        await turns(1)

    run_loop(main())
    scenes[0].over = True
    scenes.clear()
    gc.collect()

    async def again() -> None:
        await pool.join()
        await usable(pool)

    run_loop(again())
    reports.clear()
