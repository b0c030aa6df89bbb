"""What type checkers make of calls: `./scripts/lint` has mypy and basedpyright look at this, and nothing runs it.

What must be an error is marked to be ignored: an ignore that nothing needs is an error itself.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Any, AsyncIterator, Iterator, List, Union

from typing_extensions import assert_type

from nb_aiopool import AsyncPoolExecutor, MapIterator, NbAioPool


async def double(x: int) -> int:
    return x * 2


async def join(x: int, text: str, *, sep: str = "-") -> str:
    return sep.join([str(x), text])


async def three(x: int, y: int, z: int) -> bytes:
    return bytes([x, y, z])


async def numbers() -> AsyncIterator[int]:
    yield 1


async def calls_of_a_pool(pool: NbAioPool, future: asyncio.Future[int]) -> None:
    assert_type(await pool.submit(double(1)), asyncio.Future[int])
    assert_type(await pool.submit(double(1), future=future), asyncio.Future[int])
    assert_type(pool.submit_nowait(double(1)), asyncio.Future[int])
    assert_type(await pool.run(double(1)), int)
    assert_type(await pool.batch_submit([double(1)]), List[asyncio.Future[int]])
    assert_type(await pool.batch_run(double(x) for x in range(3)), List[int])
    assert_type(await pool.batch_run([double(1)], return_exceptions=True), List[Union[int, BaseException]])
    assert_type(pool.sync_submit(double(1)), concurrent.futures.Future[int])


async def maps_of_a_pool(pool: NbAioPool, numbers_: List[int], texts: List[str]) -> None:
    assert_type(pool.map(double, numbers_), MapIterator[int])
    assert_type(pool.map(double, numbers(), ordered=False), MapIterator[int])
    assert_type(pool.map(double, [1], return_exceptions=True), MapIterator[Union[int, BaseException]])
    assert_type(pool.map(join, numbers(), texts), MapIterator[str])
    assert_type(
        pool.map(join, numbers_, texts, return_exceptions=True), MapIterator[Union[str, BaseException]]
    )
    assert_type(pool.map(three, numbers_, numbers_, numbers()), MapIterator[bytes])
    assert_type(pool.map(lambda x: double(x + 1), numbers_), MapIterator[int])
    assert_type(await pool.map(double, numbers_).collect(), List[int])
    assert_type([x async for x in pool.map(double, numbers_)], List[int])

    pool.map(double, texts)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    pool.map(join, texts, texts)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    pool.map(join, numbers_)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    pool.map(len, texts)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def calls_of_an_executor(executor: AsyncPoolExecutor, numbers_: List[int], texts: List[str]) -> None:
    assert_type(executor.submit(double, 1), concurrent.futures.Future[int])
    assert_type(executor.submit(join, 1, "text", sep="+"), concurrent.futures.Future[str])
    assert_type(executor.submit(asyncio.sleep, 0.001, result="done"), concurrent.futures.Future[str])
    assert_type(executor.map(double, numbers_), Iterator[int])
    assert_type(executor.map(double, numbers_, timeout=1, chunksize=2), Iterator[int])
    executor.map(double, numbers_, timeout="1")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    assert_type(executor.map(join, numbers_, texts), Iterator[str])
    assert_type(executor.map(three, numbers_, numbers_, numbers_), Iterator[bytes])

    executor.submit(double, "text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    executor.submit(double)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    executor.submit(join, 1, "text", seperator="+")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    executor.submit(len, "text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    executor.map(double, texts)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def any_inputs(pool: NbAioPool, executor: AsyncPoolExecutor, inputs: List[List[int]], func: Any) -> None:
    assert_type(pool.map(func, *inputs), MapIterator[Any])
    assert_type(executor.map(func, *inputs), Iterator[Any])
