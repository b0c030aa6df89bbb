"""What the READMEs of nb_aiopool 1.0 and of its executor for synchronous code show, unchanged in what it calls.

    python examples/from_the_readmes.py [--jobs N]

The four ways in, a batch by hand and with one call, a pool without `async with`, a global pool whose jobs submit to
it, a stream of jobs with large arguments, and an executor in a plain script.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import List

from nb_aiopool import AsyncPoolExecutor, NbAioPool


async def my_task(x: int) -> int:
    await asyncio.sleep(0.001)
    return x * 2


async def the_ways_in() -> None:
    async with NbAioPool(max_concurrency=10, max_queue_size=1000) as pool:
        future = await pool.submit(my_task(5))
        print("submit:", await future)
        print("run:", await pool.run(my_task(10)))
        futures = [await pool.submit(my_task(i)) for i in range(100)]
        print("submit and gather:", sum(await asyncio.gather(*futures)))
        futures = await pool.batch_submit([my_task(i) for i in range(100)])
        print("batch_submit:", sum(await asyncio.gather(*futures)))
        print("batch_run:", sum(await pool.batch_run([my_task(i) for i in range(100)])))


async def without_async_with() -> None:
    pool = NbAioPool(max_concurrency=10, max_queue_size=1000)
    futures = [await pool.submit(my_task(i)) for i in range(100)]
    await pool.shutdown(wait=True)
    print("after shutdown:", sum(future.result() for future in futures))


aiopool = NbAioPool(max_concurrency=3, max_queue_size=1000)
reached: List[int] = []


async def fun_level1(x: int) -> None:
    await asyncio.sleep(0.001)
    await aiopool.submit(fun_level2(x * 2, x * 3))


async def fun_level2(a: int, b: int) -> None:
    await asyncio.sleep(0.001)
    reached.append(a + b)


async def a_global_pool() -> None:
    for i in range(30):
        await aiopool.submit(fun_level1(i))
    await aiopool.join()  # where 1.0 needed loop.run_forever()
    print("global pool, two levels:", len(reached), sum(reached))


async def clean_task(big_data: str, task_id: int) -> str:
    await asyncio.sleep(0)
    return f"result_{'x' * 200}_{task_id}_{len(big_data)}"


async def good_example(jobs: int) -> None:
    most = 0
    async with NbAioPool(max_concurrency=1000, max_queue_size=10_000) as pool:
        for i in range(jobs):
            await pool.submit(clean_task(f"{'task' * 100}_{i}", i))
            most = max(most, pool.running + pool.queued)
    print(f"stream: {pool.stats().succeeded} jobs, never more than 11000 in memory: {most <= 11_000}")


async def async_f(x: int) -> int:
    await asyncio.sleep(0.001)
    return x


def in_a_plain_script() -> None:
    pool = AsyncPoolExecutor(3)
    futures = [pool.submit(async_f, i) for i in range(30)]
    print("executor:", sum(future.result() for future in futures))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The READMEs' examples.", prog="from_the_readmes.py")
    parser.add_argument("--jobs", type=int, default=100_000, help="how many the stream has")
    options = parser.parse_args()
    asyncio.run(the_ways_in())
    asyncio.run(without_async_with())
    asyncio.run(a_global_pool())
    asyncio.run(good_example(options.jobs))
    in_a_plain_script()
