"""Inputs and functions of a map that misbehave: it ends, closes what it has to, and leaves nothing."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, Callable, Dict, List

import pytest

from hostile import DEEDS, OddError, Scene, Value
from nb_aiopool import NbAioPool, PoolError
from support import accounting, counts, take, turns, value

pytestmark = pytest.mark.limit(10)
BOTH = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
IDLE = {"running": 0, "queued": 0, "waiting": 0}


class ExpectedError(Exception):
    pass


async def at_rest(pool: NbAioPool) -> None:
    await pool.join()
    assert counts(pool) == IDLE
    if not pool.closed:
        assert await pool.map(value, range(3)).collect() == [0, 1, 2]


# -- Inputs that do a deed in any of their methods -----------------------------------------------------------------


class Items:
    """A synchronous input of five numbers, or an asynchronous one."""

    PLACES = ("iter", "next", "end", "len", "item", "del", "aclose", "function")

    def __init__(self, act: Callable[[str], None]) -> None:
        self.act = act
        self.given = 0

    def __length_hint__(self) -> int:
        self.act("len")
        return 5

    def draw(self) -> Any:
        self.act("next" if self.given < 5 else "end")
        self.given += 1
        return self.given if self.given <= 5 else None

    def __del__(self) -> None:
        self.act("del")


class SyncItems(Items):
    def __iter__(self) -> Any:
        self.act("iter")
        return self

    def __next__(self) -> Any:
        item = self.draw()
        if item is None:
            raise StopIteration
        return item


class AsyncItems(Items):
    def __aiter__(self) -> Any:
        self.act("iter")
        return self

    async def __anext__(self) -> Any:
        item = self.draw()
        await turns()
        if item is None:
            raise StopAsyncIteration
        return item

    async def aclose(self) -> None:
        await turns()
        self.act("aclose")


async def tell(scene: Scene, kind: Any, place: str, deed: str, *, ordered: bool, nested: bool) -> None:
    pool = scene.pool

    def act(where: str) -> None:
        accounting(pool)
        if where == place:
            scene.do(deed)

    async def job(thing: Any) -> Any:
        await turns()
        return Value(scene, deed, "del") if place == "item" else thing

    def func(thing: Any) -> Any:
        act("function")
        return job(thing)

    async def consume() -> Any:
        seen = await take(pool.map(func, kind(act), ordered=ordered))
        error = seen[-1] if seen and isinstance(seen[-1], BaseException) else None
        if error is None:
            assert len(seen) == 5
        else:
            assert isinstance(error, (PoolError, ValueError, OddError, asyncio.CancelledError)), error
        assert scene.deeds_done or place in ("item", "del", "aclose"), place

    job_or_task: Any = pool.submit_nowait(consume()) if nested else asyncio.ensure_future(consume())
    await asyncio.wait([job_or_task], timeout=5)
    error = None if job_or_task.cancelled() else job_or_task.exception()
    # What the length raises comes out of the call.
    assert error is None or place == "len", (error, place)
    gc.collect()
    await turns(3)
    scene.over = True
    scene.jobs.clear()
    await at_rest(pool)


@BOTH
@pytest.mark.parametrize("nested", [False, True], ids=["outside", "in a job"])
@pytest.mark.parametrize("place", Items.PLACES)
async def test_deeds_of_an_input(
    place: str, nested: bool, ordered: bool, reports: List[Any], unraisables: List[str]
) -> None:
    for kind in (SyncItems, AsyncItems):
        for deed in DEEDS:
            if deed == "fail_oddly" and place == "aclose":
                continue  # what is no Exception goes on through the feeder
            scene = Scene(NbAioPool(1, 4))
            story = asyncio.ensure_future(tell(scene, kind, place, deed, ordered=ordered, nested=nested))
            await asyncio.wait([story])
            assert story.exception() is None, (kind.__name__, deed, story.exception())
    gc.collect()
    assert all("from a deed" in str(context.get("exception")) for context in reports), reports
    reports.clear()
    assert all("from a deed" in text for text in unraisables), unraisables


# -- Inputs that break the protocol --------------------------------------------------------------------------------


class Broken:
    """An asynchronous input with one method replaced."""

    def __init__(self, **methods: Any) -> None:
        self.methods = methods
        self.given = 0

    def __aiter__(self) -> Any:
        return self.methods.get("aiter", lambda: self)()

    def __anext__(self) -> Any:
        self.given += 1
        return self.methods["anext"]() if self.given > 2 and "anext" in self.methods else self.number()

    async def number(self) -> int:
        await turns()
        if self.given > 4:
            raise StopAsyncIteration
        return self.given

    def aclose(self) -> Any:
        return self.methods.get("aclose", turns)()


def fail(*_: Any) -> Any:
    raise ExpectedError


async def fail_later() -> Any:
    await turns()
    raise ExpectedError


async def cancelled() -> None:
    await turns()
    raise asyncio.CancelledError


BROKEN: Dict[str, Any] = {
    "no iterator": ({"aiter": lambda: 5}, (TypeError, AttributeError)),
    "an iterator that is only synchronous": ({"aiter": lambda: iter([1])}, (TypeError, AttributeError)),
    "iter that raises": ({"aiter": fail}, ExpectedError),
    "next that raises": ({"anext": fail}, ExpectedError),
    "next that raises later": ({"anext": fail_later}, ExpectedError),
    "next that is no awaitable": ({"anext": int}, TypeError),
    "next that is cancelled": ({"anext": cancelled}, asyncio.CancelledError),
    "aclose that raises": ({"aclose": fail}, None),
    "aclose that raises later": ({"aclose": fail_later}, None),
    "aclose that is no awaitable": ({"aclose": int}, None),
}


@BOTH
@pytest.mark.parametrize("name", BROKEN)
async def test_an_input_that_breaks_the_protocol(name: str, ordered: bool, reports: List[Any]) -> None:
    methods, error = BROKEN[name]
    pool = NbAioPool(2, 2)
    seen = await take(pool.map(value, Broken(**methods), ordered=ordered))
    if error is None:
        assert seen == [1, 2, 3, 4]
        assert len(reports) == 1 and "failed to close" in reports[0]["message"]
    else:
        assert isinstance(seen[-1], error), seen
        assert seen[:-1] == ([1, 2] if "anext" in methods else [])
    reports.clear()
    await at_rest(pool)
