"""Construction: what a new pool accepts, needs and shows."""

from __future__ import annotations

import asyncio
import enum
import inspect
import sys
import threading
import weakref
from decimal import Decimal
from typing import Any

import pytest

import nb_aiopool
import nb_aiopool.nb_aiopool
from nb_aiopool import NbAioPool, PoolError, PoolFull, PoolStats, PoolStopped
from support import value

NOT_INTEGERS = [True, False, 1.0, "5", b"5", None, [], (1,), Decimal(3), 2j, object]


class Index:
    def __init__(self, number: Any) -> None:
        self.number = number

    def __index__(self) -> Any:
        if isinstance(self.number, Exception):
            raise self.number
        return self.number


class Size(enum.IntEnum):
    SMALL = 3


def test_the_package_exports_exactly_its_public_names() -> None:
    assert set(nb_aiopool.__all__) >= {"NbAioPool", "PoolStats", "PoolError", "PoolFull", "PoolStopped"}
    for name in nb_aiopool.__all__:
        assert getattr(nb_aiopool, name) is not None
    assert isinstance(nb_aiopool.__version__, str)
    assert int(nb_aiopool.__version__.split(".")[0]) >= 2


def test_the_inner_module_of_the_original_offers_the_same_class() -> None:
    assert nb_aiopool.nb_aiopool.NbAioPool is NbAioPool


def test_the_errors_form_the_documented_tree() -> None:
    assert issubclass(PoolError, RuntimeError)
    assert issubclass(PoolFull, PoolError)
    assert issubclass(PoolFull, asyncio.QueueFull)
    assert issubclass(PoolStopped, PoolError)
    assert not issubclass(PoolStopped, asyncio.QueueFull)


def test_a_pool_has_the_documented_default_limits() -> None:
    pool = NbAioPool()
    assert (pool.max_concurrency, pool.max_queue_size) == (100, 1000)


def test_the_limits_are_taken_by_position_and_by_name() -> None:
    by_position, by_name = NbAioPool(3, 7), NbAioPool(max_queue_size=7, max_concurrency=3)
    for pool in (by_position, by_name):
        assert (pool.max_concurrency, pool.max_queue_size) == (3, 7)


def test_a_fresh_pool_is_open_and_empty() -> None:
    pool = NbAioPool()
    assert (pool.running, pool.queued, pool.waiting, pool.closed) == (0, 0, 0, False)
    assert pool.stats() == (0, 0, 0, 0, 0, 0)


def test_stats_are_a_named_tuple_of_the_documented_fields() -> None:
    stats = NbAioPool().stats()
    assert isinstance(stats, PoolStats) and isinstance(stats, tuple)
    assert stats._fields == ("submitted", "succeeded", "failed", "cancelled", "queued", "running")


def test_construction_needs_no_event_loop_in_any_thread() -> None:
    made = []

    def make() -> None:
        made.append(NbAioPool(2, 2))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    assert made[0].max_concurrency == 2


def test_a_pool_made_outside_of_any_loop_works_in_one(run_loop: Any) -> None:
    pool = NbAioPool(2, 2)
    assert run_loop(pool.run(value("done"))) == "done"


@pytest.mark.parametrize("number", [0, -1, -sys.maxsize, -(10**30)])
def test_a_concurrency_below_one_is_a_value_error_with_the_value(number: int) -> None:
    with pytest.raises(ValueError, match="max_concurrency") as caught:
        NbAioPool(number)
    assert str(number) in str(caught.value)


@pytest.mark.parametrize("number", [-1, -7, -(10**30)])
def test_a_negative_queue_size_is_a_value_error_with_the_value(number: int) -> None:
    with pytest.raises(ValueError, match="max_queue_size") as caught:
        NbAioPool(1, number)
    assert str(number) in str(caught.value)


@pytest.mark.parametrize("name", ["max_concurrency", "max_queue_size"])
@pytest.mark.parametrize("bad", NOT_INTEGERS, ids=repr)
def test_a_limit_that_is_no_integer_is_a_type_error_with_the_value(name: str, bad: Any) -> None:
    with pytest.raises(TypeError, match=name) as caught:
        NbAioPool(**{name: bad})
    assert repr(bad) in str(caught.value) or type(bad).__name__ in str(caught.value)


