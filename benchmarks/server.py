"""The other side of the clients' workloads: an echo server and an HTTP server, on this machine only.

Started by a sample, in a process of its own so that its CPU time is not the client's. It prints the two ports, and
ends when its standard input does: it cannot outlive who started it.
"""

from __future__ import annotations

import asyncio
import sys

PAGE = b"<html>" + b"".join(b'<a href="/%d">page %d</a>\n' % (i, i) for i in range(50)) + b"</html>"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(PAGE), PAGE)


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Http(Echo):
    """Answers each request with the same page, and keeps the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        *requests, self.buffer = (self.buffer + data).split(b"\r\n\r\n")
        for _ in requests:
            self.transport.write(RESPONSE)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(protocol, "127.0.0.1", 0, backlog=1000) for protocol in (Echo, Http)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(serve())
