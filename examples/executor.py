"""Async functions in a plain script: no loop, no task, no `await`; an executor as those of `concurrent.futures`.

python examples/executor.py [PAGES]
"""

from __future__ import annotations

import argparse
import asyncio
import concurrent.futures

from nb_aiopool import AsyncPoolExecutor


async def fetch(page: int) -> str:
    """Wait for a page, as for a server; every tenth is not there."""
    await asyncio.sleep(0.02)
    if page % 10 == 9:
        raise LookupError(f"there is no page {page}")
    return f"page {page}"


async def log(line: str) -> None:
    await asyncio.sleep(0.01)
    print(line, flush=True)


def main(pages: int) -> None:
    # As soon as five run and five wait, submit() holds this thread until there is room again.
    with AsyncPoolExecutor(5) as executor:
        futures = {executor.submit(fetch, page): page for page in range(pages)}
        found = missing = 0
        for future in concurrent.futures.as_completed(futures):
            if future.exception() is None:
                found += 1
            else:
                missing += 1
        print(f"{found} pages found, {missing} missing")
        print("in order:", ", ".join(executor.map(fetch, range(3))))

    # Nobody has to shut down an executor: whatever was submitted is done before the interpreter exits.
    logger = AsyncPoolExecutor(3)
    for number in range(6):
        logger.submit(log, f"logged {number}")
    print("end of the script", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Async functions in a plain script.", prog="executor.py")
    parser.add_argument("pages", type=int, nargs="?", default=50, help="how many pages")
    options = parser.parse_args()
    main(options.pages)
