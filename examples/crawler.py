"""A link crawler: follows the links of a site, with a limit for all requests, one for each host, retries, a progress
line, and a summary at the end. The sites are two local servers that this program starts.

    python examples/crawler.py [--pages N] [--concurrency N] [--per-host N] [--output FILE] [--quiet]

Needs aiohttp: python -m pip install ".[examples]"
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import sys
from pathlib import Path
from typing import Counter, Dict, List, Optional, Set, TextIO
from urllib.parse import urldefrag, urljoin, urlsplit

import aiohttp
from sites import Sites  # the local servers, beside this file

from nb_aiopool import NbAioPool

LINK = re.compile(r'href="([^"]*)"')
TRIES = 4


class Crawler:
    """Visits every page that can be reached, each one once."""

    def __init__(self, session: aiohttp.ClientSession, concurrency: int, per_host: int) -> None:
        self.session = session
        self.pool = NbAioPool(max_concurrency=concurrency, max_queue_size=0)  # what is seen is kept anyway
        self.per_host = per_host
        self.hosts: Dict[str, NbAioPool] = {}
        self.allowed: Set[str] = set()
        self.seen: Set[str] = set()
        self.visited = 0
        self.retries = 0
        self.links: Counter[str] = Counter()
        self.failed: Dict[str, str] = {}
        self.report: Optional[TextIO] = None

    async def crawl(self, starts: List[str]) -> None:
        """Return when no page is left: a page that is found is submitted by the job that found it."""
        self.allowed = {urlsplit(url).netloc for url in starts}
        for url in starts:
            await self.add(url)
        await self.pool.join()

    async def add(self, url: str) -> None:
        if url not in self.seen and urlsplit(url).netloc in self.allowed:
            self.seen.add(url)
            await self.pool.submit(self.visit(url))

    async def visit(self, url: str) -> None:
        """Be one job: a page."""
        try:
            text = await self.host_of(url).run(self.fetch(url))
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            self.failed[url] = getattr(error, "message", "") or type(error).__name__
            return
        finally:
            self.visited += 1
        for link in LINK.findall(text):
            target = urldefrag(urljoin(url, link))[0]
            self.links[url] += 1
            if self.report is not None:
                print(url, target, sep="\t", file=self.report)
            await self.add(target)

    def host_of(self, url: str) -> NbAioPool:
        """Return the pool of the host, which keeps us polite there."""
        host = urlsplit(url).netloc
        if host not in self.hosts:
            self.hosts[host] = NbAioPool(max_concurrency=self.per_host)
        return self.hosts[host]

    async def fetch(self, url: str) -> str:
        """Get a page, and try again if the host is overloaded or the connection breaks."""
        for attempt in range(1, TRIES + 1):
            try:
                async with self.session.get(url) as response:
                    response.raise_for_status()
                    return await response.text()
            except (aiohttp.ClientConnectionError, aiohttp.ClientResponseError) as error:
                final = getattr(error, "status", 503) not in (429, 503)
                if final or attempt == TRIES:
                    raise
            self.retries += 1
            await asyncio.sleep(0.01 * 2**attempt * random.uniform(0.5, 1.5))
        raise AssertionError("the last attempt returns or raises")


async def show_progress(crawler: Crawler) -> None:
    """Write one line over and over. How many pages there will be, a crawler cannot know."""
    try:
        while True:
            line = f"{crawler.visited} of {len(crawler.seen)} known pages, {crawler.pool.running} at once"
            print(f"\r{line:<60}", end="", file=sys.stderr, flush=True)
            await asyncio.sleep(0.1)
    finally:
        print(f"\r{'':<60}\r", end="", file=sys.stderr, flush=True)


def summary(crawler: Crawler) -> List[str]:
    return [
        f"{crawler.visited} pages, {sum(crawler.links.values())} links, {crawler.retries} retries",
        *(f"{host}: {pool.stats().submitted} pages" for host, pool in sorted(crawler.hosts.items())),
        *(f"failed: {urlsplit(url).path}: {why}" for url, why in sorted(crawler.failed.items())),
    ]


async def main(pages: int, concurrency: int, per_host: int, quiet: bool, output: Optional[TextIO]) -> None:
    timeout = aiohttp.ClientTimeout(total=10)
    async with Sites(pages) as sites, aiohttp.ClientSession(timeout=timeout) as session:
        crawler = Crawler(session, concurrency, per_host)
        crawler.report = output
        progress = [] if quiet else [asyncio.ensure_future(show_progress(crawler))]
        try:
            await crawler.crawl(sites.starts)
        finally:
            for task in progress:
                task.cancel()
                await asyncio.wait([task])
        print("\n".join(summary(crawler)))
        print(f"the busiest host had {sites.most_at_once} requests at once, the limit is {per_host}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Crawl two local sites.", prog="crawler.py")
    parser.add_argument("--pages", type=int, default=150, help="how many pages each site has")
    parser.add_argument("--concurrency", type=int, default=20, help="how many pages at a time")
    parser.add_argument("--per-host", type=int, default=4, help="how many at a time from one host")
    parser.add_argument("--output", metavar="FILE", help="write each link there: page, tab, where it leads")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        file = (
            stack.enter_context(Path(options.output).open("w", encoding="utf-8")) if options.output else None
        )
        asyncio.run(main(options.pages, options.concurrency, options.per_host, options.quiet, file))
