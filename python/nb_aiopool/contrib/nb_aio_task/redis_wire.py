"""
One connection to Redis: redis-py makes it (addresses, passwords, TLS, protocol versions), and this speaks over it.

Its clients are left out: a pool, a pipeline and retries of its own are what this queue does not need, and cost as
much as all the rest of a call.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Awaitable, Iterable, List, Optional, Sequence, TypeVar, Union

from .errors import BrokerError, Outage, TooLarge
from .patience import Patience
from .redis_errors import is_missing_script, is_too_large, translated
from .redis_py import AsyncConnectionPool, ConnectionPool, errors, no_async_retry, no_retry

if TYPE_CHECKING:
    from .redis_scripts import Script

ANSWER_SECONDS = 10.0
"""How long to wait for an answer before the connection is taken to be broken, if the URL has no socket_timeout."""
CONNECT_SECONDS = 5.0
SURELY_TAKEN = 500_000
"""No server can be set up to refuse so few bytes."""
_PROBE_SECONDS = 1.0

Argument = Union[bytes, str, int]

_T = TypeVar("_T")


def pack(arguments: Iterable[Argument]) -> bytes:
    """A command as Redis reads it: an array of strings."""
    parts = [a if type(a) is bytes else str(a).encode() for a in arguments]
    return b"*%d\r\n" % len(parts) + b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts])


def _script_arguments(
    name: bytes, text: bytes, keys: List[Argument], arguments: Iterable[Argument]
) -> List[Argument]:
    return [name, text, len(keys), *keys, *arguments]


def _made_by(pool: Any, socket_timeout: Optional[float], patience: float = CONNECT_SECONDS) -> Any:
    options = pool.connection_kwargs
    options["decode_responses"] = False  # payloads are bytes, whatever the URL says
    options["socket_timeout"] = socket_timeout
    if options.get("socket_connect_timeout") is None:
        options["socket_connect_timeout"] = min(CONNECT_SECONDS, patience)
    return pool.connection_class(**options)


async def _within(seconds: float, call: Awaitable[_T]) -> _T:
    """
    What the call returns; asyncio.TimeoutError if that takes longer.

    Not wait_for(): before Python 3.12 that loses a cancellation that comes together with the end of the call. While the
    server is away, whoever was cancelled would go on to try for ever.
    """
    task = asyncio.ensure_future(call)
    try:
        await asyncio.wait([task], timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        error = None if task.cancelled() else task.exception()
    if task.cancelled():
        raise asyncio.TimeoutError
    if error is not None:
        raise error
    return task.result()


class Wire:
    """
    A connection for one event loop; one call after another.

    Guarantees: connects when it is needed. A call that fails or is cancelled on its way closes the connection: no
    answer is ever taken for that of another call. Raises what `translated` makes of redis-py's errors, and TooLarge.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None
        self._lock = asyncio.Lock()
        self._client_id = 0
        self._patience = Patience(self._break)
        self._breaking: Optional[asyncio.Future[None]] = None
        self._timeout = ANSWER_SECONDS

    async def call(self, *arguments: Argument, timeout: Optional[float] = None) -> Any:
        async with self._lock:
            return await self._call(arguments, timeout)

    async def script(self, script: Script, keys: List[Argument], arguments: Iterable[Argument]) -> Any:
        arguments = list(arguments)
        async with self._lock:
            try:
                return await self._call(_script_arguments(b"EVALSHA", script.digest, keys, arguments))
            except Exception as error:
                if not is_missing_script(error):
                    raise
            return await self._call(_script_arguments(b"EVAL", script.text, keys, arguments))

    async def client_id(self) -> int:
        """The number under which the server knows this connection; connects if need be."""
        if self._connection is None or not self._client_id:
            self._client_id = int(await self.call("CLIENT", "ID"))
        return self._client_id

    async def close(self) -> None:
        """Close the connection, without waiting for the other side."""
        connection, self._connection = self._connection, None
        self._client_id = 0
        self._patience.end()
        if connection is not None:
            writer = getattr(connection, "_writer", None)
            await connection.disconnect(nowait=True)
            if writer is not None:
                # TLS would say good-bye first, for which a loop that ends has no time; the socket would be left open.
                writer.transport.abort()

    def _break(self) -> None:
        """Whoever waits for the answer gets an error."""
        if self._connection is not None:
            self._breaking = asyncio.ensure_future(self._connection.disconnect(nowait=True))

    async def _call(self, arguments: Sequence[Argument], timeout: Optional[float] = None) -> Any:
        command = pack(arguments)
        try:
            return await self._send(command, timeout)
        except (Outage, BrokerError) as error:
            if len(command) > SURELY_TAKEN:
                largest = max(len(a if isinstance(a, bytes) else str(a).encode()) for a in arguments)
                if is_too_large(error) or (isinstance(error, Outage) and await self._is_refused(largest)):
                    raise TooLarge(largest) from error
            raise

    async def _is_refused(self, size: int) -> bool:
        """
        Whether the server refuses values of this size. It says so when it reads how long the value will be, and closes
        the connection; who is still sending the value then may not get to read that.
        """
        if size <= SURELY_TAKEN:
            return False
        connection: Any = None
        try:
            connection = await self._connect()
            await connection.send_packed_command(b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % size, check_health=False)
            await _within(_PROBE_SECONDS, connection.read_response())
        except errors.ResponseError as error:
            return is_too_large(error)
        except (errors.RedisError, OSError, EOFError, asyncio.TimeoutError):
            return False  # it waits for the value, or is not there
        finally:
            if connection is not None:
                await connection.disconnect(nowait=True)
        return False

    async def _send(self, command: bytes, timeout: Optional[float]) -> Any:
        whole = False
        try:
            if self._connection is None:
                self._connection = await self._connect()
            self._patience.begin(timeout or self._timeout)
            await self._connection.send_packed_command(command, check_health=False)
            # Errors that Redis answers with are raised by this as well: then the answer was whole.
            reply = await self._connection.read_response()
            whole = True
        except errors.ResponseError as error:
            whole = not is_too_large(error)
            if is_missing_script(error):
                raise
            raise translated(error) from error
        except (errors.RedisError, OSError, EOFError, asyncio.TimeoutError) as error:
            raise translated(error) from error
        else:
            return reply
        finally:
            self._patience.pause()
            if not whole:
                await self.close()

    async def _connect(self) -> Any:
        pool = AsyncConnectionPool.from_url(self._url, retry=no_async_retry())
        # redis-py would watch over each sending with a task, and over each answer with a timer.
        self._timeout = pool.connection_kwargs.pop("socket_timeout", None) or ANSWER_SECONDS
        connection = _made_by(pool, socket_timeout=None)
        try:
            await _within(CONNECT_SECONDS + self._timeout, connection.connect())
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection


