"""A web application with one pool for all requests, bound to its lifespan.

    python examples/webapp.py                          serves until it is stopped, on port 8000
    python examples/webapp.py --requests 500           puts load on itself, and stops

    GET  /price/{item}   a value from a slow backend that takes four callers; 503 if too many wait already
    POST /mail/{item}    accepted at once, sent in the background
    GET  /stats          what the pools are doing

Needs fastapi and uvicorn: python -m pip install ".[examples]"
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
from typing import Any, AsyncIterator, Counter, Dict

import uvicorn
from fastapi import FastAPI, HTTPException, Request

from nb_aiopool import NbAioPool, PoolFull

GRACE = 5.0  # seconds that jobs get to end when the server stops


class Services:
    """What the requests share."""

    def __init__(self) -> None:
        self.backend = NbAioPool(max_concurrency=4, max_queue_size=40)
        self.background = NbAioPool(max_concurrency=2, max_queue_size=1000)
        self.busy = 0
        self.most_busy = 0
        self.sent = 0

    async def price(self, item: int) -> int:
        """Ask the slow backend."""
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            await asyncio.sleep(0.005)
        finally:
            self.busy -= 1
        return item * 100

    async def send_mail(self, item: int) -> None:  # noqa: ARG002 - whatever it is about
        await asyncio.sleep(0.002)
        self.sent += 1

    async def close(self) -> None:
        """Let the jobs end; who is late is cancelled."""
        await asyncio.gather(self.backend.shutdown(timeout=GRACE), self.background.shutdown(timeout=GRACE))


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.services = Services()
    try:
        yield
    finally:
        await app.state.services.close()


app = FastAPI(lifespan=lifespan)


@app.get("/price/{item}")
async def price(item: int, request: Request) -> Dict[str, int]:
    services: Services = request.app.state.services
    try:
        return {"price": await services.backend.run(services.price(item), block=False)}
    except PoolFull:
        raise HTTPException(503, "too many requests wait already", {"Retry-After": "1"}) from None


@app.post("/mail/{item}", status_code=202)
async def mail(item: int, request: Request) -> Dict[str, str]:
    services: Services = request.app.state.services
    try:
        services.background.submit_nowait(services.send_mail(item))
    except PoolFull:
        raise HTTPException(503, "too much mail waits already") from None
    return {"mail": "accepted"}


@app.get("/stats")
async def stats(request: Request) -> Dict[str, Any]:
    services: Services = request.app.state.services
    return {
        "backend": services.backend.stats()._asdict(),
        "background": services.background.stats()._asdict(),
    }


async def ask(port: int, line: str) -> int:
    """Make a request by hand, and return its status: the load needs no client library."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return int((await reader.read()).split(b" ", 2)[1])
    finally:
        writer.close()


async def put_load_on(port: int, requests: int) -> Counter[str]:
    """Make the requests, 100 at a time, and count the answers."""

    async def one(number: int) -> str:
        path = f"POST /mail/{number}" if number % 5 == 0 else f"GET /price/{number}"
        return f"{path.split('/')[1]} {await ask(port, path)}"

    async with NbAioPool(max_concurrency=100) as pool:
        return Counter([answer async for answer in pool.map(one, range(requests), ordered=False)])


async def demonstrate(requests: int) -> None:
    """Start the server on a free port, put load on it, stop it."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.ensure_future(server.serve([listener]))
    try:
        answers = await put_load_on(listener.getsockname()[1], requests)
    finally:
        server.should_exit = True
        await serving
        listener.close()
    print(", ".join(f"{what}: {times}" for what, times in sorted(answers.items())))
    services: Services = app.state.services
    print(f"the backend had at most {services.most_busy} callers, {services.sent} mails were sent")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A web application with a pool.", prog="webapp.py")
    parser.add_argument("--port", type=int, default=8000, help="where to serve (default: 8000)")
    parser.add_argument("--requests", type=int, help="put so many requests on itself, and stop")
    options = parser.parse_args()
    if options.requests is None:
        uvicorn.run(app, host="127.0.0.1", port=options.port)
    else:
        asyncio.run(demonstrate(options.requests))
