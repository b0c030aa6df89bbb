"""A job looks to debuggers and log files as a Task does: stack, repr, names, and who is listed as a task."""

from __future__ import annotations

import asyncio
import io
import re
import sys
import traceback
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool
from parity import spawn
from support import Gate, fill, park, raises, turns, value


async def fail_deep(depth: int = 2) -> None:
    await turns()
    if depth == 0:
        raise LookupError("deep")
    await fail_deep(depth - 1)


async def wait_here(gate: Gate) -> Any:
    await gate.wait()  # the line that waits
    return "result"


def printed_stack(job: Any, **options: Any) -> str:
    file = io.StringIO()
    assert job.print_stack(file=file, **options) is None
    return file.getvalue()


async def test_the_coroutine_and_the_context_can_be_had_at_any_time() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    coro = gate.hold()
    held, other = pool.submit_nowait(coro), value()
    queued = pool.submit_nowait(other)
    assert held.get_coro() is coro is held._coro and queued.get_coro() is other
    context = held.get_context()
    await gate.reached(1)
    assert held.get_coro() is coro and held.get_context() is context is not None
    gate.open()
    await asyncio.gather(held, queued)
    assert held.get_coro() is coro and queued.get_coro() is other
    assert held.get_context() is context


async def test_what_the_job_waits_for_is_shown_while_it_waits() -> None:
    future = asyncio.get_running_loop().create_future()

    async def work() -> None:
        assert asyncio.current_task()._fut_waiter is None  # type: ignore[union-attr]
        await future
        assert asyncio.current_task()._fut_waiter is None  # type: ignore[union-attr]

    job = spawn(work())
    assert job._fut_waiter is None
    await turns(2)
    assert job._fut_waiter is future
    future.set_result(None)
    await job
    assert job._fut_waiter is None and job._must_cancel is False


@pytest.mark.parametrize("name", ["_coro", "_fut_waiter", "_must_cancel"])
async def test_the_members_that_tools_read_cannot_be_set(name: str) -> None:
    job = spawn(value())
    with pytest.raises(AttributeError):
        setattr(job, name, None)
    await job


async def test_jobs_have_unique_names_with_growing_numbers() -> None:
    pool = NbAioPool(1, 10)
    jobs: List[Any] = [pool.submit_nowait(value()) for _ in range(5)]
    names = [job.get_name() for job in jobs]
    assert all(re.match(r"Job-\d+$", name) for name in names)
    numbers = [int(name[4:]) for name in names]
    assert numbers == sorted(set(numbers))
    await asyncio.gather(*jobs)
    assert [job.get_name() for job in jobs] == names


@pytest.mark.parametrize(
    ("name", "text"), [("mine", "mine"), (123, "123"), ({6}, "{6}"), (None, "None")], ids=str
)
async def test_a_name_can_be_set_and_is_text(name: Any, text: str) -> None:
    job = spawn(value())
    job.set_name(name)
    assert job.get_name() == text and "name=%r" % text in repr(job)
    await job
    job.set_name("afterwards")
    assert job.get_name() == "afterwards"


async def test_a_name_that_cannot_be_text_leaves_the_old_one() -> None:
    class Nameless:
        def __str__(self) -> str:
            raise LookupError("no name")

    job = spawn(value())
    job.set_name("old")
    with pytest.raises(LookupError, match="no name"):
        job.set_name(Nameless())
    assert job.get_name() == "old"
    await job


async def test_the_repr_shows_name_coroutine_and_place() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    running: Any = pool.submit_nowait(wait_here(gate))
    queued: Any = pool.submit_nowait(value())
    running.set_name("r")
    queued.set_name("q")
    await gate.reached(1)
    where = re.escape(__file__)
    assert re.match(
        r"<Job running name='r' coro=<wait_here\(\) running at %s:\d+> wait_for=<Future" % where,
        repr(running),
    )
    assert re.match(r"<Job queued name='q' coro=<value\(\) running at \S+support\.py:\d+>", repr(queued))
    gate.open()
    await asyncio.gather(running, queued)
    assert re.match(
        r"<Job finished name='r' coro=<wait_here\(\) done, defined at %s:\d+> result='result'" % where,
        repr(running),
    )


async def test_the_repr_names_the_line_where_the_coroutine_is() -> None:
    gate = Gate()
    job = spawn(wait_here(gate))
    await gate.reached(1)
    number = int(re.search(r"test_task_parity_introspection\.py:(\d+)", repr(job)).group(1))  # type: ignore[union-attr]
    with open(__file__, encoding="utf-8") as source:  # noqa: ASYNC230, PTH123
        assert "# the line that waits" in source.readlines()[number - 1]
    gate.open()
    await job


async def test_the_repr_shows_how_a_job_ended() -> None:
    gate = Gate()
    failed, cancelled, caught = spawn(raises(LookupError("why"))), spawn(gate.hold()), spawn(gate.hold())
    await gate.reached(2)
    cancelled.cancel()
    assert " cancelling " in repr(cancelled) and " cancelling " not in repr(caught)
    gate.open()
    await asyncio.wait([failed, cancelled, caught])
    assert repr(failed).startswith("<Job finished ") and "exception=LookupError('why')" in repr(failed)
    assert repr(cancelled).startswith("<Job cancelled ")
    assert "hold()" in repr(cancelled) and "result=" not in repr(cancelled)
    assert failed.exception() is not None


async def test_looking_at_a_failed_job_does_not_count_as_retrieving_its_exception(reports: List[Any]) -> None:
    job = spawn(raises(LookupError("unseen")))
    await asyncio.wait([job])
    assert "unseen" in repr(job)
    printed_stack(job)
    del job
    await turns()
    assert len(reports) == 1


