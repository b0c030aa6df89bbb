"""A lender that was woken and waits for its slot: whoever wakes, cancels or repays it makes one step of it, not two."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool
from support import turns, value


class Woken:
    """A job that has lent its slot, was woken by something else, and waits for the slot to go on."""

    def __init__(self) -> None:
        self.pool = NbAioPool(1, 10)
        self.event, self.hold = asyncio.Event(), asyncio.Event()
        self.log: List[str] = []
        self.children: List[Any] = []
        self.job: Any = None

    async def parent(self) -> None:
        self.children = [await self.pool.submit(turns(3)), await self.pool.submit(self.child())]

        async def wait(future: Any) -> None:
            await future

        both = asyncio.gather(*[asyncio.ensure_future(wait(child)) for child in self.children])
        other = asyncio.ensure_future(self.event.wait())
        try:
            await asyncio.wait({both, other}, return_when=asyncio.FIRST_COMPLETED)
            self.log.append("woken")
        except asyncio.CancelledError:
            await self.clean_up()
            raise

    async def child(self) -> None:
        await self.hold.wait()

    async def clean_up(self) -> None:
        loop = asyncio.get_running_loop()
        failing = loop.create_future()
        loop.call_later(0.005, failing.set_exception, ValueError("once"))
        try:
            await failing
        except ValueError:
            self.log.append("failed once")
        last = loop.create_future()
        loop.call_later(0.01, last.set_result, None)
        await last
        self.log.append("cleaned up")

    async def begin(self) -> None:
        self.job = await self.pool.submit(self.parent())
        while not (self.pool.stats().succeeded == 1 and self.pool.running == 2):
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        self.event.set()
        while not self.job._fut_waiter.done():
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def end(self) -> None:
        with pytest.raises(asyncio.CancelledError):
            await self.job
        self.hold.set()
        await self.pool.join()


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_cancelled_any_number_of_times_before_the_loop_turns(times: int) -> None:
    woken = Woken()
    await woken.begin()
    for _ in range(times):
        woken.job.cancel()
    await woken.end()
    assert woken.log == ["failed once", "cleaned up"]


async def test_cancelled_in_the_turn_in_which_the_slot_comes_back() -> None:
    woken = Woken()
    await woken.begin()
    woken.children[0].add_done_callback(lambda _: woken.job.cancel())
    woken.hold.set()
    await woken.end()
    assert woken.log == ["failed once", "cleaned up"]


async def test_a_callback_that_comes_late_does_not_wake_another_wait() -> None:
    class Stubborn(asyncio.Future):  # type: ignore[type-arg]
        def cancel(self, *_: Any, **__: Any) -> bool:
            raise LookupError("cannot be cancelled")

    log, loop = [], asyncio.get_running_loop()
    stubborn, last = Stubborn(loop=loop), loop.create_future()

    async def job() -> None:
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        for future in (stubborn, last):
            try:
                await future
                log.append("went on")
            except BaseException as error:
                log.append(repr(error))

    future = await NbAioPool(1, 1).submit(job())
    await turns(3)
    stubborn.set_exception(ValueError("late"))
    await turns(3)
    assert len(log) == 1
    last.set_result(None)
    await future
    assert log[1] == "went on"
    assert stubborn.exception() is not None


async def test_a_future_that_stands_for_another_may_call_back_with_that() -> None:
    inner = asyncio.get_running_loop().create_future()

    class Proxy:
        _asyncio_future_blocking = False

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        def __await__(self) -> Any:
            self._asyncio_future_blocking = True
            yield self
            return inner.result()

        __iter__ = __await__

    pool = NbAioPool(1, 1)

    async def job() -> Any:
        return await Proxy()  # type: ignore[misc]

    future = await pool.submit(job())
    await turns(2)
    inner.set_result("through")
    assert await future == "through"
    assert await pool.run(value(1)) == 1
