"""`aio_task` and `batch_consume`: the four lines that most users ever need."""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, Iterable, List, Optional, TypeVar, Union

from .options import checked_queue_name
from .task import AioTask

_T = TypeVar("_T")


def aio_task(
    queue_name: str,
    max_concurrency: int = 50,
    redis_url: str = "redis://localhost:6379/0",
    max_queue_size: int = 1000,
    use_pickle: bool = True,
    *,
    max_retries: int = 0,
    retry_delay: float = 1.0,
    timeout: Optional[float] = None,
    lease: float = 30.0,
    max_deliveries: int = 5,
    result_ttl: float = 0,
    sign_key: Union[str, bytes, None] = None,
) -> Callable[[Callable[..., Awaitable[_T]]], AioTask[_T]]:
    """
    Make an async function a task with a queue in Redis.

    - `queue_name`: one queue for one function: a call in it does not say which function it is for.
    - `max_concurrency`: how many run at a time in each worker; `max_queue_size` bounds how far a worker reads ahead.
    - `redis_url`: `redis://`, `rediss://` (TLS), `unix://`, with the options of redis-py; or `memory://` for a queue
      inside the process.
    - `use_pickle`: False writes arguments and results as JSON.
    - `max_retries`, `retry_delay`: a task that raises runs again after `retry_delay * 2**n` seconds (times 0.5 to
      1.5), and is a dead letter when it has raised `max_retries + 1` times.
    - `timeout`: seconds after which an attempt is cancelled, and has failed.
    - `lease`: seconds after which the tasks of a worker that was killed start again on another one.
    - `max_deliveries`: how often a task may bring down its worker before it is a dead letter.
    - `result_ttl`: seconds for which results are kept; 0 keeps none.
    - `sign_key`: payloads are signed with it, and refused if they are not.

    Raises TypeError or ValueError for an option that makes no sense, and TypeError for a function that is not async.

    Examples:
        >>> @aio_task("mails", max_concurrency=100, redis_url="memory://", result_ttl=60)
        ... async def send(address, text):
        ...     return f"{text} to {address}"
        >>> async def main():
        ...     worker = asyncio.create_task(send.consume())  # as many worker processes as the work needs
        ...     handle = await send.submit("ann@example.org", "hello")  # any process
        ...     print(await handle.result())
        ...     await send.stop()
        ...     await worker
        >>> asyncio.run(main())
        hello to ann@example.org
    """
    checked_queue_name(queue_name)

    def decorate(func: Callable[..., Awaitable[_T]]) -> AioTask[_T]:
        return AioTask(
            func,
            queue_name,
            max_concurrency,
            redis_url,
            max_queue_size,
            use_pickle,
            max_retries=max_retries,
            retry_delay=retry_delay,
            timeout=timeout,
            lease=lease,
            max_deliveries=max_deliveries,
            result_ttl=result_ttl,
            sign_key=sign_key,
        )

    return decorate


async def batch_consume(tasks: Iterable[AioTask[Any]], timeout: float = 5) -> None:
    """
    Consume several queues side by side, until all are stopped or this is cancelled.

    Guarantees: if one of them fails (e.g. its Redis refuses the password), the others are stopped, and the error is
    raised.

    Examples:
        >>> @aio_task("packing", redis_url="memory://")
        ... async def pack(order):
        ...     await ship.submit(f"parcel {order}")
        >>> @aio_task("shipping", redis_url="memory://")
        ... async def ship(parcel):
        ...     print(parcel)
        ...     await asyncio.gather(pack.stop(), ship.stop())
        >>> async def main():
        ...     await pack.submit(42)
        ...     await batch_consume([pack, ship])
        >>> asyncio.run(main())
        parcel 42
    """
    pending = {asyncio.ensure_future(task.consume(timeout)) for task in _checked(tasks)}
    interrupted: Optional[BaseException] = None
    while pending:
        try:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError as error:
            interrupted = error
        else:
            ended = [_error_of(consumer) for consumer in done]
            failure = next((error for error in ended if error is not None), None)
            if failure is None or interrupted is not None:
                # A consumer that is cancelled once more aborts what it runs: that is for who cancels this once more.
                continue
            interrupted = failure
        for consumer in pending:
            consumer.cancel()
    if interrupted is not None:
        raise interrupted


def _checked(tasks: Any) -> List[AioTask[Any]]:
    if not isinstance(tasks, Iterable):
        raise TypeError(
            f"batch_consume() takes a list of tasks, as in batch_consume([pack, ship]), not {tasks!r}"
        )
    checked: List[Any] = [*tasks]
    for task in checked:
        # Whatever else can be consumed may stand in for a task, e.g. in a test.
        if not callable(getattr(task, "consume", None)):
            raise TypeError(f"batch_consume() takes what @aio_task returns, not {task!r}")
    return checked


def _error_of(consumer: asyncio.Task[None]) -> Optional[BaseException]:
    return asyncio.CancelledError() if consumer.cancelled() else consumer.exception()
