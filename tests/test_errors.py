"""Errors: every wrong call says what was wrong, with the value, and leaves the pool as it was."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Callable, NamedTuple, Tuple, Type

import pytest

from nb_aiopool import NbAioPool, PoolError, PoolFull, PoolStopped
from support import Gate, accounting, counts, fill, is_closed, turns, value


class Wrong(NamedTuple):
    """A wrong call, the error it must raise and what the text must name."""

    call: Callable[[Any], Any]
    error: Type[BaseException]
    names: Tuple[str, ...]


NAN = float("nan")


def concurrency(limit: Any) -> Callable[[Any], None]:
    return lambda pool: setattr(pool, "max_concurrency", limit)


def queue_size(limit: Any) -> Callable[[Any], None]:
    return lambda pool: setattr(pool, "max_queue_size", limit)


WRONG = {
    "submit None": Wrong(lambda pool: pool.submit(None), TypeError, ("None",)),
    "submit a number": Wrong(lambda pool: pool.submit(4711), TypeError, ("4711",)),
    "submit a string": Wrong(lambda pool: pool.submit("coro"), TypeError, ("'coro'",)),
    "submit a function": Wrong(lambda pool: pool.submit(value), TypeError, ("value", "call")),
    "submit nothing": Wrong(lambda pool: pool.submit(), TypeError, ("coro",)),
    "submit_nowait a number": Wrong(lambda pool: pool.submit_nowait(4711), TypeError, ("4711",)),
    "submit_nowait a function": Wrong(lambda pool: pool.submit_nowait(value), TypeError, ("value", "call")),
    "submit_nowait nothing": Wrong(lambda pool: pool.submit_nowait(), TypeError, ()),
    "run a number": Wrong(lambda pool: pool.run(4711), TypeError, ("4711",)),
    "run a function": Wrong(lambda pool: pool.run(value), TypeError, ("value", "call")),
    "run with an unknown argument": Wrong(lambda pool: pool.run(value, wait=True), TypeError, ("wait",)),
    "batch_submit a number": Wrong(lambda pool: pool.batch_submit(4711), TypeError, ("4711",)),
    "batch_submit numbers": Wrong(lambda pool: pool.batch_submit([4711]), TypeError, ("4711",)),
    "batch_submit a string": Wrong(lambda pool: pool.batch_submit("xyz"), TypeError, ("x",)),
    "batch_submit functions": Wrong(lambda pool: pool.batch_submit([value]), TypeError, ("value", "call")),
    "batch_run a number": Wrong(lambda pool: pool.batch_run(4711), TypeError, ("4711",)),
    "batch_run numbers": Wrong(lambda pool: pool.batch_run([4711]), TypeError, ("4711",)),
    "batch_run numbers at once": Wrong(lambda pool: pool.batch_run([4711], False), TypeError, ("4711",)),
    "shutdown in -2.5 s": Wrong(lambda pool: pool.shutdown(timeout=-2.5), ValueError, ("timeout", "-2.5")),
    "shutdown in nan s": Wrong(lambda pool: pool.shutdown(timeout=NAN), ValueError, ("timeout", "nan")),
    "shutdown in '5' s": Wrong(lambda pool: pool.shutdown(timeout="5"), TypeError, ("timeout", "'5'")),
    "shutdown in [1] s": Wrong(lambda pool: pool.shutdown(timeout=[1]), TypeError, ("timeout",)),
    "shutdown by position": Wrong(lambda pool: pool.shutdown(True, True), TypeError, ()),
    "no concurrency": Wrong(concurrency(0), ValueError, ("max_concurrency", "0")),
    "negative queue size": Wrong(queue_size(-9), ValueError, ("max_queue_size", "-9")),
    "concurrency of text": Wrong(concurrency("8"), TypeError, ("max_concurrency", "8")),
    "queue size of truth": Wrong(queue_size(True), TypeError, ("max_queue_size",)),
}


async def attempt(call: Callable[[Any], Any], pool: NbAioPool) -> Any:
    result = call(pool)
    return await result if result is not None else None


@pytest.mark.parametrize("state", ["idle", "full"])
@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
async def test_a_wrong_call_says_what_is_wrong_and_changes_nothing(wrong: Wrong, state: str) -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    jobs = fill(pool, gate) if state == "full" else []
    await turns(2)
    before, seen = pool.stats(), counts(pool)
    with pytest.raises(wrong.error) as caught:
        await attempt(wrong.call, pool)
    assert [name for name in wrong.names if name not in str(caught.value)] == [], str(caught.value)
    assert type(caught.value) is wrong.error and len(str(caught.value)) > 10
    assert (pool.stats(), counts(pool), pool.closed) == (before, seen, False)
    gate.open()
    assert await asyncio.gather(*jobs) == list(range(len(jobs)))
    assert await pool.run(value("usable")) == "usable"


async def test_a_full_pool_says_so_with_its_size_and_what_to_do() -> None:
    pool, gate = NbAioPool(2, 7), Gate()
    jobs = fill(pool, gate)
    for call in (
        lambda: pool.submit(value(), block=False),
        lambda: pool.run(value(), block=False),
        lambda: pool.batch_submit([value()], block=False),
        lambda: pool.batch_run([value()], block=False),
    ):
        with pytest.raises(PoolFull, match="full|no room") as caught:
            await call()
        assert "7" in str(caught.value)
        assert re.search("wait for|await|raise|block=True", str(caught.value)), "it does not say what to do"
    with pytest.raises(PoolFull, match="full.*7"):
        pool.submit_nowait(value())
    gate.open()
    await asyncio.gather(*jobs)


async def test_a_stopped_pool_says_so() -> None:
    pool = NbAioPool(2, 2)
    await pool.shutdown()
    for call in (
        lambda: pool.submit(value()),
        lambda: pool.submit(value(), block=False),
        lambda: pool.run(value()),
        lambda: pool.batch_submit([value()]),
        lambda: pool.batch_run([value()]),
        lambda: pool.batch_run([value()], block=False),
    ):
        with pytest.raises(PoolStopped, match="(?i)shut|stopped|closed") as caught:
            await call()
        assert isinstance(caught.value, PoolError) and isinstance(caught.value, RuntimeError)
    with pytest.raises(PoolStopped):
        pool.submit_nowait(value())


def test_without_a_running_loop_submit_nowait_refuses_and_closes() -> None:
    pool, coro = NbAioPool(1, 1), value()
    with pytest.raises(RuntimeError, match="loop"):
        pool.submit_nowait(coro)
    assert is_closed(coro) and accounting(pool).submitted == 0


@pytest.mark.parametrize("name", ["submit", "run", "batch_submit", "batch_run"])
def test_without_a_running_loop_a_call_driven_by_hand_refuses_and_closes(name: str) -> None:
    pool, coro = NbAioPool(1, 1), value()
    call = getattr(pool, name)([coro] if "batch" in name else coro)
    with pytest.raises(RuntimeError, match="loop"):
        call.send(None)
    assert is_closed(coro) and accounting(pool).submitted == 0


def test_a_pool_busy_in_one_loop_refuses_another_and_changes_nothing(loop_factory: Callable[[], Any]) -> None:
    pool, one, other = NbAioPool(1, 1), loop_factory(), loop_factory()
    gates = []

    async def begin() -> Any:
        gates.append(Gate())
        job = await pool.submit(gates[0].hold("result"))
        await gates[0].reached(1)
        return job

    job = one.run_until_complete(begin())
    refused = [value() for _ in range(6)]

    async def intrude() -> None:
        for call in (
            lambda: pool.submit(refused[0]),
            lambda: pool.submit(refused[1], block=False),
            lambda: pool.run(refused[2]),
            lambda: pool.batch_submit([refused[3]]),
            lambda: pool.batch_run([refused[4]]),
            pool.join,
        ):
            with pytest.raises(RuntimeError, match="loop"):
                await call()
        with pytest.raises(RuntimeError, match="loop"):
            pool.submit_nowait(refused[5])

    other.run_until_complete(intrude())
    other.close()
    assert all(is_closed(coro) for coro in refused)
    assert accounting(pool) == (1, 0, 0, 0, 0, 1)

    async def finish() -> Any:
        gates[0].open()
        return await job

    assert one.run_until_complete(finish()) == "result"
    one.close()


def test_a_pool_made_without_init_does_not_crash(script: Callable[..., Any]) -> None:
    script(
        """
        import asyncio
        from nb_aiopool import NbAioPool

        async def nothing():
            pass

        async def main():
            pool = NbAioPool.__new__(NbAioPool)
            uses = [repr, hash, NbAioPool.stats, dir]
            uses += [lambda p, name=name: getattr(p, name) for name in
                     "running queued waiting closed max_concurrency max_queue_size".split()]
            uses.append(lambda p: setattr(p, "max_concurrency", 3))
            for use in uses:
                try:
                    use(pool)
                except (RuntimeError, TypeError, AttributeError, ValueError):
                    pass
            for name in ("submit", "run"):
                try:
                    await asyncio.wait_for(getattr(pool, name)(nothing()), 1)
                except (RuntimeError, TypeError, AttributeError, asyncio.TimeoutError):
                    pass
            for name in ("join", "shutdown"):
                try:
                    await asyncio.wait_for(getattr(pool, name)(), 1)
                except (RuntimeError, TypeError, AttributeError, asyncio.TimeoutError):
                    pass

        asyncio.run(main())
        print("alive")
        """
    )


def test_calling_init_again_does_not_crash(script: Callable[..., Any]) -> None:
    done = script(
        """
        import asyncio
        from nb_aiopool import NbAioPool

        async def job(event, log):
            await event.wait()
            log.append(1)

        async def main():
            pool, event, log = NbAioPool(2, 5), asyncio.Event(), []
            jobs = [await pool.submit(job(event, log)) for _ in range(5)]
            await asyncio.sleep(0)
            try:
                pool.__init__(1, 1)
            except RuntimeError:
                pass
            event.set()
            await asyncio.gather(*jobs)
            await pool.join()
            stats = pool.stats()
            assert len(log) == 5
            assert stats.submitted == stats.succeeded + stats.queued + stats.running, stats
            print("alive")

        asyncio.run(main())
        """
    )
    assert done.stdout == "alive\n"
