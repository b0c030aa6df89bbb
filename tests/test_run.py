"""run: the result, the turn it takes, and the context it runs in (cancellation: test_run_cancelled.py)."""

from __future__ import annotations

import asyncio
import contextvars
import traceback
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool, PoolFull
from support import Gate, Load, accounting, append, counts, fill, is_closed, raises, turns, value

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


async def test_run_returns_the_result() -> None:
    assert await NbAioPool(1, 1).run(value("result")) == "result"


async def test_run_raises_the_exception_itself_with_the_jobs_frames() -> None:
    pool, error = NbAioPool(1, 1), LookupError("mine")

    async def fails_deep_inside() -> None:
        await turns()
        await raises(error)

    with pytest.raises(LookupError) as caught:
        await pool.run(fails_deep_inside())
    assert caught.value is error
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-2:] == ["fails_deep_inside", "raises"]
    assert counts(pool) == {"running": 0, "queued": 0, "waiting": 0}


async def test_run_raises_the_exception_also_when_it_had_to_wait() -> None:
    pool, gate, error = NbAioPool(1, 1), Gate(), LookupError("mine")
    job = pool.submit_nowait(gate.hold())
    caller = asyncio.ensure_future(pool.run(raises(error)))
    await gate.reached(1)
    assert pool.queued == 1
    gate.open()
    with pytest.raises(LookupError) as caught:
        await caller
    assert caught.value is error
    await job


async def test_run_in_an_idle_pool_needs_no_turn_of_the_loop() -> None:
    pool = NbAioPool(1, 1)
    turned: List[Any] = []
    await turns()
    asyncio.get_running_loop().call_soon(turned.append, True)
    assert await pool.run(value("at once")) == "at once"
    assert turned == []


async def test_run_takes_its_turn_behind_jobs_accepted_earlier() -> None:
    pool, gate = NbAioPool(1, 10), Gate()
    log: List[Any] = []
    jobs = [pool.submit_nowait(gate.hold())]
    jobs += [pool.submit_nowait(append(log, i)) for i in range(3)]
    caller = asyncio.ensure_future(pool.run(append(log, "run")))
    await gate.reached(1)
    jobs.append(pool.submit_nowait(append(log, "after")))
    gate.open()
    await asyncio.gather(caller, *jobs)
    assert log == [0, 1, 2, "run", "after"]


async def test_run_does_not_start_before_accepted_jobs_that_have_slots_but_took_no_step_yet() -> None:
    pool = NbAioPool(5, 5)
    log: List[Any] = []
    jobs = [pool.submit_nowait(append(log, i)) for i in range(3)]
    await pool.run(append(log, "run"))
    assert log == [0, 1, 2, "run"]
    await asyncio.gather(*jobs)


async def test_a_run_that_waits_for_its_turn_is_accepted_and_counts_as_queued() -> None:
    pool, gate = NbAioPool(1, 2), Gate()
    job = pool.submit_nowait(gate.hold())
    caller = asyncio.ensure_future(pool.run(value("result")))
    await gate.reached(1)
    assert counts(pool) == {"running": 1, "queued": 1, "waiting": 0}
    gate.open()
    assert await caller == "result"
    await job


async def test_run_waits_for_room_when_the_pool_is_full() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    caller = asyncio.ensure_future(pool.run(value("result")))
    await turns(3)
    assert counts(pool) == {"running": 1, "queued": 1, "waiting": 1}
    assert accounting(pool).submitted == 2
    gate.open()
    assert await caller == "result"
    await asyncio.gather(*jobs)


async def test_run_without_blocking_is_refused_by_a_full_pool() -> None:
    pool, gate, coro = NbAioPool(1, 1), Gate(), value()
    jobs = fill(pool, gate)
    with pytest.raises(PoolFull):
        await pool.run(coro, block=False)
    assert is_closed(coro)
    gate.open()
    await asyncio.gather(*jobs)
    assert await pool.run(value("room"), block=False) == "room"


async def test_run_without_blocking_may_still_wait_in_the_queue() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    job = pool.submit_nowait(gate.hold())
    caller = asyncio.ensure_future(pool.run(value("result"), block=False))
    await gate.reached(1)
    assert pool.queued == 1
    gate.open()
    assert await caller == "result"
    await job


