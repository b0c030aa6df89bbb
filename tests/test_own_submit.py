"""A subclass that overrides `submit`: run, the batches and map go through it, with the guarantees that they have."""

from __future__ import annotations

import asyncio
import gc
import inspect
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool, PoolFull, PoolStopped
from support import Gate, accounting, fill, is_closed, raises, turns, value


class Counting(NbAioPool):
    def __init__(self, *limits: int) -> None:
        super().__init__(*limits)
        self.asked: List[Any] = []

    async def submit(self, coro: Any, block: bool = True, future: Any = None) -> Any:
        self.asked.append((coro, block, future))
        return await super().submit(coro, block, future)


async def test_run_goes_through_it_with_its_arguments() -> None:
    pool, coros = Counting(2, 2), [value(1), value(2), value(3)]
    future = asyncio.get_running_loop().create_future()
    assert await pool.run(coros[0]) == 1
    assert await pool.run(coros[1], False) == 2
    assert await pool.run(coros[2], block=True, future=future) == 3
    assert future.result() == 3
    assert pool.asked == [(coros[0], True, None), (coros[1], False, None), (coros[2], True, future)]
    assert inspect.iscoroutinefunction(Counting.run)


async def test_batches_and_map_go_through_it() -> None:
    pool = Counting(2, 2)
    assert await pool.batch_run([value(1)]) == [1]
    assert await (await pool.batch_submit([value(2)]))[0] == 2
    assert await pool.map(value, [3]).collect() == [3]
    assert len(pool.asked) == 3


async def test_what_a_submit_of_another_kind_does_not_know_is_not_passed() -> None:
    class Plain(NbAioPool):
        async def submit(self, coro: Any) -> Any:  # type: ignore[override]
            return await super().submit(coro)

    assert await Plain(1, 1).run(value("result")) == "result"


async def test_a_run_of_the_subclass_or_of_its_bases_is_kept() -> None:
    class Logging(NbAioPool):
        async def run(self, *args: Any, **kwargs: Any) -> Any:
            return "logged", await super().run(*args, **kwargs)

    class Both(Logging):
        async def submit(self, *args: Any, **kwargs: Any) -> Any:
            return await super().submit(*args, **kwargs)

    class Plain(NbAioPool):
        pass

    assert await Both(1, 1).run(value(1)) == ("logged", 1)
    assert Plain.run is NbAioPool.run


async def test_a_submit_out_of_a_mixin_counts_as_well() -> None:
    class Mixin:
        async def submit(self, coro: Any, *args: Any, **kwargs: Any) -> Any:
            mixed.append(coro)
            return await super().submit(coro, *args, **kwargs)  # type: ignore[misc]

    class Mixed(Mixin, NbAioPool):
        pass

    mixed: List[Any] = []
    assert await Mixed(1, 1).run(value(1)) == 1
    assert len(mixed) == 1


@pytest.mark.parametrize("given", [False, True], ids=["plain", "future="])
async def test_cancelling_the_caller_of_run_cancels_the_job_and_waits_for_it(given: bool) -> None:
    pool, inside, cleaning, log = Counting(1, 1), Gate(), Gate(), []
    future = asyncio.get_running_loop().create_future() if given else None

    async def work() -> None:
        try:
            await inside.wait()
        finally:
            await cleaning.wait()
            log.append("cleaned up")

    caller = asyncio.ensure_future(pool.run(work(), future=future))
    await inside.reached(1)
    caller.cancel()
    await cleaning.reached(1)
    await turns(3)
    assert not caller.done()
    cleaning.open()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert log == ["cleaned up"] and accounting(pool).cancelled == 1


@pytest.mark.parametrize("given", [False, True], ids=["plain", "future="])
async def test_an_exception_comes_out_of_run_and_is_not_reported(given: bool) -> None:
    pool, error = Counting(1, 1), LookupError("of the job")
    future = asyncio.get_running_loop().create_future() if given else None
    with pytest.raises(LookupError) as caught:
        await pool.run(raises(error), future=future)
    assert caught.value is error
    del future, caught
    gc.collect()  # the guard of the tests sees what is reported


async def test_what_submit_refuses_run_refuses() -> None:
    pool, gate, coros = Counting(1, 1), Gate(), [value(), value()]
    jobs = fill(pool, gate)
    with pytest.raises(PoolFull):
        await pool.run(coros[0], block=False)
    await pool.shutdown(wait=False)
    with pytest.raises(PoolStopped):
        await pool.run(coros[1])
    assert all(map(is_closed, coros))
    gate.open()
    await asyncio.gather(*jobs)


async def test_a_caller_of_run_that_is_cancelled_in_line_leaves_it() -> None:
    pool, gate, coro = Counting(1, 1), Gate(), value()
    jobs = fill(pool, gate)
    caller = asyncio.ensure_future(pool.run(coro))
    await turns(2)
    assert pool.waiting == 1
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert pool.waiting == 0 and is_closed(coro)
    gate.open()
    await asyncio.gather(*jobs)


async def test_a_run_that_is_thrown_away_cancels_its_job() -> None:
    pool, gate = Counting(1, 1), Gate()
    call = pool.run(gate.hold())
    call.send(None)
    await gate.reached(1)
    call.close()
    await pool.join()
    assert pool.stats().cancelled == 1


async def test_a_future_of_its_own_is_what_run_waits_for() -> None:
    class Renaming(NbAioPool):
        async def submit(self, coro: Any, block: bool = True, future: Any = None) -> Any:
            job = await super().submit(coro, block, future)
            return asyncio.ensure_future(self.rename(job))

        async def rename(self, job: Any) -> str:
            return f"renamed {await job}"

    assert await Renaming(1, 1).run(value("result")) == "renamed result"


async def test_nested_calls_of_run_do_not_deadlock() -> None:
    pool = Counting(1, 1)

    async def nested(depth: int) -> int:
        return 1 + await pool.run(nested(depth - 1)) if depth else 0

    assert await pool.run(nested(5)) == 5