class BlockingWire:
    """
    The same for a thread that has no event loop, and waits `patience` seconds at most. Not to be shared between
    threads.
    """

    def __init__(self, url: str, patience: float) -> None:
        self._url = url
        self._patience = patience
        self._connection: Any = None

    def script(self, script: Script, keys: List[Argument], arguments: Iterable[Argument]) -> Any:
        arguments = list(arguments)
        try:
            return self._call(pack(_script_arguments(b"EVALSHA", script.digest, keys, arguments)))
        except Exception as error:
            if not is_missing_script(error):
                raise
        return self._call(pack(_script_arguments(b"EVAL", script.text, keys, arguments)))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _call(self, command: bytes) -> Any:
        whole = False
        try:
            if self._connection is None:
                pool = ConnectionPool.from_url(self._url, retry=no_retry())
                timeout = pool.connection_kwargs.get("socket_timeout") or ANSWER_SECONDS
                self._connection = _made_by(pool, min(timeout, self._patience), self._patience)
                self._connection.connect()
            self._connection.send_packed_command([command], check_health=False)
            reply = self._connection.read_response()
            whole = True
        except errors.ResponseError as error:
            whole = True
            if is_missing_script(error):
                raise
            raise translated(error) from error
        except (errors.RedisError, OSError, EOFError) as error:
            raise translated(error) from error
        else:
            return reply
        finally:
            if not whole:
                self.close()
