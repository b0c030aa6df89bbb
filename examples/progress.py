"""Shows a progress bar over a streaming map, with a few lines of its own or with tqdm where that is installed.

    python examples/progress.py [--items N] [--concurrency N] [--plain]

A map tells how many results there will be, as a list does: `len(results)`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any, AsyncIterator, Dict, Optional

from nb_aiopool import NbAioPool


async def measure(item: int) -> int:
    """One job, which takes a while."""
    await asyncio.sleep(0.001 * (item % 7))
    return item % 100


async def with_bar(results: Any, width: int = 40) -> AsyncIterator[Any]:
    """Yield the results, and show how many of them have come."""
    total = len(results)
    step, start = (
        (1, "\r") if sys.stderr.isatty() else (max(1, total // 10), "\n")
    )  # a log file gets ten lines
    done = 0
    try:
        async for result in results:
            done += 1
            if done % step == 0 or done == total:
                filled = width * done // total
                line = f"[{'#' * filled}{'.' * (width - filled)}] {done}/{total}"
                print(start + line, end="", file=sys.stderr, flush=True)
            yield result
    finally:
        print(file=sys.stderr)
        await results.aclose()  # whoever leaves the loop early leaves no jobs behind


def bar(results: Any, plain: bool) -> Any:
    """Return the results behind a progress bar."""
    if not plain:
        try:
            from tqdm.asyncio import tqdm  # noqa: PLC0415 - it is not required
        except ImportError:
            pass
        else:
            return tqdm(results)
    return with_bar(results)


async def main() -> None:
    parser = argparse.ArgumentParser(description="A progress bar over NbAioPool.map.")
    parser.add_argument("--items", type=int, default=2000, help="how many items to work on")
    parser.add_argument("--concurrency", type=int, default=50, help="how many at a time")
    parser.add_argument("--plain", action="store_true", help="do not use tqdm")
    options = parser.parse_args()
    counts: Dict[int, int] = {}
    smallest: Optional[int] = None
    async with NbAioPool(max_concurrency=options.concurrency) as pool:
        async for value in bar(pool.map(measure, range(options.items), ordered=False), options.plain):
            counts[value] = counts.get(value, 0) + 1
            smallest = value if smallest is None else min(smallest, value)
    print(f"{sum(counts.values())} results, {len(counts)} different ones, the smallest is {smallest}")


if __name__ == "__main__":
    asyncio.run(main())
