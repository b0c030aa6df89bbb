"""Hostile objects among nested work: what they do happens while slots are lent."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
from typing import Any, Dict, Iterable, List, Optional

import pytest

from hostile import DEEDS, HOOKS, OddError, Scene, Value
from nb_aiopool import NbAioPool, PoolError
from nested import Nest
from support import accounting, turns, value

pytestmark = pytest.mark.limit(20)
EXPECTED = (PoolError, ValueError, OddError, asyncio.CancelledError, RuntimeError)
NOT_CALLED = ("repr of a coroutine", "eq of an exception", "hash of an exception", "close of an awaitable")
variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable")


async def submit_and_await(pool: NbAioPool, make: Any) -> Any:
    return await (await pool.submit(make()))


async def run(pool: NbAioPool, make: Any) -> Any:
    return await pool.run(make())


async def gather(pool: NbAioPool, make: Any) -> Any:
    return await asyncio.gather(pool.run(make()), pool.run(value()), return_exceptions=True)


async def run_map(pool: NbAioPool, make: Any) -> Any:
    return await pool.map(lambda function: function(), [value, make]).collect()


async def task(pool: NbAioPool, make: Any) -> Any:
    return await asyncio.ensure_future(pool.run(make()))


WAYS: Dict[str, Any] = {way.__name__: way for way in (submit_and_await, run, gather, run_map, task)}


async def usable(pool: NbAioPool) -> None:
    accounting(pool)
    assert (pool.running, pool.queued, pool.waiting) == (0, 0, 0)
    if not pool.closed:
        assert (
            await asyncio.wait_for(pool.run(submit_and_await(pool, lambda: value("usable"))), 5) == "usable"
        )


def look_at(thing: Any) -> None:
    for look in (repr, str, bool, hash, lambda it: it == 3):
        with contextlib.suppress(ValueError, OddError, TypeError):
            look(thing)


async def tell(scene: Scene, make: Any, way: str, cancel_after: Optional[int]) -> None:
    """Wait in a job for a hostile one, and beside that for another; the slots of both levels above are lent."""
    pool, made = scene.pool, asyncio.Event()

    def make_and_tell() -> Any:
        made.set()
        return make()

    async def parent() -> None:
        await turns()
        accounting(pool)
        try:
            look_at(await WAYS[way](pool, make_and_tell))
        except EXPECTED as error:
            look_at(error)
        finally:
            accounting(pool)

    async def grandparent() -> None:
        child = await pool.submit(parent())
        await asyncio.gather(child, return_exceptions=True)

    family = pool.submit_nowait(grandparent())
    scene.jobs += [family, pool.submit_nowait(value())]
    line = asyncio.ensure_future(pool.submit(value()))
    if cancel_after is not None:
        await made.wait()
        await turns(cancel_after)
        look_at(family)
        with contextlib.suppress(ValueError, OddError):  # of a future that is cancelled with it
            family.cancel()
    await asyncio.gather(line, return_exceptions=True)
    ended = asyncio.ensure_future(pool.join())
    await asyncio.wait([ended], timeout=5)
    assert ended.done(), pool
    for job in [family, *scene.jobs]:
        assert job.cancelled() or isinstance(job.exception(), (type(None), *EXPECTED)), job
    await turns(2)
    scene.over = True
    scene.jobs.clear()
    await usable(pool)


async def tell_all(make: Any, deeds: Iterable[str] = DEEDS) -> int:
    """Every way of waiting, every deed; how many deeds there were."""
    deeds_done = 0
    for way in WAYS:
        for deed in deeds:
            for cancel_after in (None, 1, 2, 3):
                scene = Scene(NbAioPool(1, 2))
                story = asyncio.ensure_future(tell(scene, lambda: make(scene, deed), way, cancel_after))  # noqa: B023
                await asyncio.wait([story])
                assert story.exception() is None, (way, deed, cancel_after, story.exception())
                deeds_done += scene.deeds_done
    return deeds_done


@pytest.mark.loop("asyncio", "uvloop")
@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook not in NOT_CALLED])
async def test_hostile_jobs_on_lent_slots(hook: str, reports: List[Any], unraisables: List[str]) -> None:
    # A cancellation that cancels its own job again has no end.
    endless = ("cancel_all", "shut_down_and_cancel") if hook == "future.cancel" else ()
    assert await tell_all(HOOKS[hook], [deed for deed in DEEDS if deed not in endless])
    gc.collect()
    reports.clear()
    assert all("from a deed" in text for text in unraisables), unraisables


# -- Where else code of the user's runs ----------------------------------------------------------------------------


async def resets_a_token(scene: Scene, deed: str) -> Any:
    token = variable.set(Value(scene, deed, "del"))
    await turns()
    variable.reset(token)
    await turns()


async def leaves_a_value_in_its_context(scene: Scene, deed: str) -> Any:
    variable.set(Value(scene, deed, "del"))
    await turns()


async def resets_a_token_of_another_context(scene: Scene, deed: str) -> Any:
    token = contextvars.copy_context().run(variable.set, Value(scene, deed, "del"))
    with contextlib.suppress(ValueError):
        variable.reset(token)
    del token
    await turns()


async def closes_a_generator(scene: Scene, deed: str) -> Any:
    def generator() -> Any:
        try:
            yield
        finally:
            scene.do(deed)

    left = generator()
    next(left)
    await turns()
    left.close()


async def drops_an_asynchronous_generator(scene: Scene, deed: str) -> Any:
    async def generator() -> Any:
        try:
            yield
        finally:
            await turns()
            scene.do(deed)

    async for _ in generator():
        break
    gc.collect()
    await turns(4)


async def cleans_up(scene: Scene, deed: str) -> Any:
    try:
        await turns()
    finally:
        scene.do(deed)
        await turns()


async def lets_its_parent_be_told(scene: Scene, deed: str) -> Any:
    job: Any = asyncio.current_task()
    job.add_done_callback(lambda _: scene.do(deed))
    await turns()


async def does_it_in_a_callback_of_the_loop(scene: Scene, deed: str) -> Any:
    asyncio.get_running_loop().call_soon(scene.do, deed)
    await turns(2)


async def does_it_in_an_empty_context(scene: Scene, deed: str) -> Any:
    contextvars.Context().run(scene.do, deed)
    await turns()


PLACES = {
    place.__name__: place
    for place in (
        resets_a_token,
        leaves_a_value_in_its_context,
        resets_a_token_of_another_context,
        closes_a_generator,
        drops_an_asynchronous_generator,
        cleans_up,
        lets_its_parent_be_told,
        does_it_in_a_callback_of_the_loop,
        does_it_in_an_empty_context,
    )
}


@pytest.mark.loop("asyncio", "uvloop")
@pytest.mark.parametrize("place", PLACES)
async def test_deeds_in_every_place_on_lent_slots(
    place: str, reports: List[Any], unraisables: List[str]
) -> None:
    assert await tell_all(PLACES[place])
    gc.collect()
    assert all("from a deed" in str(context.get("exception")) for context in reports), reports
    reports.clear()
    assert all("from a deed" in text for text in unraisables), unraisables


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("way", WAYS)
async def test_deeds_that_change_no_limit_leave_it_kept(way: str, limit: int) -> None:
    nest = Nest(limit, 2)
    scene = Scene(nest.pool)

    async def child(place: str, deed: str) -> Any:
        with nest.busy():
            await PLACES[place](scene, deed)

    async def parent(place: str, deed: str) -> None:
        await nest.step()
        await WAYS[way](nest.pool, lambda: child(place, deed))
        await nest.step()

    for place in PLACES:
        for deed in ("submit", "look", "drop"):
            await nest.pool.batch_run([parent(place, deed) for _ in range(4)])
    await nest.pool.join()
    scene.over = True
    scene.jobs.clear()
    assert scene.deeds_done >= 4 * 2 * len(PLACES)
    assert nest.peak == limit
    nest.at_rest()


@pytest.mark.parametrize("way", WAYS)
async def test_a_pool_that_only_its_nested_jobs_hold(way: str, reports: List[Any]) -> None:
    """The last reference to the pool goes with a job that ends while slots of it are lent."""
    ended: List[str] = []

    class Owner:
        def __init__(self) -> None:
            self.pool = NbAioPool(1, 2)

        async def level(self, depth: int) -> int:
            await turns()
            if depth:
                await WAYS[way](self.pool, lambda: self.level(depth - 1))
            ended.append("level")
            return depth

    owner: Any = Owner()
    job = owner.pool.submit_nowait(owner.level(4))
    del owner
    gc.collect()
    assert await asyncio.wait_for(job, 5) == 4
    assert ended == ["level"] * 5 and reports == []