async def test_a_running_run_takes_a_slot() -> None:
    pool, gate = NbAioPool(2, 1), Gate()
    callers = [asyncio.ensure_future(pool.run(gate.hold(i))) for i in range(4)]
    await gate.reached(2)
    await turns(2)
    assert gate.arrived == 2
    assert counts(pool) == {"running": 2, "queued": 1, "waiting": 1}
    gate.open()
    assert await asyncio.gather(*callers) == [0, 1, 2, 3]
    assert counts(pool) == {"running": 0, "queued": 0, "waiting": 0}


@pytest.mark.parametrize("limit", [1, 4])
async def test_many_runs_start_in_order_and_keep_the_limit(limit: int) -> None:
    pool, load = NbAioPool(limit, 2), Load()
    started: List[Any] = []

    async def job(i: int) -> int:
        started.append(i)
        return int(await load.job(2, i))

    assert await asyncio.gather(*[pool.run(job(i)) for i in range(40)]) == list(range(40))
    assert started == list(range(40)) and load.peak == limit


async def test_a_job_of_run_may_use_the_rest_of_its_pool() -> None:
    pool = NbAioPool(3, 3)

    async def job() -> List[Any]:
        inner = await pool.submit(value("submitted"))
        return [await pool.run(value("run")), await inner]

    assert await pool.run(job()) == ["run", "submitted"]


@pytest.mark.parametrize("busy", [False, True], ids=["at once", "from the queue"])
async def test_run_sees_the_callers_context_and_does_not_change_it(busy: bool) -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    seen: List[Any] = []

    async def job() -> None:
        seen.append(variable.get())
        variable.set("the job's")
        await turns(2)
        seen.append(variable.get())
        asyncio.get_running_loop().call_soon(lambda: seen.append(variable.get()))

    async def caller() -> None:
        variable.set("the caller's")
        await pool.run(job())
        assert variable.get() == "the caller's"

    ahead = [pool.submit_nowait(gate.hold())] if busy else []
    task = asyncio.ensure_future(caller())
    await turns()
    gate.open()
    await task
    await turns()
    assert seen == ["the caller's", "the job's", "the job's"]
    await asyncio.gather(*ahead)


async def test_two_runs_of_one_caller_do_not_see_each_others_variables() -> None:
    pool = NbAioPool(1, 1)
    seen: List[Any] = []

    async def job(text: str) -> None:
        seen.append(variable.get("unset"))
        variable.set(text)

    await pool.run(job("first"))
    await pool.run(job("second"))
    assert seen == ["unset", "unset"] and variable.get("unset") == "unset"


async def test_a_token_of_the_caller_is_of_no_use_in_the_job() -> None:
    pool = NbAioPool(1, 1)
    token = variable.set("the caller's")

    async def job() -> None:
        variable.reset(token)

    with pytest.raises(ValueError, match="Context"):
        await pool.run(job())
    assert variable.get() == "the caller's"


@pytest.mark.parametrize("busy", [False, True], ids=["at once", "from the queue"])
async def test_a_job_of_run_has_a_current_task(busy: bool) -> None:
    pool, gate = NbAioPool(1, 1), Gate()

    async def job() -> Any:
        first = asyncio.current_task()
        await turns(2)
        assert asyncio.current_task() is first
        return first

    ahead = [pool.submit_nowait(gate.hold())] if busy else []
    me = asyncio.current_task()
    task = asyncio.ensure_future(pool.run(job()))
    await turns()
    gate.open()
    assert await task is not None
    assert asyncio.current_task() is me
    await asyncio.gather(*ahead)


async def test_an_exception_of_run_is_not_reported_a_second_time(reports: Any) -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    job = pool.submit_nowait(gate.hold())
    waited = asyncio.ensure_future(pool.run(raises(KeyError("waited"))))
    await gate.reached(1)
    gate.open()
    with pytest.raises(KeyError, match="waited"):
        await waited
    with pytest.raises(KeyError, match="at once"):
        await pool.run(raises(KeyError("at once")))
    await job
    await turns(2)
    assert reports == []
