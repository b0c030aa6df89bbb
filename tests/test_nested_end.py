"""Ends of a pool while slots are lent: shutdown, the end of its block, interrupts, and the end of the loop."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, Callable, List

import pytest

from leftovers import program
from nb_aiopool import NbAioPool, PoolStopped, _nesting
from nested import Nest
from support import Gate, accounting, append, counts, is_closed, raises, turns, value

if TYPE_CHECKING:
    import subprocess

Script = Callable[..., "subprocess.CompletedProcess[str]"]
pytestmark = pytest.mark.limit(10)


async def level(nest: Nest, depth: int, gate: Gate, log: List[Any]) -> Any:
    """A job that waits for the next one, down to the one at the gate; then each submits some more work."""
    await nest.step()
    below = 0 if depth == 0 else 1 + await (await nest.pool.submit(level(nest, depth - 1, gate, log)))
    if depth == 0:
        await nest.held(gate)
    await nest.pool.batch_run(append(log, (depth, i)) for i in range(2))
    return below


async def test_shutdown_waits_for_lenders_and_what_they_lent_to() -> None:
    nest, gate = Nest(1, 1), Gate()
    log: List[Any] = []
    job = nest.pool.submit_nowait(level(nest, 3, gate, log))
    await gate.reached(1)
    shutdown = asyncio.ensure_future(nest.pool.shutdown())
    await turns(3)
    assert not shutdown.done() and counts(nest.pool) == {"running": 4, "queued": 0, "waiting": 0}
    gate.open()
    await shutdown
    assert await job == 3
    assert sorted(log) == [(depth, i) for depth in range(4) for i in range(2)]
    assert accounting(nest.pool) == (12, 12, 0, 0, 0, 0) and nest.peak == 1


async def test_shutdown_without_waiting_lets_them_go_on() -> None:
    nest, gate = Nest(1, 1), Gate()
    job = nest.pool.submit_nowait(level(nest, 3, gate, []))
    await gate.reached(1)
    await nest.pool.shutdown(wait=False)
    refused = value()
    with pytest.raises(PoolStopped):
        nest.pool.submit_nowait(refused)
    assert is_closed(refused)
    gate.open()
    assert await job == 3
    assert accounting(nest.pool) == (12, 12, 0, 0, 0, 0) and nest.peak == 1


@pytest.mark.parametrize("options", [{"cancel": True}, {"timeout": 0.01}, {"timeout": 0}])
async def test_shutdown_that_cancels_ends_all_of_them(options: Any) -> None:
    nest, gate = Nest(2, 2), Gate()
    jobs = [nest.pool.submit_nowait(level(nest, 3, gate, [])) for _ in range(2)]
    await gate.reached(2)
    jobs += [nest.pool.submit_nowait(nest.leaf()) for _ in range(2)]
    await nest.pool.shutdown(**options)
    assert all(job.cancelled() for job in jobs)
    assert accounting(nest.pool) == (10, 0, 0, 10, 0, 0) and nest.peak == 2


async def test_jobs_that_survive_their_cancellation_may_still_wait_for_nested_work() -> None:
    nest, gate = Nest(1, 1), Gate()

    async def parent(depth: int) -> Any:
        try:
            if depth:
                await (await nest.pool.submit(parent(depth - 1)))
            else:
                await nest.held(gate)
        except asyncio.CancelledError:
            await nest.step()
        return await nest.pool.batch_run(nest.leaf(i) for i in range(3))

    job = nest.pool.submit_nowait(parent(2))
    await gate.reached(1)
    await nest.pool.shutdown(cancel=True)
    assert await job == [0, 1, 2]
    assert accounting(nest.pool) == (12, 12, 0, 0, 0, 0) and nest.peak == 1


async def test_tasks_of_a_job_may_submit_while_the_pool_drains() -> None:
    nest, gate = Nest(1, 1), Gate()

    async def child(i: int) -> Any:
        return await nest.pool.run(nest.leaf(i))

    async def parent() -> Any:
        await nest.held(gate)
        assert nest.pool.closed
        return await asyncio.gather(*[asyncio.ensure_future(child(i)) for i in range(3)])

    job = nest.pool.submit_nowait(parent())
    await gate.reached(1)
    shutdown = asyncio.ensure_future(nest.pool.shutdown())
    await turns(2)
    gate.open()
    await shutdown
    assert await job == [0, 1, 2]
    assert accounting(nest.pool) == (4, 4, 0, 0, 0, 0) and nest.peak == 1
    with pytest.raises(PoolStopped):
        await nest.pool.submit(value())


async def test_a_map_inside_a_job_goes_on_while_the_pool_drains() -> None:
    nest, gate = Nest(1, 1), Gate()

    async def parent() -> Any:
        found = []
        async for one in nest.pool.map(nest.leaf, range(5)):
            if not found:
                await nest.held(gate)
            found.append(one)
        return found

    job = nest.pool.submit_nowait(parent())
    await gate.reached(1)
    await nest.pool.shutdown(wait=False)
    gate.open()
    assert await job == list(range(5))
    assert accounting(nest.pool) == (6, 6, 0, 0, 0, 0)


async def test_leaving_the_block_waits_for_nested_work() -> None:
    nest = Nest(1, 1)
    log: List[Any] = []
    gate = Gate()
    gate.open()
    async with nest.pool:
        job = await nest.pool.submit(level(nest, 3, gate, log))
    assert job.result() == 3 and len(log) == 8
    assert accounting(nest.pool) == (12, 12, 0, 0, 0, 0) and nest.peak == 1


async def test_a_block_left_by_a_cancellation_cancels_nested_work() -> None:
    nest, gate = Nest(1, 1), Gate()
    jobs: List[Any] = []

    async def block() -> None:
        async with nest.pool:
            jobs.append(await nest.pool.submit(level(nest, 3, gate, [])))
            await asyncio.sleep(3600)

    task = asyncio.ensure_future(block())
    await gate.reached(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert jobs[0].cancelled()
    assert accounting(nest.pool) == (4, 0, 0, 4, 0, 0) and nest.peak == 1


async def test_join_and_shutdown_are_refused_at_any_depth() -> None:
    nest = Nest(1, 1)

    async def parent(depth: int) -> Any:
        with pytest.raises(RuntimeError):
            await nest.pool.join()
        with pytest.raises(RuntimeError):
            await nest.pool.shutdown()
        return await (await nest.pool.submit(parent(depth - 1))) if depth else "deepest"

    assert await nest.pool.run(parent(3)) == "deepest"
    assert not nest.pool.closed
    nest.at_rest()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("steps", [0, 1])
def test_interrupts_of_a_lent_job_reach_the_loops_caller_and_then_its_parent(
    kind: Any, steps: int, loop_factory: Callable[[], Any]
) -> None:
    loop, pool, error = loop_factory(), NbAioPool(1, 2), kind("stop")

    async def interrupt() -> None:
        await turns(steps)
        raise error

    async def parent() -> Any:
        child = await pool.submit(interrupt())
        try:
            await child
        except kind as caught:
            return caught

    async def start() -> Any:
        return await pool.submit_nowait(parent())

    task = loop.create_task(start())
    with pytest.raises(kind) as caught:
        loop.run_until_complete(task)
    assert caught.value is error
    assert loop.run_until_complete(task) is error
    assert accounting(pool) == (2, 1, 1, 0, 0, 0)
    assert loop.run_until_complete(pool.run(value("usable"))) == "usable"
    loop.close()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_out_of_a_run_inside_a_job(kind: Any, loop_factory: Callable[[], Any]) -> None:
    loop, pool = loop_factory(), NbAioPool(1, 2)

    async def parent() -> None:
        await turns()
        await pool.run(raises(kind("stop")))

    async def start() -> Any:
        try:
            await (await pool.submit(parent()))
        except kind as caught:
            return str(caught)

    task = loop.create_task(start())
    with pytest.raises(kind, match="stop"):
        loop.run_until_complete(task)
    assert loop.run_until_complete(task) == "stop"
    assert accounting(pool) == (2, 0, 2, 0, 0, 0)
    assert loop.run_until_complete(pool.run(value("usable"))) == "usable"
    loop.close()


class Trap:
    """Does something when the pool first looks for who waits for what."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, spring: Callable[[], Any]) -> None:
        self.sprung = 0
        search = _nesting._search

        def spring_once(*args: Any) -> bool:
            self.sprung += 1
            if self.sprung == 1:
                spring()
            return search(*args)

        monkeypatch.setattr(_nesting, "_search", spring_once)


