"""Two small web sites on this machine, for the crawler: each page has links, some fail now and then."""

from __future__ import annotations

import asyncio
from typing import Counter, List

from aiohttp import web
from aiohttp.test_utils import TestServer

SITES = 2


class Sites:
    """Serves the pages /0, /1, ... of each site; page 7 is missing, and every tenth fails the first time.

    Example:
        async with Sites(100) as sites:
            print(sites.starts)
    """

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.starts: List[str] = []
        self.most_at_once = 0
        self._servers: List[TestServer] = []

    async def __aenter__(self) -> Sites:
        for _ in range(SITES):
            server = TestServer(Site(self).application())
            await server.start_server()
            self._servers.append(server)
        self.starts = [str(server.make_url("/0")) for server in self._servers]
        return self

    async def __aexit__(self, *exception: object) -> None:
        for server in self._servers:
            await server.close()


class Site:
    """One of them: counts how many requests it has at once."""

    def __init__(self, sites: Sites) -> None:
        self.sites = sites
        self.busy = 0
        self.asked: Counter[int] = Counter()

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get(r"/{page:\d+}", self.answer)
        return application

    async def answer(self, request: web.Request) -> web.Response:
        page = int(request.match_info["page"])
        self.asked[page] += 1
        self.busy += 1
        self.sites.most_at_once = max(self.sites.most_at_once, self.busy)
        try:
            await asyncio.sleep(0.002)
        finally:
            self.busy -= 1
        if page == 7 or page >= self.sites.pages:
            raise web.HTTPNotFound
        if page % 10 == 9 and self.asked[page] == 1:
            raise web.HTTPServiceUnavailable
        return web.Response(text=self.text(page), content_type="text/html")

    def text(self, page: int) -> str:
        """Link to two pages further on, to the first page, to one of the other site, and to a place outside."""
        further = [link for link in (2 * page + 1, 2 * page + 2) if link < self.sites.pages]
        targets = [
            *(f"/{link}#top" for link in further),
            "/0",
            *self.sites.starts,
            "http://elsewhere.invalid/",
        ]
        return "".join(f'<a href="{target}">a link</a>\n' for target in targets)
