"""join and shutdown in a task that one of the pool's own jobs waits for: that would be to wait for itself."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Awaitable, Callable, Dict

import anyio
import pytest

from nb_aiopool import NbAioPool, PoolStopped
from support import Gate, counts, turns, value

Call = Callable[[], Awaitable[Any]]
# An eager task has made the call before anybody can wait for it: a limit that the README names.
not_eager = pytest.mark.loop("asyncio", "debug", "uvloop")


async def through_wait_for(call: Call) -> None:
    await asyncio.wait_for(call(), 3600)


async def through_gather(call: Call) -> None:
    await asyncio.gather(turns(), call())


async def through_shield(call: Call) -> None:
    await asyncio.shield(call())


async def through_a_task(call: Call) -> None:
    await asyncio.ensure_future(call())


async def through_wait(call: Call) -> None:
    (done,), _ = await asyncio.wait({asyncio.ensure_future(call())})
    await done


async def through_as_completed(call: Call) -> None:
    for first in asyncio.as_completed([call()]):
        await first


async def through_tasks_of_tasks(call: Call) -> None:
    await asyncio.gather(asyncio.ensure_future(through_shield(lambda: through_a_task(call))))


async def through_a_task_group(call: Call) -> None:
    try:
        async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined, unused-ignore]
            group.create_task(call())  # type: ignore[arg-type, unused-ignore]
    except BaseException as error:
        raise error.exceptions[0] from None  # type: ignore[attr-defined]


async def through_a_task_group_of_anyio(call: Call) -> None:
    async def in_group() -> None:
        try:
            await call()
        except RuntimeError as error:
            refused.append(error)

    refused: Any = []
    async with anyio.create_task_group() as group:
        group.start_soon(in_group)
    raise refused.pop()


async def through_another_pool(call: Call) -> None:
    await (await NbAioPool(1, 1).submit(call()))


async def through_a_future_of_its_own(call: Call) -> None:
    future: Any = asyncio.get_running_loop().create_future()
    await NbAioPool(1, 1).submit(call(), future=future)
    await future


async def through_a_batch_of_another_pool(call: Call) -> None:
    await NbAioPool(1, 1).batch_run([call()])


async def through_a_map_of_another_pool(call: Call) -> None:
    await NbAioPool(1, 1).map(lambda _: call(), [0]).collect()


async def through_an_unordered_map_of_another_pool(call: Call) -> None:
    await NbAioPool(1, 1).map(lambda _: call(), [0], ordered=False).collect()


WAYS: Dict[str, Callable[[Call], Awaitable[None]]] = {
    name[len("through_") :]: way for name, way in list(globals().items()) if name.startswith("through_")
}
if sys.version_info < (3, 11):
    del WAYS["a_task_group"]


@not_eager
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["submit", "run"])
@pytest.mark.parametrize("call", ["shutdown", "join"])
async def test_it_is_an_error_and_changes_nothing(call: str, name: str, way: str) -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    other = pool.submit_nowait(gate.hold("undisturbed"))

    async def work() -> str:
        await turns()
        with pytest.raises(RuntimeError, match="%s.* would wait for itself" % call) as caught:
            await WAYS[way](getattr(pool, call))
        assert not isinstance(caught.value, PoolStopped) and not pool.closed
        return "went on"

    result: Any = await getattr(pool, name)(work())
    assert (await result if name == "submit" else result) == "went on"
    gate.open()
    assert await other == "undisturbed"
    assert await pool.run(value("usable")) == "usable"


@not_eager
async def test_a_job_that_waits_for_the_jobs_own_helper_is_in_the_circle_too() -> None:
    pool = NbAioPool(1, 1)

    async def inner() -> None:
        await asyncio.ensure_future(pool.join())

    async def outer() -> None:
        await (await pool.submit(inner()))

    with pytest.raises(RuntimeError, match="would wait for itself"):
        await pool.run(outer())


# -- Who only looks like it --------------------------------------------------------------------------------------------


class Keeper:
    """Keeps its tasks and the pool's jobs together, and hears of their end, as many programs do."""

    def __init__(self) -> None:
        self.kept: Any = []

    def keep(self, task: Any) -> None:
        self.kept.append(task)
        task.add_done_callback(self.forget)

    def forget(self, task: Any) -> None:
        self.kept.remove(task)


@pytest.mark.parametrize("call", ["shutdown", "join"])
@pytest.mark.parametrize("name", ["submit", "run"])
async def test_a_job_that_does_not_wait_for_the_task_goes_on(name: str, call: str) -> None:
    pool, gate, keeper = NbAioPool(2, 2), Gate(), Keeper()
    started = []

    async def work() -> str:
        started.append(asyncio.ensure_future(getattr(pool, call)()))
        keeper.keep(started[0])
        keeper.keep(asyncio.current_task())
        keeper.kept.append(keeper)
        await asyncio.gather(gate.wait(), turns())
        assert not started[0].done() and pool.closed == (call == "shutdown")
        return "went on"

    caller = asyncio.ensure_future(getattr(pool, name)(work()))
    await gate.reached(1)
    await turns(3)
    gate.open()
    result: Any = await caller
    assert (await result if name == "submit" else result) == "went on"
    await started[0]
    assert counts(pool) == {"running": 0, "queued": 0, "waiting": 0}


async def test_to_wait_for_what_is_gathered_beside_the_call_is_not_to_wait_for_the_call() -> None:
    pool, gate = NbAioPool(2, 2), Gate()

    async def work() -> Any:
        beside = asyncio.ensure_future(gate.hold("beside"))
        both = asyncio.gather(beside, asyncio.ensure_future(pool.join()))
        return await beside, both

    job = await pool.submit(work())
    await gate.reached(1)
    await turns(3)
    gate.open()
    result, both = await job
    assert result == "beside"
    assert await both == ["beside", None]


@not_eager
async def test_a_job_may_wait_in_this_way_for_another_pool() -> None:
    pool, other, gate = NbAioPool(1, 1), NbAioPool(1, 1), Gate()
    held = await other.submit(gate.hold("held"))

    async def work() -> Any:
        await asyncio.wait_for(asyncio.shield(other.shutdown()), 3600)
        return held.result()

    job = await pool.submit(work())
    await gate.reached(1)
    await turns(3)
    gate.open()
    assert await job == "held"


async def test_a_task_that_waits_for_a_job_may_join_the_pool_beside_it() -> None:
    pool, gate = NbAioPool(1, 1), Gate()

    async def both() -> Any:
        return await asyncio.gather(pool.run(gate.hold("result")), pool.join())

    caller = asyncio.ensure_future(both())
    await gate.reached(1)
    await turns(3)
    gate.open()
    assert await caller == ["result", None]
