"""pytest-asyncio: pools work in its tests and fixtures, also over several loops and with jobs left at the end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from typing import Any, AsyncIterator

import pytest

from nb_aiopool import NbAioPool
from support import Gate, accounting, value

pytest_asyncio = pytest.importorskip("pytest_asyncio")

shared = NbAioPool(2, 2)


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[NbAioPool]:
    async with NbAioPool(2, 2) as inside:
        yield inside
    assert inside.closed


@pytest.mark.asyncio
async def test_a_pool_made_by_a_fixture_works(pool: NbAioPool) -> None:
    assert await pool.batch_run(value(i) for i in range(10)) == list(range(10))


@pytest.mark.asyncio
@pytest.mark.parametrize("i", range(3))
async def test_a_global_pool_is_used_by_each_test_in_its_own_loop(i: int) -> None:
    gate = Gate()
    jobs = [await shared.submit(gate.hold(j)) for j in range(4)]
    await gate.reached(2)
    gate.open()
    assert await asyncio.gather(*jobs) == [0, 1, 2, 3]
    assert await shared.run(value(i)) == i
    accounting(shared)


LEAVES_JOBS = """
    import asyncio
    import pytest
    import pytest_asyncio
    from nb_aiopool import NbAioPool

    pool = NbAioPool(1, 3)

    async def sleeper():
        await asyncio.sleep(3600)

    async def value(i):
        return i

    @pytest.mark.asyncio
    @pytest.mark.parametrize("i", range(4))
    async def test_leaves_jobs(i):
        assert await pool.run(value(i)) == i
        for _ in range(4):
            await pool.submit(sleeper())
        await asyncio.sleep(0)

    @pytest_asyncio.fixture
    async def block():
        log = []
        async with NbAioPool(2, 2) as pool:
            yield pool, log
        assert sorted(log) == [0, 1, 2, 3]

    @pytest.mark.asyncio
    async def test_leaves_jobs_to_its_fixture(block):
        pool, log = block

        async def work(i):
            await asyncio.sleep(0.01)
            log.append(i)

        for i in range(4):
            await pool.submit(work(i))
        assert log == []

    def test_the_pool_is_as_good_as_new():
        assert asyncio.run(pool.batch_run([value(1), value(2), value(3)])) == [1, 2, 3]
    """


def test_tests_that_leave_jobs_behind_neither_fail_nor_warn(tmp_path: Any) -> None:
    (tmp_path / "test_leaves_jobs.py").write_text(textwrap.dedent(LEAVES_JOBS), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\n", encoding="utf-8"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-W",
            "error",
            "-W",
            "ignore::ResourceWarning",
            str(tmp_path),
        ],
        cwd=str(tmp_path),
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0 and "6 passed" in done.stdout, done.stdout
    assert "warning" not in done.stdout and "destroyed" not in done.stdout, done.stdout
