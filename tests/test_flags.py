"""Flags take True and False, for which 1 and 0 stand too; whatever else is passed was meant for something else."""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, Dict

import pytest

from nb_aiopool import NbAioPool, PoolFull
from support import Awaitable as AwaitableObject
from support import Gate, fill, is_closed, value

Call = Callable[[NbAioPool, Any, Any], Awaitable[Any]]


class Index:
    """Equals a number where an integer is asked for, and is true in any case."""

    def __init__(self, number: Any) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number  # type: ignore[no-any-return]


async def sync_submit(pool: NbAioPool, coro: Any, flag: Any) -> Any:
    return pool.sync_submit(coro, flag)


TAKES_BLOCK: Dict[str, Call] = {
    "submit": lambda pool, coro, flag: pool.submit(coro, flag),
    "run": lambda pool, coro, flag: pool.run(coro, flag),
    "sync_submit": sync_submit,
    "batch_submit": lambda pool, coro, flag: pool.batch_submit([coro], flag),
    "batch_run": lambda pool, coro, flag: pool.batch_run([coro], flag),
}


def describe(flag: Any) -> str:
    return f"{type(flag).__name__} {flag!r}" if type(flag) in (int, float, str) else type(flag).__name__


WRONG = [None, 2, -1, 10**30, 0.0, 1.0, "", "yes", [], (), b"", int, value, Index(2), Index("1"), Gate()]


@pytest.mark.parametrize("flag", WRONG, ids=describe)
@pytest.mark.parametrize("name", TAKES_BLOCK)
async def test_block_is_a_flag(name: str, flag: Any) -> None:
    pool, coro = NbAioPool(1, 1), value()
    await pool.run(value())
    with pytest.raises(TypeError) as caught:
        await TAKES_BLOCK[name](pool, coro, flag)
    assert str(caught.value).startswith(f"block must be True or False, got {flag!r} (")
    assert is_closed(coro)
    assert await pool.run(value("usable")) == "usable"


@pytest.mark.parametrize("flag", [True, 1, Index(1)], ids=describe)
@pytest.mark.parametrize("name", TAKES_BLOCK)
async def test_what_equals_true_is_true(name: str, flag: Any) -> None:
    pool = NbAioPool(1, 1)
    await pool.run(value())
    await TAKES_BLOCK[name](pool, value(), flag)
    await pool.shutdown()
    assert pool.stats().succeeded == 2


@pytest.mark.parametrize("flag", [False, 0, Index(0)], ids=describe)
@pytest.mark.parametrize("name", TAKES_BLOCK)
async def test_what_equals_false_is_false(name: str, flag: Any) -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    with pytest.raises(PoolFull):
        await TAKES_BLOCK[name](pool, value(), flag)
    gate.open()
    await asyncio.gather(*jobs)


@pytest.mark.parametrize("name", TAKES_BLOCK)
@pytest.mark.parametrize("is_object", [False, True])
async def test_a_second_awaitable_is_not_taken_for_a_flag(name: str, is_object: bool) -> None:
    pool, coro, other = NbAioPool(1, 1), value(), value()
    await pool.run(value())
    hint = (
        "put them in a list" if name.startswith("batch") else "submit, run and sync_submit take one awaitable"
    )
    with pytest.raises(TypeError, match=f"^block must be True or False, got <.*{hint}"):
        await TAKES_BLOCK[name](pool, coro, AwaitableObject() if is_object else other)
    assert is_closed(coro)
    if is_object:
        other.close()
    assert is_closed(other)


@pytest.mark.parametrize("name", ["batch_submit", "batch_run"])
async def test_a_batch_that_is_not_in_a_list_is_closed(name: str) -> None:
    pool, coros = NbAioPool(1, 1), [value(), value()]
    with pytest.raises(TypeError, match=r"put them in a list, \[a, b\]"):
        await getattr(pool, name)(*coros)
    assert all(map(is_closed, coros))


@pytest.mark.parametrize("flag", WRONG, ids=describe)
@pytest.mark.parametrize("name", ["wait", "cancel"])
async def test_the_flags_of_shutdown(name: str, flag: Any) -> None:
    pool = NbAioPool(1, 1)
    with pytest.raises(TypeError, match=f"^{name} must be True or False, got "):
        await pool.shutdown(**{name: flag})
    assert not pool.closed


@pytest.mark.parametrize("seconds", [5, 0.5])
async def test_a_time_limit_in_the_place_of_wait_is_told_where_it_belongs(seconds: float) -> None:
    with pytest.raises(TypeError, match=f"got {seconds} .*write timeout={seconds}$"):
        await NbAioPool().shutdown(seconds)  # type: ignore[arg-type]


async def test_shutdown_takes_what_equals_a_flag() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    wait: Any = Index(0)
    cancel: Any = Index(0)
    await pool.shutdown(wait, cancel=cancel)
    assert pool.closed and not any(job.done() for job in jobs)
    gate.open()
    wait = cancel = 1
    await pool.shutdown(wait, cancel=cancel)


@pytest.mark.parametrize("flag", WRONG, ids=describe)
async def test_the_flags_of_map_and_batch_run(flag: Any) -> None:
    pool, coro = NbAioPool(1, 1), value()
    for name in ("ordered", "return_exceptions"):
        with pytest.raises(TypeError, match=f"^{name} must be True or False, got "):
            pool.map(value, [1], **{name: flag})
    with pytest.raises(TypeError, match="^return_exceptions must be True or False, got "):
        await pool.batch_run([coro], return_exceptions=flag)
    assert is_closed(coro)
    zero: Any = Index(0)
    assert await pool.map(value, [1], ordered=zero, return_exceptions=zero).collect() == [1]
