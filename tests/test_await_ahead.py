"""Awaiting a future of the pool: if the loop would come to nothing before the job, the job has its step there and then.

What a user can see of that is only that it is quick: the order of everything is what it would be with a turn of the
loop.
"""

from __future__ import annotations

import asyncio
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool
from support import Gate, accounting, append, raises, turns, value

# Other loops do not let anybody look at their queue, or may have started the awaiter in the middle of something.
looks_ahead = pytest.mark.loop("asyncio", "debug")


def when_loop_turns(log: List[Any], entry: Any = "turn") -> None:
    asyncio.get_running_loop().call_soon(log.append, entry)


@looks_ahead
async def test_the_result_of_a_job_that_does_not_wait_takes_no_turn_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool, log, loop = NbAioPool(2, 2), [], asyncio.get_running_loop()
    run_once: Any = loop._run_once  # type: ignore[attr-defined]

    def turn() -> None:
        log.append("turn")
        run_once()

    monkeypatch.setattr(loop, "_run_once", turn)
    await asyncio.sleep(0)
    assert log == ["turn"]
    quick = 0
    for i in range(100):
        log.clear()
        job = await pool.submit(append(log, i))
        assert not job.done()  # submit() itself runs nothing
        assert await job == i
        with pytest.raises(LookupError):
            await pool.submit_nowait(raises(LookupError()))
        quick += log == [i]
    # Not each of them: now and then the loop gets its turn, and on a busy machine more often.
    assert quick > 0 and accounting(pool)[:3] == (200, 100, 100)


async def test_jobs_accepted_earlier_start_earlier_and_within_the_limit() -> None:
    pool, log, gate = NbAioPool(2, 10), [], Gate()
    held = [pool.submit_nowait(gate.hold(i)) for i in range(2)]
    jobs = [pool.submit_nowait(append(log, i)) for i in range(5)]
    asyncio.get_running_loop().call_soon(gate.open)
    assert await jobs[4] == 4
    assert log == [0, 1, 2, 3, 4] and [job.result() for job in held] == [0, 1]


@pytest.mark.parametrize("before", [True, False])
async def test_what_was_scheduled_before_the_job_runs_before_it(before: bool) -> None:
    pool, log = NbAioPool(2, 2), []
    for round_ in range(3):
        if before:
            when_loop_turns(log, ("callback", round_))
        job = await pool.submit(append(log, ("job", round_)))
        if not before:
            when_loop_turns(log, ("callback", round_))
        await job
        await turns(2)
        both = [("callback", round_), ("job", round_)]
        assert log[-2:] == (both if before else both[::-1])


async def test_what_was_scheduled_after_a_job_that_was_awaited_runs_before_the_next() -> None:
    pool, log = NbAioPool(2, 2), []
    await pool.submit_nowait(value())
    when_loop_turns(log, "callback")
    await pool.submit_nowait(append(log, "job"))
    assert log == ["callback", "job"]


async def test_what_a_job_schedules_runs_before_it_goes_on() -> None:
    pool, log = NbAioPool(2, 2), []

    async def schedule() -> None:
        when_loop_turns(log, "callback")
        await asyncio.sleep(0)
        log.append("job")

    for _ in range(3):
        log.clear()
        await pool.submit_nowait(schedule())
        assert log == ["callback", "job"]


async def test_jobs_that_give_way_take_turns_with_the_loop() -> None:
    pool, log = NbAioPool(2, 2), []

    async def count() -> None:
        for i in range(3):
            when_loop_turns(log, ("callback", i))
            await asyncio.sleep(0)
            log.append(("job", i))

    for _ in range(3):
        log.clear()
        await pool.submit_nowait(count())
        assert log == [(kind, i) for i in range(3) for kind in ("callback", "job")]


