"""What a coroutine may do wrong in a step, and what may go wrong around it: answered as asyncio's Task does."""

from __future__ import annotations

import asyncio
import types
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool
from parity import Yields, spawn
from support import Gate, accounting, outcome, turns, value


class NoFuture:
    """An object that only claims to know about waiting."""

    _asyncio_future_blocking: Any = None


BAD_YIELDS = [42, "text", object(), NoFuture(), (), True, 0, NotImplemented]


@pytest.mark.parametrize("bad", BAD_YIELDS, ids=lambda bad: type(bad).__name__)
async def test_a_bad_yield_is_an_error_that_shows_it(bad: Any) -> None:
    async def work() -> None:
        await Yields(bad)

    job = spawn(work())
    with pytest.raises(RuntimeError, match="got bad yield") as caught:
        await job
    assert repr(bad) in str(caught.value)


async def test_a_coroutine_may_go_on_after_a_bad_yield() -> None:
    log: List[Any] = []

    async def work() -> str:
        for i in range(3):
            with pytest.raises(RuntimeError, match="bad yield: %d" % i):
                await Yields(i)
            log.append(i)
            await turns()
        return "end"

    assert await spawn(work()) == "end"
    assert log == [0, 1, 2]


async def test_a_bad_yield_is_thrown_in_a_later_turn() -> None:
    log: List[Any] = []

    async def work() -> None:
        asyncio.get_running_loop().call_soon(log.append, "turn")
        try:
            await Yields(42)
        except RuntimeError:
            log.append("thrown")

    await spawn(work())
    assert log == ["turn", "thrown"]


async def test_a_bare_yield_gives_none_back() -> None:
    async def work() -> Any:
        return await Yields(None)

    assert await spawn(work()) is None


async def test_a_yielded_generator_is_an_error_that_says_so() -> None:
    generator = (i for i in range(3))

    async def work() -> None:
        await Yields(generator)

    with pytest.raises(RuntimeError, match="yield was used instead of yield from for generator"):
        await spawn(work())


async def test_a_future_that_is_yielded_and_not_awaited_is_an_error_that_says_so() -> None:
    future = asyncio.get_running_loop().create_future()

    async def work() -> None:
        await Yields(future)

    with pytest.raises(RuntimeError, match="yield was used instead of yield from") as caught:
        await spawn(work())
    assert "Future" in str(caught.value) and not future.done()


async def test_a_job_cannot_await_itself() -> None:
    jobs: List[Any] = []

    async def work() -> None:
        await jobs[0]

    jobs.append(spawn(work()))
    with pytest.raises(RuntimeError, match="cannot await on itself"):
        await jobs[0]


async def test_a_job_that_tried_to_await_itself_may_go_on() -> None:
    async def work() -> str:
        me: Any = asyncio.current_task()
        with pytest.raises(RuntimeError, match="cannot await on itself"):
            await me
        await turns()
        return "end"

    assert await spawn(work()) == "end"


@pytest.mark.parametrize("done", [False, True], ids=["pending", "done"])
def test_a_future_of_another_loop_cannot_be_awaited(done: bool, loop_factory: Callable[[], Any]) -> None:
    loop, other = loop_factory(), loop_factory()
    future = other.create_future()
    if done:
        future.set_result("of no loop any more")

    async def work() -> Any:
        return await future

    async def main() -> Any:
        return await spawn(work())

    if done:
        assert loop.run_until_complete(main()) == "of no loop any more"
    else:
        with pytest.raises(RuntimeError, match="attached to a different loop"):
            loop.run_until_complete(main())
        assert not future.done()
    loop.close()
    other.close()


async def test_a_future_that_is_awaited_by_two_jobs_wakes_both() -> None:
    future = asyncio.get_running_loop().create_future()

    async def work(name: str) -> Any:
        return name, await future

    jobs = [spawn(work(name)) for name in "ab"]
    await turns(2)
    future.set_result(1)
    assert await asyncio.gather(*jobs) == [("a", 1), ("b", 1)]


