"""Futures: what the pool returns is an asyncio.Future, with the outcome of its job."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import weakref
from typing import Any, Dict, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, accounting, fill, raises, turns, value


def new_job_of(pool: NbAioPool) -> Any:
    return pool.submit_nowait(value("result"))


async def test_a_job_is_an_asyncio_future_of_the_running_loop() -> None:
    job = new_job_of(NbAioPool(1, 1))
    assert isinstance(job, asyncio.Future) and asyncio.isfuture(job)
    assert job.get_loop() is asyncio.get_running_loop()
    assert asyncio.ensure_future(job) is job
    assert (job.done(), job.cancelled()) == (False, False)
    assert await job == "result"
    assert (job.done(), job.cancelled(), job.result(), job.exception()) == (True, False, "result", None)


async def test_the_outcome_cannot_be_read_before_there_is_one() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    running, queued = fill(pool, gate)
    await gate.reached(1)
    for job in (running, queued):
        with pytest.raises(asyncio.InvalidStateError):
            job.result()
        with pytest.raises(asyncio.InvalidStateError):
            job.exception()
    gate.open()
    assert await asyncio.gather(running, queued) == [0, 1]


async def test_any_number_of_tasks_may_await_a_job_before_and_after_its_end() -> None:
    pool, gate, result = NbAioPool(1, 1), Gate(), object()
    job = pool.submit_nowait(gate.hold(result))

    async def wait() -> Any:
        return await job

    before = [asyncio.ensure_future(wait()) for _ in range(5)]
    await gate.reached(1)
    gate.open()
    assert all(got is result for got in await asyncio.gather(*before))
    assert await job is result and await job is result


async def test_awaiting_a_finished_job_does_not_give_way() -> None:
    job, log = new_job_of(NbAioPool(1, 1)), []  # type: ignore[var-annotated]
    await job
    asyncio.get_running_loop().call_soon(log.append, "turned")
    assert await job == "result"
    assert log == []
    await turns(2)


async def test_every_await_of_a_failed_job_raises_the_same_exception() -> None:
    error = LookupError("mine")
    job = NbAioPool(1, 1).submit_nowait(raises(error))
    for _ in range(3):
        with pytest.raises(LookupError) as caught:
            await job
        assert caught.value is error
    assert job.exception() is error
    with pytest.raises(LookupError):
        job.result()


async def test_done_callbacks_are_called_once_each_in_order_and_not_within_the_step() -> None:
    pool, log = NbAioPool(1, 1), []  # type: ignore[var-annotated]

    async def work() -> str:
        asyncio.get_running_loop().call_soon(log.append, "scheduled by the job")
        return "result"

    job = pool.submit_nowait(work())
    for name in "abc":
        job.add_done_callback(lambda done, name=name: log.append((name, done is job, done.result())))
    await job
    await turns(2)
    assert log == ["scheduled by the job", *[(name, True, "result") for name in "abc"]]


async def test_a_callback_added_to_a_finished_job_is_called_soon() -> None:
    job, log = new_job_of(NbAioPool(1, 1)), []  # type: ignore[var-annotated]
    await job
    job.add_done_callback(log.append)
    assert log == []
    await turns(2)
    assert len(log) == 1 and log[0] is job


async def test_a_removed_callback_is_not_called() -> None:
    job, log = new_job_of(NbAioPool(1, 1)), []  # type: ignore[var-annotated]
    removed, kept = log.append, (lambda done: log.append("kept"))
    job.add_done_callback(removed)
    job.add_done_callback(kept)
    job.add_done_callback(removed)
    assert job.remove_done_callback(removed) == 2
    assert job.remove_done_callback(removed) == 0
    await job
    await turns(2)
    assert log == ["kept"]


async def test_a_callback_runs_in_the_context_given_or_in_that_of_its_adding() -> None:
    var: Any = contextvars.ContextVar("var", default="none")
    seen: Dict[str, Any] = {}

    async def work() -> None:
        var.set("the job's")

    var.set("adder's")
    other = contextvars.copy_context()
    other.run(var.set, "given")
    job = NbAioPool(1, 1).submit_nowait(work())
    job.add_done_callback(lambda _: seen.update(added=var.get()))
    job.add_done_callback(lambda _: seen.update(given=var.get()), context=other)
    var.set("later")
    await job
    await turns(2)
    assert seen == {"added": "adder's", "given": "given"}


async def test_a_callback_that_raises_is_reported_and_disturbs_nobody(reports: List[Any]) -> None:
    pool, error, log = NbAioPool(1, 2), ValueError("in a callback"), []  # type: ignore[var-annotated]

    def fail(job: Any) -> None:
        raise error

    job = pool.submit_nowait(value("result"))
    job.add_done_callback(fail)
    job.add_done_callback(log.append)
    assert await job == "result"
    assert await pool.run(value("next")) == "next"
    await turns(2)
    assert [report["exception"] for report in reports] == [error]
    assert len(log) == 1 and accounting(pool) == (2, 2, 0, 0, 0, 0)


async def test_an_exception_that_nobody_retrieves_is_reported_once_and_names_the_job(
    reports: List[Dict[str, Any]],
) -> None:
    pool, error = NbAioPool(1, 1), LookupError("lost")
    job: Any = pool.submit_nowait(raises(error))
    job.set_name("the lost one")
    await pool.join()
    assert reports == []
    del job
    gc.collect()
    await turns(2)
    assert [report["exception"] for report in reports] == [error]
    assert "Job exception was never retrieved" in reports[0]["message"]
    assert "the lost one" in repr(reports[0]["future"])
    if asyncio.get_running_loop().get_debug():
        assert reports[0]["source_traceback"]
    reports.clear()
    gc.collect()
    assert reports == []


async def test_the_exception_of_a_job_whose_future_was_never_kept_is_reported_once(
    reports: List[Any],
) -> None:
    pool, errors = NbAioPool(1, 2), [LookupError(str(i)) for i in range(3)]
    for error in errors:
        pool.submit_nowait(raises(error))
    await pool.join()
    gc.collect()
    await turns(2)
    assert [report["exception"] for report in reports] == errors


@pytest.mark.parametrize("block", [True, False])
async def test_the_exceptions_of_a_batch_that_nobody_asks_for_are_reported(
    reports: List[Any], block: bool
) -> None:
    pool, errors = NbAioPool(1, 2), [LookupError(str(i)) for i in range(3)]
    await pool.batch_submit([raises(error) for error in errors], block)
    await pool.join()
    gc.collect()
    await turns(2)
    assert [report["exception"] for report in reports] == errors


def raised_by_result(job: Any) -> None:
    with pytest.raises(LookupError):
        job.result()


RETRIEVALS = {
    "exception": lambda job: job.exception(),
    "result": raised_by_result,
    "cancel": lambda job: job.cancel(),
    "wait": lambda job: asyncio.gather(job, return_exceptions=True),
}


@pytest.mark.parametrize("how", RETRIEVALS)
async def test_an_exception_that_was_retrieved_is_not_reported(how: str, reports: List[Any]) -> None:
    pool = NbAioPool(1, 1)
    job = pool.submit_nowait(raises(LookupError("seen")))
    await pool.join()
    retrieved = RETRIEVALS[how](job)
    if asyncio.isfuture(retrieved):
        await retrieved
    del job, retrieved
    gc.collect()
    assert reports == []


@pytest.mark.parametrize("name", ["set_result", "set_exception"])
async def test_an_outcome_cannot_be_set_from_outside(name: str) -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    job = pool.submit_nowait(gate.hold("its own"))
    with pytest.raises(RuntimeError, match=name):
        getattr(job, name)(ValueError("forged"))
    await gate.reached(1)
    with pytest.raises(RuntimeError, match=name):
        getattr(job, name)(ValueError("forged"))
    assert not job.done()
    gate.open()
    assert await job == "its own"
    with pytest.raises(RuntimeError, match=name):
        getattr(job, name)(ValueError("forged"))
    assert job.result() == "its own"


async def test_a_job_can_neither_be_made_by_hand_nor_subclassed() -> None:
    job = new_job_of(NbAioPool(1, 1))
    kind = type(job)
    assert (kind.__module__, kind.__name__) == ("nb_aiopool._core", "Job")
    coro = value()
    for arguments in ((), (coro,)):
        with pytest.raises(TypeError, match="submit"):
            kind(*arguments)
    coro.close()
    with pytest.raises(TypeError):
        type("Mine", (kind,), {})
    with pytest.raises(TypeError):
        asyncio.Future.__new__(kind)
    with pytest.raises(TypeError):
        job.__init__(loop=asyncio.get_running_loop())
    assert await job == "result"


async def test_a_job_can_be_referred_to_weakly_and_goes_away_with_its_last_reference() -> None:
    job = new_job_of(NbAioPool(1, 1))
    await job
    job.note = "attributes are allowed, as on any future"
    reference = weakref.ref(job)
    assert reference() is job
    assert {job: "hashed by identity"}[job]
    del job
    await turns()  # the loop has a reference until the callback that woke this task has returned
    gc.collect()
    assert reference() is None


async def test_a_finished_job_that_refers_to_itself_is_collected() -> None:
    pool = NbAioPool(1, 1)
    cell: List[Any] = []

    async def work() -> Any:
        return cell  # noqa: F821  # deleted only when the job has ended

    cell.append(pool.submit_nowait(work()))
    await cell[0]
    reference = weakref.ref(cell[0])
    del cell, work
    await turns(2)
    gc.collect()
    assert reference() is None


async def test_a_job_keeps_its_outcome_without_its_pool() -> None:
    pool = NbAioPool(1, 1)
    job, failed = pool.submit_nowait(value("kept")), pool.submit_nowait(raises(LookupError("kept")))
    await asyncio.wait([job, failed])
    del pool
    gc.collect()
    assert job.result() == "kept" and str(failed.exception()) == "kept"
    assert repr(job) and job.get_coro() is not None  # type: ignore[attr-defined]


@pytest.mark.skipif(sys.version_info < (3, 9), reason="futures are generic from Python 3.9 on")
async def test_the_type_of_a_job_can_be_parametrised_as_that_of_a_future() -> None:
    job = new_job_of(NbAioPool(1, 1))
    assert type(job)[int].__origin__ is type(job)
    await job
