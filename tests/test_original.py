"""The examples and call forms documented for the pure-Python package of the same name work unchanged."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Callable, List

import pytest

from nb_aiopool import NbAioPool
from nb_aiopool.nb_aiopool import NbAioPool as InnerNbAioPool
from support import Gate, accounting, fill, turns, value

if TYPE_CHECKING:
    import subprocess

Script = Callable[..., "subprocess.CompletedProcess[str]"]


async def my_task(x: int) -> int:
    await asyncio.sleep(0.001)
    return x * 2


def test_the_inner_module_has_the_same_pool() -> None:
    assert InnerNbAioPool is NbAioPool


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("__init__", ["self", "max_concurrency", "max_queue_size"]),
        ("submit", ["self", "coro", "block", "future"]),
        ("run", ["self", "coro", "block", "future"]),
        ("batch_submit", ["self", "coros", "block"]),
        ("batch_run", ["self", "coros", "block"]),
        ("shutdown", ["self", "wait"]),
    ],
)
def test_every_call_takes_the_arguments_of_the_original_in_their_order(
    name: str, parameters: List[str]
) -> None:
    signature = inspect.signature(getattr(NbAioPool, name))
    assert list(signature.parameters)[: len(parameters)] == parameters
    defaults = {"max_concurrency": 100, "max_queue_size": 1000, "block": True, "future": None, "wait": True}
    for parameter in parameters:
        expected = defaults.get(parameter, inspect.Parameter.empty)
        assert signature.parameters[parameter].default == expected
    # Whatever was added can only be given by name, so that it is in nobody's way.
    added = list(signature.parameters.values())[len(parameters) :]
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in added)


async def test_the_quick_start() -> None:
    async with NbAioPool(max_concurrency=10, max_queue_size=1000) as pool:
        future = await pool.submit(my_task(5))
        result = await future
        assert result == 10
        result = await pool.run(my_task(10))
        assert result == 20
        futures = [await pool.submit(my_task(i)) for i in range(100)]
        results = await asyncio.gather(*futures)
        assert results == [i * 2 for i in range(100)]


async def test_submitting_a_list_and_gathering_it() -> None:
    async with NbAioPool(max_concurrency=10) as pool:
        futures = [await pool.submit(my_task(i)) for i in range(100)]
        assert not all(future.done() for future in futures)
        assert await asyncio.gather(*futures) == [i * 2 for i in range(100)]


async def test_running_one_after_another() -> None:
    async with NbAioPool(max_concurrency=10) as pool:
        for i in range(100):
            assert await pool.run(my_task(i)) == i * 2


async def test_batches() -> None:
    async with NbAioPool(max_concurrency=10) as pool:
        coros = [my_task(i) for i in range(100)]
        futures = await pool.batch_submit(coros)
        assert isinstance(futures, list) and len(futures) == 100
        assert await asyncio.gather(*futures) == [i * 2 for i in range(100)]
        coros = [my_task(i) for i in range(100)]
        results = await pool.batch_run(coros)
        assert isinstance(results, list) and results == [i * 2 for i in range(100)]


async def test_fire_and_forget_with_back_pressure() -> None:
    done = []

    async def clean_task(big_data: str, task_id: int) -> str:
        await turns()
        done.append(task_id)
        return "result_%s_%d" % ("x" * 200, task_id)

    async with NbAioPool(max_concurrency=100, max_queue_size=1000) as pool:
        for i in range(5000):
            await pool.submit(clean_task("%s_%d" % ("task" * 100, i), i))
            assert pool.queued <= 1000 and pool.running <= 100
    assert sorted(done) == list(range(5000))


async def test_the_pool_that_is_shut_down_by_hand() -> None:
    pool = NbAioPool(max_concurrency=10, max_queue_size=1000)
    futures = [await pool.submit(my_task(i)) for i in range(100)]
    assert await asyncio.gather(*futures) == [i * 2 for i in range(100)]
    await pool.shutdown(wait=True)
    late = my_task(1)
    with pytest.raises(RuntimeError, match="(?i)stopped|shut"):
        await pool.submit(late)


async def test_jobs_that_nobody_waits_for_are_finished_by_shutdown() -> None:
    done: List[int] = []

    async def work(i: int) -> None:
        await turns(2)
        done.append(i)

    pool = NbAioPool(max_concurrency=10)
    for i in range(50):
        await pool.submit(work(i))
    await pool.shutdown(True)
    assert sorted(done) == list(range(50))


async def test_shutdown_without_waiting_by_position() -> None:
    pool, gate = NbAioPool(2, 2), Gate()
    jobs = fill(pool, gate)
    await pool.shutdown(False)
    gate.open()
    assert await asyncio.gather(*jobs) == [0, 1, 2, 3]


async def test_a_future_may_be_passed_by_position_and_by_name() -> None:
    pool, loop = NbAioPool(2, 2), asyncio.get_running_loop()
    mine = loop.create_future()
    assert await pool.submit(my_task(1), True, mine) is mine
    assert await mine == 2
    mine = loop.create_future()
    assert await pool.submit(my_task(2), block=True, future=mine) is mine
    assert await mine == 4
    mine = loop.create_future()
    assert await pool.run(my_task(3), True, mine) == 6 == mine.result()
    assert await pool.run(my_task(4), block=False) == 8
    assert await pool.batch_run([my_task(5)], False) == [10]
    assert await asyncio.gather(*await pool.batch_submit([my_task(6)], block=False)) == [12]


async def test_without_blocking_a_full_pool_is_a_runtime_error_and_a_queue_full() -> None:
    pool, gate = NbAioPool(1, 1), Gate()
    jobs = fill(pool, gate)
    for kind in (RuntimeError, asyncio.QueueFull):
        with pytest.raises(kind):
            await (await pool.submit(value(), block=False))
    gate.open()
    await asyncio.gather(*jobs)


async def test_a_failing_task_is_the_failure_of_its_future_alone() -> None:
    async def failing() -> None:
        raise ValueError("business error")

    async with NbAioPool(max_concurrency=2) as pool:
        future = await pool.submit(failing())
        with pytest.raises(ValueError, match="business error"):
            await future
        with pytest.raises(ValueError, match="business error"):
            await pool.run(failing())
        assert await pool.run(my_task(1)) == 2
    assert accounting(pool) == (3, 1, 2, 0, 0, 0)


def test_the_documented_scenario_as_a_program(script: Script) -> None:
    done = script(
        """
        import asyncio
        from nb_aiopool import NbAioPool

        async def sample_task(x: int):
            await asyncio.sleep(0.01)
            print(x)
            return x * 2

        async def main():
            # 推荐:使用 async with,自动处理资源释放
            async with NbAioPool(max_concurrency=10, max_queue_size=1000) as pool:
                futures = [await pool.submit(sample_task(i)) for i in range(100)]
                results = await asyncio.gather(*futures)
                print("1:", results)
                for i in range(10):
                    result = await pool.run(sample_task(i))
                    print(f"{i}: {result}")
                coros = [sample_task(i) for i in range(100)]
                futures = await pool.batch_submit(coros)
                results = await asyncio.gather(*futures)
                print("3:", results)
                coros = [sample_task(i) for i in range(100)]
                results = await pool.batch_run(coros)
                print("4:", results)

        asyncio.run(main())
        """
    )
    doubled = str([i * 2 for i in range(100)])
    lines = done.stdout.splitlines()
    assert len(lines) == 310 + 10 + 3
    assert [line for line in lines if "[" in line] == ["%d: %s" % (way, doubled) for way in (1, 3, 4)]
    assert "7: 14" in lines


def test_a_global_pool_in_a_loop_that_runs_forever(script: Script) -> None:
    done = script(
        """
        import asyncio
        from nb_aiopool import NbAioPool

        # 全局 pool,可在多个模块、函数中共享
        aiopool = NbAioPool(max_concurrency=3, max_queue_size=1000)

        async def fun_level1(x):
            await asyncio.sleep(0.01)
            print(f"Level1: {x}")
            # 在任务内部可以继续提交子任务
            await aiopool.submit(fun_level2(x*2, x*3))

        async def fun_level2(a, b):
            await asyncio.sleep(0.02)
            print(f"Level2: {a}, {b}")

        async def main():
            for i in range(30):
                await aiopool.submit(fun_level1(i))

        async def stop_when_done():
            while aiopool.stats().succeeded < 60:
                await asyncio.sleep(0.01)
            loop.stop()

        if __name__ == "__main__":
            try:
                loop = asyncio.get_event_loop_policy().get_event_loop()
            except Exception:
                loop = asyncio.new_event_loop()
            loop.create_task(main())
            stopper = loop.create_task(stop_when_done())
            loop.run_forever()
        """,
        flags=["-W", "ignore::DeprecationWarning"],
    )
    lines = done.stdout.splitlines()
    assert sorted(lines) == sorted(
        ["Level1: %d" % i for i in range(30)] + ["Level2: %d, %d" % (i * 2, i * 3) for i in range(30)]
    )


def test_a_pool_may_be_made_where_there_is_no_loop_and_used_in_several_runs(
    run_loop: Callable[[Any], Any],
) -> None:
    pool = NbAioPool()
    for i in range(3):
        assert run_loop(pool.run(my_task(i))) == i * 2
        assert run_loop(pool.batch_run([my_task(j) for j in range(5)])) == [0, 2, 4, 6, 8]
