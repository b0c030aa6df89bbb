"""os.fork with a pool that is bound and busy: the child gets an error or a fresh start, the parent notices nothing."""

from __future__ import annotations

import os
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

COMMON = """
import asyncio, os, signal, sys, traceback, warnings
from nb_aiopool import NbAioPool

warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of fork in a process with threads
pool = NbAioPool(2, 8)


async def value(result=None):
    return result


async def nested(depth):
    if depth:
        return await (await pool.submit(nested(depth - 1)))
    await asyncio.sleep(0.05)


def fork_and_try(expected):
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(10)  # a child that hangs dies
    code = 1
    try:
        try:
            assert asyncio.run(pool.run(value(3))) == 3
            outcome = "runs"
        except RuntimeError as error:
            assert "pool" in str(error), error
            outcome = "refuses"
        code = 0 if outcome in expected else 2
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def check(pid):
    assert os.waitpid(pid, 0)[1] == 0
"""


def test_a_fork_outside_of_jobs_with_a_busy_pool(script: Any) -> None:
    script(
        COMMON
        + """
async def main():
    load = [await pool.submit(nested(2)) for _ in range(4)]
    await asyncio.sleep(0.01)
    check(fork_and_try(["runs", "refuses"]))
    await asyncio.gather(*load)
    assert await pool.run(value(5)) == 5

asyncio.run(main())
check(fork_and_try(["runs"]))
"""
    )


def test_a_fork_inside_a_job(script: Any) -> None:
    script(
        COMMON
        + """
async def forks():
    check(fork_and_try(["runs", "refuses"]))
    pid = os.fork()
    if pid == 0:
        try:
            pool.submit_nowait(value()).cancel()
        except RuntimeError as error:
            os._exit(0 if "no running event loop" in str(error) else 1)
        os._exit(2)
    check(pid)
    return "forked"

async def main():
    load = [await pool.submit(nested(2)) for _ in range(4)]
    assert await (await pool.submit(forks())) == "forked"
    assert await pool.run(forks()) == "forked"
    await asyncio.gather(*load)

asyncio.run(main())
assert asyncio.run(pool.run(value(5))) == 5
""",
        flags=("-W", "ignore::RuntimeWarning"),
    )


def test_a_fork_with_a_loop_that_was_stopped_with_work_left(script: Any) -> None:
    script(
        COMMON
        + """
async def held():
    await asyncio.get_running_loop().create_future()

async def leave():
    for _ in range(4):
        pool.submit_nowait(held())
    await asyncio.sleep(0.01)

loop = asyncio.new_event_loop()
loop.run_until_complete(leave())
check(fork_and_try(["runs", "refuses"]))
loop.run_until_complete(pool.shutdown(cancel=True))
loop.close()
"""
    )