async def test_the_job_is_the_current_task_and_the_awaiter_is_again_afterwards() -> None:
    pool, seen = NbAioPool(1, 1), []

    async def look() -> Any:
        seen.append(asyncio.current_task())
        return asyncio.current_task()

    awaiter = asyncio.current_task()
    for _ in range(3):
        job = await pool.submit(look())
        assert await job is job
        assert asyncio.current_task() is awaiter
        await asyncio.sleep(0)
        assert asyncio.current_task() is awaiter
    assert len(set(map(id, seen))) == 3


async def test_a_job_awaited_in_the_middle_of_another_pools_step() -> None:
    outer, inner = NbAioPool(1, 1), NbAioPool(1, 1)

    async def use() -> Any:
        me = asyncio.current_task()
        results = [await inner.submit_nowait(value(i)) for i in range(3)]
        assert asyncio.current_task() is me
        return results

    for _ in range(3):
        assert await outer.submit_nowait(use()) == [0, 1, 2]
    assert accounting(inner)[:2] == (9, 9)


@pytest.mark.loop("asyncio", "debug", "eager")  # uvloop runs what it has begun to the end
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_reaches_the_loops_caller_before_the_awaiter(
    kind: Any, loop_factory: Callable[[], Any]
) -> None:
    loop, pool, error = loop_factory(), NbAioPool(1, 2), kind("stop")
    reached: List[Any] = []

    async def main() -> None:
        job = pool.submit_nowait(raises(error))
        try:
            await job
        except kind as caught:
            reached.append(caught)

    task = loop.create_task(main())
    with pytest.raises(kind) as caught:
        loop.run_until_complete(task)
    assert caught.value is error and reached == []
    loop.run_until_complete(task)
    assert reached == [error]
    assert loop.run_until_complete(pool.run(value("usable"))) == "usable"
    loop.close()


async def test_a_cancellation_that_is_due_comes_at_the_next_wait() -> None:
    pool, gate = NbAioPool(1, 1), Gate()

    async def call() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        job = pool.submit_nowait(gate.hold())
        await job

    task = asyncio.ensure_future(call())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.stats().cancelled == 1


@pytest.mark.parametrize("nowait", [True, False])
async def test_awaiting_job_after_job_does_not_keep_the_loop(nowait: bool) -> None:
    pool, turned = NbAioPool(1, 1), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.call_later(0.001, lambda: loop.call_soon(turned.set))
    while not turned.is_set():  # for ever, if nothing else had its turn
        await (pool.submit_nowait(value()) if nowait else await pool.submit(value()))


@looks_ahead
async def test_a_pass_that_was_made_ahead_is_not_missed_later() -> None:
    pool, log = NbAioPool(1, 10), []
    for i in range(50):
        await pool.submit_nowait(value())
        job = pool.submit_nowait(append(log, i))
        when_loop_turns(log, "turn")
        if i % 3 == 0:
            await turns(2)
        if i % 3 == 1:
            when_loop_turns(log, "turn")
        await job
    assert [entry for entry in log if entry != "turn"] == list(range(50))
    await pool.join()


def test_a_pool_that_moves_to_another_loop_leaves_nothing_behind(loop_factory: Callable[[], Any]) -> None:
    pool, loops = NbAioPool(1, 1), [loop_factory() for _ in range(2)]

    async def use(i: int) -> Any:
        return await pool.submit_nowait(value(i))

    for i in range(10):
        loop = loops[i % 2]
        task = loop.create_task(use(i))
        task.add_done_callback(lambda _, loop=loop: loop.stop())  # before what is left in its queue is run
        loop.run_forever()
        assert task.result() == i
    for loop in loops:
        loop.run_until_complete(turns(3))
        loop.close()
    assert accounting(pool)[:2] == (10, 10)


async def test_a_step_that_awaits_its_sibling_in_the_same_pass() -> None:
    pool, jobs = NbAioPool(2, 4), []

    async def follow(i: int) -> Any:
        return await jobs[i + 1] if i < 3 else "end"

    jobs.extend(pool.submit_nowait(follow(i)) for i in range(4))
    assert await jobs[0] == "end"
    assert all(job.done() for job in jobs)