async def test_the_repr_of_a_result_that_contains_its_own_job_is_finite() -> None:
    cell: List[Any] = []

    async def work() -> Any:
        return cell

    cell.append(spawn(work()))
    await cell[0]
    assert "..." in repr(cell[0])
    cell.clear()


async def test_a_long_result_is_shown_shortened() -> None:
    job = spawn(value("x" * 100000))
    await job
    assert len(repr(job)) < 1000


async def test_the_repr_of_anything_strange_is_no_error() -> None:
    class Strange:
        def __repr__(self) -> str:
            raise ValueError("strange")

    job = spawn(value(Strange()))
    await job
    assert "Strange" in repr(job)


async def test_the_repr_of_other_awaitables_names_them() -> None:
    class Mine:
        def __await__(self) -> Any:
            yield
            return 1

    job = NbAioPool(1, 1).submit_nowait(Mine())
    assert repr(job).startswith("<Job running ")
    assert await job == 1


async def test_the_stack_of_a_suspended_job_is_where_it_waits() -> None:
    gate = Gate()
    job = spawn(wait_here(gate))
    (frame,) = job.get_stack()
    assert frame.f_code.co_name == "wait_here" and frame.f_lineno == frame.f_code.co_firstlineno
    await gate.reached(1)
    (frame,) = job.get_stack()
    assert frame.f_code.co_name == "wait_here" and frame.f_lineno == frame.f_code.co_firstlineno + 1
    text = printed_stack(job)
    assert text.startswith("Stack for <Job running ") and "await gate.wait()  # the line that waits" in text
    gate.open()
    await job
    assert job.get_stack() == []
    assert printed_stack(job).startswith("No stack for <Job finished ")


async def test_the_stack_of_a_job_can_be_had_from_inside() -> None:
    async def inner() -> Any:
        job: Any = asyncio.current_task()
        return [frame.f_code.co_name for frame in job.get_stack(limit=1)], printed_stack(job, limit=1)

    async def work() -> Any:
        return await inner()

    names, text = await spawn(work())
    assert names == ["work"] and re.search(r"work\(\) running", text)


async def test_the_stack_of_a_failed_job_is_its_traceback() -> None:
    job = spawn(fail_deep())
    await asyncio.wait([job])
    error = job.exception()
    expected = [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
    assert [frame.f_code.co_name for frame in job.get_stack()] == expected
    assert expected[-3:] == ["fail_deep"] * 3
    assert len(job.get_stack(limit=2)) == 2
    text = printed_stack(job)
    assert text.startswith("Traceback for <Job finished ") and "LookupError: deep" in text


async def test_the_stack_is_printed_to_stderr_by_default(capsys: Any) -> None:
    gate = Gate()
    job = spawn(wait_here(gate))
    await gate.reached(1)
    job.print_stack()
    assert "# the line that waits" in capsys.readouterr().err
    gate.open()
    await job


async def test_stack_options_can_only_be_given_by_name() -> None:
    job = spawn(value())
    for method in (job.get_stack, job.print_stack):
        with pytest.raises(TypeError):
            method(1)
        with pytest.raises(TypeError):
            method(depth=1)
    await job


async def test_in_debug_mode_a_job_knows_where_it_was_submitted() -> None:
    job = spawn(value())
    if asyncio.get_running_loop().get_debug():
        functions = [entry.name for entry in job._source_traceback]
        assert "test_in_debug_mode_a_job_knows_where_it_was_submitted" in functions
    else:
        assert job._source_traceback is None
    await job


@pytest.mark.loop("debug")
async def test_in_debug_mode_every_accepted_job_is_listed_as_a_task() -> None:
    pool, gate = NbAioPool(2, 3), Gate()
    jobs = fill(pool, gate)
    (producer,) = await park(pool, value())
    assert set(jobs) <= asyncio.all_tasks()
    await gate.reached(2)
    assert set(jobs) <= asyncio.all_tasks()
    jobs[4].cancel()
    gate.open()
    await asyncio.wait(jobs)
    await (await producer)
    assert not set(jobs) & asyncio.all_tasks()


async def test_all_tasks_are_things_that_tools_can_look_at() -> None:
    pool, gate = NbAioPool(2, 3), Gate()
    jobs = fill(pool, gate)
    await gate.reached(2)
    tasks: Any = asyncio.all_tasks()
    assert len(tasks) >= 2
    for task in tasks:
        assert repr(task) and isinstance(task.get_name(), str)
        assert isinstance(task.get_stack(), list)
        printed_stack(task)
        assert task.get_loop() is asyncio.get_running_loop() and not task.done()
        task.get_coro()
    gate.open()
    await asyncio.gather(*jobs)


async def test_an_idle_pool_leaves_nothing_in_all_tasks() -> None:
    before = asyncio.all_tasks()
    pool, gate = NbAioPool(2, 3), Gate()
    jobs = fill(pool, gate)
    await gate.reached(2)
    gate.open()
    await asyncio.gather(*jobs)
    await pool.join()
    assert asyncio.all_tasks() == before


@pytest.mark.skipif(sys.version_info < (3, 14), reason="asyncio prints call graphs from Python 3.14 on")
async def test_the_call_graph_of_a_job_shows_its_coroutines() -> None:
    async def work(gate: Gate) -> Any:
        return await wait_here(gate)

    gate = Gate()
    job = spawn(work(gate))
    await gate.reached(1)
    text = asyncio.format_call_graph(job)  # type: ignore[attr-defined]
    assert "wait_here()" in text and "work()" in text
    gate.open()
    await job
