"""Capacity: how many jobs run and wait, and in which order jobs start and producers are let in."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, List

import pytest

from nb_aiopool import NbAioPool, PoolFull
from support import Gate, Load, append, counts, fill, is_closed, park, turns, value


async def test_a_fresh_pool_of_one_and_one_accepts_two_jobs_and_the_third_waits() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    first = pool.submit_nowait(gate.hold("first"))
    second = pool.submit_nowait(gate.hold("second"))
    third = asyncio.ensure_future(pool.submit(gate.hold("third")))
    await turns(5)
    assert not third.done()
    assert counts(pool) == {"running": 1, "queued": 1, "waiting": 1}
    gate.release()
    assert await first == "first"
    job = await third
    assert counts(pool) == {"running": 1, "queued": 1, "waiting": 0}
    gate.open()
    assert await asyncio.gather(second, job) == ["second", "third"]


async def test_slots_are_given_when_jobs_are_accepted() -> None:
    pool, gate = NbAioPool(2, 3), Gate()
    jobs = []
    expected = [(1, 0), (2, 0), (2, 1), (2, 2), (2, 3)]
    for running, queued in expected:
        jobs.append(pool.submit_nowait(gate.hold()))
        assert counts(pool) == {"running": running, "queued": queued, "waiting": 0}
    assert gate.arrived == 0
    await turns()
    assert gate.arrived == 2
    gate.open()
    await asyncio.gather(*jobs)
    assert counts(pool) == {"running": 0, "queued": 0, "waiting": 0}


@pytest.mark.parametrize("limit", [1, 2, 7])
async def test_exactly_as_many_jobs_as_allowed_run_at_once(limit: int) -> None:
    pool, load = NbAioPool(limit, 5), Load()
    jobs = [await pool.submit(load.job()) for _ in range(50)]
    await asyncio.gather(*jobs)
    assert (load.peak, load.ended) == (limit, 50)


async def test_the_limit_holds_for_all_kinds_of_calls_together() -> None:
    pool, load = NbAioPool(3, 4), Load()
    await asyncio.gather(
        pool.batch_run(load.job() for _ in range(20)),
        pool.batch_submit([load.job() for _ in range(20)]),
        *[pool.run(load.job()) for _ in range(20)],
        *[pool.submit(load.job()) for _ in range(20)],
    )
    await pool.join()
    assert (load.peak, load.ended) == (3, 80)


async def test_the_queue_never_holds_more_than_its_bound() -> None:
    pool, seen = NbAioPool(2, 3), set()

    async def job() -> None:
        seen.add((pool.running, pool.queued))
        await turns(2)
        seen.add((pool.running, pool.queued))

    jobs = await asyncio.gather(*[pool.submit(job()) for _ in range(40)])
    await asyncio.gather(*jobs)
    assert max(running for running, _ in seen) == 2
    assert max(queued for _, queued in seen) == 3


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_jobs_start_in_the_order_they_were_accepted(limit: int) -> None:
    pool = NbAioPool(limit, 100)
    log: List[Any] = []
    jobs = [pool.submit_nowait(append(log, i)) for i in range(100)]
    await asyncio.gather(*jobs)
    assert log == list(range(100))


async def test_jobs_start_in_order_also_when_slots_come_free_one_by_one() -> None:
    pool, gate = NbAioPool(2, 10), Gate()
    log: List[Any] = []

    async def job(i: int) -> None:
        log.append(i)
        await gate.wait()

    jobs = [pool.submit_nowait(job(i)) for i in range(8)]
    for started in range(2, 9):
        await gate.reached(started)
        assert log == list(range(started))
        gate.release()
    gate.open()
    await asyncio.gather(*jobs)


async def test_producers_are_admitted_in_the_order_they_came() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    log: List[Any] = []
    jobs = fill(pool, gate)
    producers = await park(pool, *[append(log, i) for i in range(10)])
    admitted: List[int] = []
    for i, producer in enumerate(producers):
        producer.add_done_callback(lambda _, i=i: admitted.append(i))
    gate.open()
    await asyncio.gather(*jobs)
    await asyncio.gather(*[await producer for producer in producers])
    assert log == admitted == list(range(10))


@pytest.mark.parametrize("places", [3, 4, 5])
async def test_a_producer_that_comes_back_goes_behind_the_others_who_were_let_in_with_it(places: int) -> None:
    pool, gate = NbAioPool(1, places), Gate()
    log: List[Any] = []

    async def produce(name: str, n: int) -> None:
        for i in range(n):
            await pool.submit(append(log, (name, i)))

    running, *queued = fill(pool, gate)
    producers = []
    for name in "abc":
        producers.append(asyncio.ensure_future(produce(name, 3)))
        await turns()
    assert pool.waiting == 3
    for job in queued:
        job.cancel()
    await turns(5)
    assert counts(pool) == {"running": 1, "queued": places, "waiting": 3}
    gate.open()
    await asyncio.gather(running, *producers)
    await pool.join()
    assert log == [(name, i) for i in range(3) for name in "abc"]


async def test_one_free_place_admits_one_producer() -> None:
    pool, gate = NbAioPool(1, 2), Gate()
    jobs = fill(pool, gate)
    producers = await park(pool, *[gate.hold() for _ in range(3)])
    for admitted in (1, 2, 3):
        gate.release()
        await turns(4)
        assert [producer.done() for producer in producers].count(True) == admitted
        assert counts(pool) == {"running": 1, "queued": 2, "waiting": 3 - admitted}
    gate.open()
    await asyncio.gather(*jobs, *[producer.result() for producer in producers])


async def test_a_cancelled_job_in_the_queue_makes_room_at_once() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    running, queued = fill(pool, gate)
    queued.cancel()
    assert counts(pool) == {"running": 1, "queued": 0, "waiting": 0}
    replacement = pool.submit_nowait(gate.hold("replacement"))
    gate.open()
    assert await replacement == "replacement"
    await running


async def test_a_newcomer_that_does_not_block_never_takes_the_place_of_a_producer_in_line() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    running, queued = fill(pool, gate)
    (producer,) = await park(pool, value("in line"))
    queued.cancel()  # the place belongs to the producer from now on, before it could notice
    refused = value()
    with pytest.raises(PoolFull):
        pool.submit_nowait(refused)
    with pytest.raises(PoolFull):
        await pool.submit(value(), block=False)
    with pytest.raises(PoolFull):
        await pool.run(value(), block=False)
    assert is_closed(refused)
    gate.open()
    assert await (await producer) == "in line"
    await running


async def test_a_newcomer_that_blocks_is_behind_the_producers_in_line() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    log: List[Any] = []
    running, queued = fill(pool, gate)
    producers = await park(pool, append(log, 1), append(log, 2))
    queued.cancel()
    third = asyncio.ensure_future(pool.submit(append(log, 3)))
    gate.open()
    jobs = [await producer for producer in [*producers, third]]
    await asyncio.gather(*jobs, running)
    assert log == [1, 2, 3]


async def test_run_is_behind_the_producers_in_line() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    log: List[Any] = []
    running, queued = fill(pool, gate)
    producers = await park(pool, append(log, 1), append(log, 2))
    queued.cancel()
    caller = asyncio.ensure_future(pool.run(append(log, 3)))
    gate.open()
    await asyncio.gather(caller, running, *[await producer for producer in producers])
    assert log == [1, 2, 3]


async def test_when_several_places_come_free_newcomers_get_what_the_line_leaves() -> None:
    pool, gate = NbAioPool(1, 3), Gate()
    log: List[Any] = []
    running, *queued = fill(pool, gate)
    (producer,) = await park(pool, append(log, "in line"))
    for job in queued:
        job.cancel()
    cannot_wait = pool.submit_nowait(
        append(log, "cannot wait")
    )  # behind the producer, who has yet to come back
    newcomers = [asyncio.ensure_future(pool.submit(append(log, 0)))]
    await turns(5)
    newcomers.append(asyncio.ensure_future(pool.submit(append(log, 1))))
    await turns(5)
    assert [newcomer.done() for newcomer in newcomers] == [True, False]
    assert producer.done() and counts(pool) == {"running": 1, "queued": 3, "waiting": 1}
    gate.open()
    await asyncio.gather(running, await producer, cannot_wait, *[await newcomer for newcomer in newcomers])
    assert log == ["in line", "cannot wait", 0, 1]


async def test_once_the_line_has_its_places_newcomers_need_not_wait() -> None:
    pool, gate = NbAioPool(1, 3), Gate()
    log: List[Any] = []
    running, *queued = fill(pool, gate)
    (producer,) = await park(pool, append(log, "in line"))
    for job in queued:
        job.cancel()
    await turns(3)
    newcomers = [pool.submit_nowait(append(log, i)) for i in range(2)]
    assert producer.done() and counts(pool) == {"running": 1, "queued": 3, "waiting": 0}
    gate.open()
    await asyncio.gather(running, await producer, *newcomers)
    assert log == ["in line", 0, 1]


async def test_submit_does_not_run_the_job_before_the_loop_turns() -> None:
    pool = NbAioPool(4, 4)
    log: List[Any] = []
    turned: List[Any] = []
    await turns()
    asyncio.get_running_loop().call_soon(turned.append, True)
    job = await pool.submit(append(log, "ran"))
    assert log == [] or turned
    assert await job == "ran"


async def test_submit_nowait_does_not_run_the_job_before_the_loop_turns() -> None:
    pool = NbAioPool(5, 4)
    log: List[Any] = []
    jobs = [pool.submit_nowait(append(log, i)) for i in range(4)]
    jobs.append(await pool.submit(append(log, 4), block=False))
    assert log == []
    await turns()
    assert log == [0, 1, 2, 3, 4]
    await asyncio.gather(*jobs)


async def test_a_freed_slot_is_taken_by_the_next_job_in_the_same_moment() -> None:
    pool, gate = NbAioPool(1, 2), Gate()
    seen: List[Any] = []
    first, second, third = fill(pool, gate)
    first.add_done_callback(lambda _: seen.append((pool.running, pool.queued)))
    gate.open()
    await asyncio.gather(first, second, third)
    assert len(seen) == 1 and sum(seen[0]) <= 2
    assert counts(pool) == {"running": 0, "queued": 0, "waiting": 0}


async def test_pools_do_not_share_their_limits() -> None:
    one, other, gate = NbAioPool(1, 1), NbAioPool(1, 1), Gate()
    jobs = fill(one, gate)
    assert await other.run(value("free")) == "free"
    gate.open()
    await asyncio.gather(*jobs)


@pytest.mark.parametrize("how", ["dropped", "closed", "thrown into"])
async def test_a_producer_that_never_comes_back_holds_nobody_up(how: str) -> None:
    """An interrupt, say, may come between the native call and the `await`."""
    pool, gate = NbAioPool(1, 1), Gate()
    jobs, coro = fill(pool, gate), value("never")
    arrival: Any = pool._native_offer(coro, True, None)
    assert pool.waiting == 1
    if how == "closed":
        arrival.close()
    elif how == "thrown into":
        with pytest.raises(KeyError):
            arrival.throw(KeyError("stop"))
    else:
        del arrival
    assert pool.waiting == 0 and is_closed(coro)
    late = asyncio.ensure_future(pool.run(value("fine")))
    gate.open()
    assert await late == "fine"
    await asyncio.gather(*jobs)


@pytest.mark.skipif(
    sys.version_info < (3, 10), reason="3.8 and 3.9 go on after what a trace function raises at an opcode"
)
def test_an_interrupt_while_a_producer_goes_to_the_line_leaves_nothing_there(script: Any) -> None:
    script(
        """
        import asyncio, gc, sys, warnings
        from nb_aiopool import NbAioPool

        warnings.simplefilter("ignore")  # an interrupt may come before the pool has seen the coroutine

        class Interrupt(Exception):
            pass

        async def value(result):
            return result

        async def main(stop_at):
            pool, release, seen = NbAioPool(1, 1), asyncio.Event(), 0
            jobs = [pool.submit_nowait(release.wait()) for _ in range(2)]

            def trace(frame, event, arg):
                nonlocal seen
                if "nb_aiopool" not in frame.f_code.co_filename:
                    return None
                frame.f_trace_opcodes = True
                seen += 1
                if seen == stop_at:
                    sys.settrace(None)
                    raise Interrupt
                return trace

            sys.settrace(trace)
            try:
                await asyncio.wait_for(pool.submit(value(1)), 0.005)
            except (Interrupt, asyncio.TimeoutError):
                pass
            finally:
                sys.settrace(None)
            gc.collect()  # the traceback holds what was interrupted
            assert pool.waiting == 0, pool
            release.set()
            assert await asyncio.wait_for(pool.run(value(2)), 5) == 2
            await asyncio.gather(*jobs)
            return seen >= stop_at

        async def every():
            at = 1
            while await main(at):
                at += 1
            assert at > 10, at

        asyncio.run(every())
        """
    )
