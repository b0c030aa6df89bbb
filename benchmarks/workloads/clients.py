"""Real clients: an HTTP crawl and a TCP echo against a server on this machine, and the pool's share of the CPU time.

The same requests are made with the rival and with bare worker tasks, by turns within one process: what the rival
takes beyond them is its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
from typing import Any, Awaitable, Callable, Dict, Iterator, List, Tuple

from benchmarks import clock
from benchmarks.rivals import Job, Limits, Rival, workers
from benchmarks.workloads import Metric, Outcome, Run, Workload

LIMITS = Limits(100, 1000)
TURNS = 10
LINK = re.compile(rb'href="([^"]+)"')
Connection = Tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.contextmanager
def server() -> Iterator[Dict[str, int]]:
    """Start the server; the ports."""
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        echo, http = process.stdout.readline().split()
        yield {"echo": int(echo), "http": int(http)}  # leaving the block closes its input, at which it ends


class Connections:
    """Keeps connections for the next request, the last one used first."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: List[Connection] = []

    async def take(self) -> Connection:
        if self._idle:
            return self._idle.pop()
        return await asyncio.open_connection("127.0.0.1", self._port)

    def give(self, connection: Connection) -> None:
        self._idle.append(connection)

    async def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        for _, writer in self._idle:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def echo(connections: Connections) -> Job:
    async def exchange(number: int) -> bytes:
        connection = reader, writer = await connections.take()
        writer.write(b"message %d\n" % number)
        line = await reader.readline()
        connections.give(connection)
        return line

    return exchange


def crawl(connections: Connections) -> Job:
    async def fetch(number: int) -> List[bytes]:
        connection = reader, writer = await connections.take()
        writer.write(b"GET /%d HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n" % number)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        page = await reader.readexactly(length)
        connections.give(connection)
        return LINK.findall(page)

    return fetch


def client(kind: str, make_job: Callable[[Connections], Job]) -> Any:
    """Measure the microseconds of CPU time for a request, and the rival's share of them in percent."""

    def measure(rival: Rival, count: int, run: Run) -> Outcome:
        async def timed(port: int) -> Outcome:
            connections = Connections(port)
            job = make_job(connections)
            requests = range(count // TURNS)
            spent = {"rival": 0.0, "workers": 0.0}
            await workers.submit(LIMITS, job, requests)
            for turn in range(TURNS):
                pair: List[Tuple[str, Callable[..., Awaitable[None]]]]
                pair = [("rival", rival.submit), ("workers", workers.submit)]
                for who, submit in pair if turn % 2 else reversed(pair):
                    begin_cpu = clock.now()
                    await submit(LIMITS, job, requests)
                    spent[who] += clock.now() - begin_cpu
            await connections.close()
            made = TURNS * len(requests)
            return {
                "cpu": spent["rival"] / made * 1e6,
                "share": (1 - spent["workers"] / spent["rival"]) * 100,
            }

        with server() as ports:
            result: Outcome = run(timed(ports[kind]))
        return result

    return measure


def workload(kind: str, title: str, make_job: Callable[[Connections], Job]) -> Workload:
    metrics = (Metric("cpu", "us", (kind, "workers")), Metric("share", "%"))
    return Workload(kind, title, client(kind, make_job), metrics, 10_000, 200, "submit", limited=True)


WORKLOADS = [
    workload("http", "HTTP crawl, 100 connections", crawl),
    workload("echo", "TCP echo, 100 connections", echo),
]