@pytest.mark.parametrize("number", [1, sys.maxsize, 2**31, 2**32 + 1])
def test_limits_may_be_as_large_as_a_machine_word(number: int) -> None:
    pool = NbAioPool(number, number)
    assert (pool.max_concurrency, pool.max_queue_size) == (number, number)


def test_objects_with_an_index_method_and_subclasses_of_int_are_integers() -> None:
    pool = NbAioPool(Index(4), Size.SMALL)
    assert (pool.max_concurrency, pool.max_queue_size) == (4, 3)
    assert type(pool.max_concurrency) is int and type(pool.max_queue_size) is int


def test_an_index_method_is_held_to_the_same_bounds() -> None:
    with pytest.raises(ValueError, match="max_concurrency.*0"):
        NbAioPool(Index(0))
    with pytest.raises(ValueError, match="max_queue_size.*-1"):
        NbAioPool(1, Index(-1))


def test_an_exception_of_an_index_method_comes_through() -> None:
    with pytest.raises(KeyError, match="mine"):
        NbAioPool(Index(KeyError("mine")))


def test_unknown_and_surplus_arguments_are_type_errors() -> None:
    make: Any = NbAioPool
    with pytest.raises(TypeError):
        make(1, 1, 1)
    with pytest.raises(TypeError, match="size"):
        make(size=1)


async def test_a_queue_size_of_zero_means_no_bound() -> None:
    pool = NbAioPool(1, 0)
    jobs = [pool.submit_nowait(value(i)) for i in range(3000)]
    assert (pool.running, pool.queued) == (1, 2999)
    assert await asyncio.gather(*jobs) == list(range(3000))


def test_the_awaited_methods_are_real_coroutine_functions() -> None:
    for name in ("submit", "run", "batch_submit", "batch_run", "join", "shutdown", "__aenter__", "__aexit__"):
        assert inspect.iscoroutinefunction(getattr(NbAioPool, name)), name
        assert inspect.iscoroutinefunction(getattr(NbAioPool(), name)), name
    assert not inspect.iscoroutinefunction(NbAioPool.submit_nowait)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("submit", ["coro", "block=True", "future=None"]),
        ("run", ["coro", "block=True", "future=None"]),
        ("batch_submit", ["coros", "block=True"]),
        ("batch_run", ["coros", "block=True", "*return_exceptions=False"]),
        ("join", []),
        ("shutdown", ["wait=True", "*cancel=False", "*timeout=None"]),
    ],
)
def test_the_methods_have_the_documented_parameters(name: str, parameters: Any) -> None:
    shown = []
    for parameter in list(inspect.signature(getattr(NbAioPool, name)).parameters.values())[1:]:
        star = "*" if parameter.kind is parameter.KEYWORD_ONLY else ""
        default = "" if parameter.default is parameter.empty else "=%r" % (parameter.default,)
        shown.append(star + parameter.name + default)
    assert shown == parameters


@pytest.mark.parametrize("name", ["running", "queued", "waiting", "closed"])
def test_what_the_pool_counts_cannot_be_assigned(name: str) -> None:
    pool = NbAioPool()
    with pytest.raises(AttributeError):
        setattr(pool, name, 1)
    assert getattr(pool, name) == 0


async def test_a_subclass_may_add_attributes_and_extend_methods() -> None:
    class Counting(NbAioPool):
        def __init__(self, size: int) -> None:
            super().__init__(size, 5)
            self.calls = 0

        async def submit(self, *args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return await super().submit(*args, **kwargs)

    pool = Counting(2)
    assert await (await pool.submit(value(8))) == 8
    assert pool.calls == 1
    assert "Counting" in repr(pool)


def test_a_pool_can_be_referred_to_weakly_and_is_hashed_by_identity() -> None:
    pool, other = NbAioPool(), NbAioPool()
    reference = weakref.ref(pool)
    assert reference() is pool
    assert pool == pool and pool != other
    assert len({pool, other}) == 2


async def test_the_repr_shows_the_state_and_the_counts() -> None:
    pool = NbAioPool(3, 7)
    text = repr(pool)
    assert "NbAioPool" in text and "open" in text
    assert "running=0/3" in text and "queued=0/7" in text and "waiting=0" in text
    jobs = [pool.submit_nowait(value()) for _ in range(5)]
    assert "running=3/3" in repr(pool) and "queued=2/7" in repr(pool)
    await asyncio.gather(*jobs)
    await pool.shutdown()
    assert "closed" in repr(pool) and "open" not in repr(pool)
