"""Batch jobs with a live progress bar: a few lines of its own, or tqdm, or rich, where those are installed.

    python examples/progress.py [--items N] [--concurrency N] [--bar plain|tqdm|rich] [--plain]

A map tells how many results there will be, as a list does: `len(results)`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import Any, AsyncIterator, Dict, Optional

from nb_aiopool import NbAioPool


async def measure(item: int) -> int:
    """One job, which takes a while."""
    await asyncio.sleep(0.001 * (item % 7))
    return item % 100


async def with_plain_bar(results: Any, width: int = 40) -> AsyncIterator[Any]:
    """Yield the results, and show how many of them have come and how long the rest will take."""
    total, begin = len(results), time.monotonic()
    # A log file gets ten lines.
    step, start = (1, "\r") if sys.stderr.isatty() else (max(1, total // 10), "\n")
    done = 0
    try:
        async for result in results:
            done += 1
            if done % step == 0 or done == total:
                filled = width * done // total
                left = (time.monotonic() - begin) / done * (total - done)
                line = f"[{'#' * filled}{'.' * (width - filled)}] {done}/{total} ({left:.0f} s left) "
                print(start + line, end="", file=sys.stderr, flush=True)
            yield result
    finally:
        print(file=sys.stderr)
        await results.aclose()  # whoever leaves the loop early leaves no jobs behind


async def with_rich_bar(results: Any) -> AsyncIterator[Any]:
    """Yield the results, and let rich show how many of them have come."""
    from rich.console import Console  # noqa: PLC0415 - it is not required
    from rich.progress import Progress  # noqa: PLC0415

    try:
        with Progress(console=Console(stderr=True)) as progress:
            bar = progress.add_task("measuring", total=len(results))
            async for result in results:
                progress.advance(bar)
                yield result
    finally:
        await results.aclose()


def with_tqdm_bar(results: Any) -> Any:
    """Return the results behind a bar of tqdm."""
    from tqdm.asyncio import tqdm  # noqa: PLC0415 - it is not required

    return tqdm(results)


def bar(results: Any, kind: Optional[str]) -> Any:
    """Return the results behind a progress bar of a kind, or the best one there is."""
    if kind == "rich":
        return with_rich_bar(results)
    if kind in (None, "tqdm"):
        try:
            return with_tqdm_bar(results)
        except ImportError:
            if kind is not None:
                raise
    return with_plain_bar(results)


async def main() -> None:
    parser = argparse.ArgumentParser(description="A progress bar over NbAioPool.map.", prog="progress.py")
    parser.add_argument("--items", type=int, default=2000, help="how many items to work on")
    parser.add_argument("--concurrency", type=int, default=50, help="how many at a time")
    parser.add_argument("--bar", choices=["plain", "tqdm", "rich"], help="whose bar (default: tqdm if there)")
    parser.add_argument("--plain", action="store_const", const="plain", dest="bar", help="--bar plain")
    options = parser.parse_args()
    counts: Dict[int, int] = {}
    smallest: Optional[int] = None
    async with NbAioPool(max_concurrency=options.concurrency) as pool:
        results = pool.map(measure, range(options.items), ordered=False)
        async for value in bar(results, options.bar):
            counts[value] = counts.get(value, 0) + 1
            smallest = value if smallest is None else min(smallest, value)
    print(f"{sum(counts.values())} results, {len(counts)} different ones, the smallest is {smallest}")


if __name__ == "__main__":
    asyncio.run(main())
