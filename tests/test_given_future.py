"""submit(..., future=f) and run(..., future=f): the outcome goes to a future of one's own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool, PoolFull
from support import Gate, accounting, append, counts, fill, is_closed, outcome, park, raises, turns, value


async def test_a_future_of_ones_own_is_returned_and_gets_the_result() -> None:
    pool, future = NbAioPool(1, 1), asyncio.get_running_loop().create_future()
    assert await pool.submit(value("result"), future=future) is future
    assert await future == "result"


async def test_a_future_of_ones_own_gets_the_exception() -> None:
    pool, future, error = NbAioPool(1, 1), asyncio.get_running_loop().create_future(), LookupError("mine")
    await pool.submit(raises(error), future=future)
    with pytest.raises(LookupError) as caught:
        await future
    assert caught.value is error


async def test_a_future_of_ones_own_gets_the_cancellation() -> None:
    pool, future = NbAioPool(1, 1), asyncio.get_running_loop().create_future()
    await pool.submit(raises(asyncio.CancelledError()), future=future)
    with pytest.raises(asyncio.CancelledError):
        await future
    assert future.cancelled()
    assert accounting(pool).cancelled == 1


async def test_a_future_of_ones_own_is_served_after_waiting_for_room() -> None:
    pool, gate, future = NbAioPool(1, 1), Gate(), asyncio.get_running_loop().create_future()
    jobs = fill(pool, gate)
    producer = asyncio.ensure_future(pool.submit(value("late"), future=future))
    await turns()
    assert pool.waiting == 1
    gate.open()
    assert await producer is future
    assert await future == "late"
    await asyncio.gather(*jobs)


async def test_cancelling_the_given_future_drops_the_queued_job() -> None:
    pool, gate, future, coro = NbAioPool(1, 1), Gate(), asyncio.get_running_loop().create_future(), value()
    held = pool.submit_nowait(gate.hold())
    await pool.submit(coro, future=future)
    assert pool.queued == 1
    assert future.cancel()
    await turns(2)
    assert is_closed(coro)
    assert counts(pool) == {"running": 1, "queued": 0, "waiting": 0}
    gate.open()
    await held


async def test_cancelling_the_given_future_cancels_the_running_job() -> None:
    pool, gate, future, log = NbAioPool(1, 1), Gate(), asyncio.get_running_loop().create_future(), []

    async def job() -> None:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    await pool.submit(job(), future=future)
    await gate.reached(1)
    future.cancel()
    await pool.join()
    assert log == ["cancelled"] and future.cancelled()
    assert accounting(pool).cancelled == 1


async def test_a_given_future_that_somebody_else_resolves_keeps_that_result() -> None:
    pool, gate, future = NbAioPool(1, 1), Gate(), asyncio.get_running_loop().create_future()
    await pool.submit(gate.hold("ours"), future=future)
    await gate.reached(1)
    future.set_result("theirs")
    gate.open()
    await pool.join()
    assert await future == "theirs"


async def test_a_given_future_stays_pending_when_nothing_was_submitted() -> None:
    pool, gate, future = NbAioPool(1, 1), Gate(), asyncio.get_running_loop().create_future()
    jobs = fill(pool, gate)
    with pytest.raises(PoolFull):
        await pool.submit(value(), block=False, future=future)
    assert outcome(future) == ("pending", None)
    producer = asyncio.ensure_future(pool.submit(value(), future=future))
    await turns()
    producer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await producer
    assert outcome(future) == ("pending", None)
    gate.open()
    await asyncio.gather(*jobs)
    assert await (await pool.submit(value("now"), future=future)) == "now"


async def test_a_given_future_cancelled_while_its_producer_waits_cancels_the_job() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    log: List[Any] = []
    future = asyncio.get_running_loop().create_future()
    jobs, coro = fill(pool, gate), append(log, "cancelled")
    producer = asyncio.ensure_future(pool.submit(coro, future=future))
    await turns()
    (patient,) = await park(pool, append(log, "patient"))
    future.cancel()
    gate.open()
    assert await (await patient) == "patient"
    await asyncio.wait([producer])
    await asyncio.gather(*jobs)
    await pool.join()
    assert is_closed(coro) and log == ["patient"] and future.cancelled()
    assert producer.cancelled() or producer.exception() is not None or producer.result() is future
    assert pool.waiting == 0


@pytest.mark.parametrize("name", ["submit", "run"])
@pytest.mark.parametrize(
    "bad",
    [1, "future", object(), concurrent.futures.Future(), asyncio.Future],
    ids=lambda bad: type(bad).__name__,
)
async def test_a_future_that_is_none_is_a_type_error(name: str, bad: Any) -> None:
    pool, coro = NbAioPool(1, 1), value()
    with pytest.raises(TypeError, match="future") as caught:
        await getattr(pool, name)(coro, future=bad)
    assert repr(bad) in str(caught.value) or type(bad).__name__ in str(caught.value)
    assert is_closed(coro) and accounting(pool).submitted == 0


@pytest.mark.parametrize("name", ["submit", "run"])
async def test_a_future_of_another_loop_is_a_value_error(name: str) -> None:
    pool, coro, other = NbAioPool(1, 1), value(), asyncio.new_event_loop()
    try:
        with pytest.raises(ValueError, match="loop"):
            await getattr(pool, name)(coro, future=other.create_future())
    finally:
        other.close()
    assert is_closed(coro) and accounting(pool).submitted == 0


@pytest.mark.parametrize("name", ["submit", "run"])
@pytest.mark.parametrize("how", ["result", "exception", "cancelled"])
async def test_a_future_that_is_done_is_refused(name: str, how: str) -> None:
    pool, coro, future = NbAioPool(1, 1), value(), asyncio.get_running_loop().create_future()
    if how == "result":
        future.set_result(1)
    elif how == "exception":
        future.set_exception(KeyError("old"))
        future.exception()
    else:
        future.cancel()
    with pytest.raises(asyncio.InvalidStateError):
        await getattr(pool, name)(coro, future=future)
    assert is_closed(coro) and accounting(pool).submitted == 0


async def test_an_exception_in_a_given_future_that_nobody_retrieves_is_reported_once(reports: Any) -> None:
    pool, future = NbAioPool(1, 1), asyncio.get_running_loop().create_future()
    await pool.submit(raises(KeyError("lost")), future=future)
    await pool.join()
    await turns(2)
    del future
    gc.collect()
    assert [repr(report["exception"]) for report in reports] == [repr(KeyError("lost"))]


async def test_run_with_a_future_gives_the_outcome_to_both() -> None:
    pool, loop, error = NbAioPool(1, 1), asyncio.get_running_loop(), LookupError("mine")
    first, second, third = loop.create_future(), loop.create_future(), loop.create_future()
    assert await pool.run(value("result"), future=first) == "result"
    assert outcome(first) == ("result", "result")
    with pytest.raises(LookupError):
        await pool.run(raises(error), future=second)
    assert outcome(second) == ("exception", error)
    with pytest.raises(asyncio.CancelledError):
        await pool.run(raises(asyncio.CancelledError()), future=third)
    assert outcome(third) == ("cancelled", None)


async def test_run_with_a_future_gives_the_outcome_to_both_after_waiting() -> None:
    pool, gate, future = NbAioPool(1, 1), Gate(), asyncio.get_running_loop().create_future()
    jobs = fill(pool, gate)
    caller = asyncio.ensure_future(pool.run(value("late"), future=future))
    await turns()
    assert pool.waiting == 1
    gate.open()
    assert await caller == "late"
    assert outcome(future) == ("result", "late")
    await asyncio.gather(*jobs)


@pytest.mark.parametrize("busy", [False, True], ids=["at once", "from the queue"])
async def test_cancelling_the_future_given_to_run_cancels_the_job(busy: bool) -> None:
    pool, first, gate = NbAioPool(1, 1), Gate(), Gate()
    future = asyncio.get_running_loop().create_future()
    log: List[Any] = []

    async def job() -> None:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    ahead = [pool.submit_nowait(first.hold())] if busy else []
    caller = asyncio.ensure_future(pool.run(job(), future=future))
    await turns()
    first.open()
    await gate.reached(1)
    future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert log == ["cancelled"] and future.cancelled()
    await asyncio.gather(*ahead)
    assert accounting(pool).cancelled == 1


async def test_a_future_given_to_a_run_that_is_cancelled_is_cancelled() -> None:
    pool, gate, future = NbAioPool(1, 1), Gate(), asyncio.get_running_loop().create_future()
    caller = asyncio.ensure_future(pool.run(gate.hold(), future=future))
    await gate.reached(1)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await turns()
    assert future.cancelled()


@pytest.mark.parametrize("full", [False, True], ids=["free", "full"])
async def test_a_cancelled_caller_of_run_with_a_future_waits_for_the_job_to_end(full: bool) -> None:
    pool, gate, cleanup = NbAioPool(1, 1), Gate(), Gate()
    future = asyncio.get_running_loop().create_future()
    log: List[str] = []
    jobs = fill(pool, gate) if full else []

    async def job() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            log.append("cleaning up")
            await cleanup.wait()
            log.append("ended")

    caller = asyncio.ensure_future(pool.run(job(), future=future))
    await turns(2)
    gate.open()
    await asyncio.gather(*jobs)
    await turns(2)
    caller.cancel()
    await turns(3)
    assert log == ["cleaning up"] and not caller.done()
    cleanup.open()
    await asyncio.wait([caller])
    assert caller.cancelled() and future.cancelled() and log == ["cleaning up", "ended"]


async def test_names_that_a_subclass_may_well_use_do_not_disturb_the_pool() -> None:
    class Named(NbAioPool):
        def taken(self, *_: Any) -> None:
            raise AssertionError("called by the pool")

        _run = _offer = _check = _close = _wait = _bind = _room = _cancel_all = _guard = _loop = taken

    async with Named(1, 1) as pool:
        assert await pool.run(value(1)) == 1
        assert await pool.batch_run([value(2), value(3)]) == [2, 3]
        await pool.join()