async def look_at(pool: NbAioPool) -> Any:
    """A job that waits in such a way for another that the pool has to look for how."""
    child = pool.submit_nowait(value("child"))

    async def itself() -> Any:
        return await child

    return await asyncio.ensure_future(itself())


def interrupt() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def leave() -> None:
    raise SystemExit("stop")


@pytest.mark.parametrize(("spring", "kind"), [(interrupt, KeyboardInterrupt), (leave, SystemExit)])
def test_an_interrupt_while_the_pool_looks_for_who_waits_reaches_the_loops_caller(
    spring: Any, kind: Any, loop_factory: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, pool, trap = loop_factory(), NbAioPool(1, 2), Trap(monkeypatch, spring)

    async def start() -> Any:
        return await pool.submit_nowait(look_at(pool))

    task = loop.create_task(start())
    with pytest.raises(kind):
        loop.run_until_complete(task)
    assert trap.sprung >= 1 and not task.done()  # uvloop may run another pass before it stops
    assert loop.run_until_complete(task) == "child"
    assert accounting(pool) == (2, 2, 0, 0, 0, 0)
    assert loop.run_until_complete(pool.run(value("usable"))) == "usable"
    loop.close()


async def test_an_error_while_the_pool_looks_for_who_waits_is_harmless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise LookupError("of the trap")

    nest, trap = Nest(1, 2), Trap(monkeypatch, fail)
    assert await nest.pool.run(look_at(nest.pool)) == "child"
    assert trap.sprung == 1
    nest.at_rest()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("wait", ["await job", "await asyncio.gather(job)", "await asyncio.shield(job)"])
def test_asyncio_run_that_ends_early_ends_nested_work_in_silence(
    script: Script, wait: str, debug: bool
) -> None:
    done = script(
        program(
            """
            pool = NbAioPool(1, 1)
            async def parent(depth):
                try:
                    if depth == 0:
                        await sleeper("deepest")
                    job = await pool.submit(parent(depth - 1))
                    WAIT
                finally:
                    print("end of", depth)
            async def main():
                for _ in range(2):
                    await pool.submit(parent(2))
                await asyncio.sleep(0.01)
                asyncio.ensure_future(pool.run(parent(0)))
                await asyncio.sleep(0.01)
            asyncio.run(main(), debug=DEBUG)
            print(pool)
            print(asyncio.run(pool.run(value("usable"))))
            """.replace("WAIT", wait).replace("DEBUG", str(debug))
        )
    )
    *lines, state, last = done.stdout.splitlines()
    assert sorted(lines) == sorted(
        ["deepest cancelled", "deepest cleaned up", "end of 0", "end of 1", "end of 2"]
    )
    assert (state, last) == ("<NbAioPool open running=0/1 queued=0/1 waiting=0>", "usable")


def test_a_closed_loops_nested_work_is_closed_by_the_next_use(script: Script) -> None:
    done = script(
        program(
            """
            pool = NbAioPool(1, 1)
            async def parent(depth):
                try:
                    if depth == 0:
                        await asyncio.sleep(3600)
                    await (await pool.submit(parent(depth - 1)))
                finally:
                    print("end of", depth)
            async def main():
                await pool.submit(parent(2))
                await asyncio.sleep(0.01)
            loop = new_loop()
            loop.run_until_complete(main())
            loop.close()
            print(asyncio.run(pool.run(value("usable"))), pool.running)
            """
        ),
        "asyncio",
    )
    *lines, last = done.stdout.splitlines()
    assert sorted(lines) == ["end of 0", "end of 1", "end of 2"] and last == "usable 0"