class Duck:
    """Waits as futures do, and is none."""

    def __init__(self) -> None:
        self._asyncio_future_blocking = False
        self._loop = asyncio.get_running_loop()
        self.callbacks: List[Any] = []
        self.cancels: List[Any] = []
        self.answer = True

    def __await__(self) -> Any:
        self._asyncio_future_blocking = True
        yield self
        return self.result()

    def add_done_callback(self, callback: Any, *, context: Any) -> None:
        self.callbacks.append((callback, context))

    def cancel(self, msg: Any = None) -> bool:
        self.cancels.append(msg)
        return self.answer

    def result(self) -> Any:
        return "quack"

    def call_back(self) -> None:
        for callback, context in self.callbacks:
            self._loop.call_soon(callback, self, context=context)
        self.callbacks.clear()


async def test_whatever_waits_as_a_future_does_may_be_awaited() -> None:
    duck = Duck()

    async def work() -> Any:
        return await duck

    job = spawn(work())
    await turns(2)
    assert duck._asyncio_future_blocking is False and job._fut_waiter is duck
    assert len(duck.callbacks) == 1 and duck.callbacks[0][1] is job.get_context()
    duck.call_back()
    assert await job == "quack"


async def test_what_refuses_to_be_cancelled_leaves_the_cancellation_to_the_next_step() -> None:
    duck = Duck()
    duck.answer = False

    async def work() -> Any:
        return await duck

    job = spawn(work())
    await turns(2)
    assert job.cancel() is True
    assert len(duck.cancels) == 1 and job._must_cancel and not job.done()
    duck.call_back()
    with pytest.raises(asyncio.CancelledError):
        await job


async def test_what_fails_to_be_cancelled_raises_out_of_cancel() -> None:
    gate = Gate()

    class Broken(Duck):
        def cancel(self, msg: Any = None) -> bool:
            raise LookupError("broken")

    duck = Broken()

    async def work() -> Any:
        await duck
        return await gate.hold("end")

    job = spawn(work())
    await turns(2)
    with pytest.raises(LookupError, match="broken"):
        job.cancel()
    assert not job.done()
    duck.call_back()
    await gate.reached(1)
    gate.open()
    assert await job == "end"


async def test_what_fails_to_take_a_callback_raises_inside_the_job() -> None:
    class Broken(Duck):
        def add_done_callback(self, callback: Any, *, context: Any) -> None:
            raise LookupError("broken")

    async def work() -> str:
        with pytest.raises(LookupError, match="broken"):
            await Broken()
        await turns()
        return "end"

    assert await spawn(work()) == "end"


async def test_an_attribute_that_fails_raises_inside_the_job() -> None:
    class Broken:
        @property
        def _asyncio_future_blocking(self) -> Any:
            raise LookupError("broken")

    async def work() -> str:
        with pytest.raises(LookupError, match="broken"):
            await Yields(Broken())
        return "end"

    assert await spawn(work()) == "end"


async def test_what_calls_back_at_once_does_not_confuse_the_job() -> None:
    class Hasty(Duck):
        def add_done_callback(self, callback: Any, *, context: Any) -> None:
            self._loop.call_soon(callback, self, context=context)

    async def work() -> List[Any]:
        return [await Hasty() for _ in range(3)]

    assert await spawn(work()) == ["quack"] * 3


async def test_the_error_of_what_was_awaited_is_thrown_in_even_if_nobody_asks_for_the_result() -> None:
    future, error = asyncio.get_running_loop().create_future(), LookupError("of the future")

    class Blunt:
        def __await__(self) -> Any:
            future._asyncio_future_blocking = True
            yield future

    async def work() -> None:
        await Blunt()

    job = spawn(work())
    await turns(2)
    future.set_exception(error)
    await asyncio.wait([job])
    assert outcome(job) == ("exception", error)


async def test_a_subclass_of_future_that_overrides_result_is_asked_by_the_job() -> None:
    asked = []

    class Mine(asyncio.Future):  # type: ignore[type-arg]
        def result(self) -> Any:
            asked.append(self)
            return super().result()

    future = Mine()

    async def work() -> Any:
        return await future

    job = spawn(work())
    await turns(2)
    future.set_result("mine")
    assert await job == "mine"
    assert asked[:1] == [future]


async def test_a_job_that_steps_its_loop_into_an_error_is_no_harm_to_the_next_job() -> None:
    pool = NbAioPool(1, 10)

    @types.coroutine
    def bad() -> Any:
        yield 1

    jobs = [pool.submit_nowait(bad() if i % 2 else value(i)) for i in range(10)]
    done = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(one) for one in done] == [int, RuntimeError] * 5
    assert accounting(pool) == (10, 5, 5, 0, 0, 0)
