import asyncio
import weakref
from contextvars import Context
from types import FrameType
from typing import (
    Any,
    Awaitable,
    Callable,
    Deque,
    Generator,
    Generic,
    Iterator,
    List,
    Optional,
    TextIO,
    Tuple,
    TypeVar,
    Union,
    final,
)

from typing_extensions import disjoint_base

from nb_aiopool._guard import Guard

_T = TypeVar("_T")

@final
class Job(asyncio.Future[_T]):
    _coro: Any
    _fut_waiter: Optional[asyncio.Future[Any]]
    _must_cancel: bool
    _num_cancels_requested: int
    _place: str
    _given: Any
    _pool: Optional[Pool]
    _successors: List[asyncio.Future[Any]]
    _result: Any
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def cancel(self, msg: Optional[Any] = None) -> bool: ...
    def cancelling(self) -> int: ...
    def uncancel(self) -> int: ...
    def get_coro(self) -> Any: ...
    def get_context(self) -> Context: ...
    def get_name(self) -> str: ...
    def set_name(self, value: object, /) -> None: ...
    def get_stack(self, *, limit: Optional[int] = None) -> List[FrameType]: ...
    def print_stack(self, *, limit: Optional[int] = None, file: Optional[TextIO] = None) -> None: ...

@final
class Turn:
    def __await__(self) -> Any: ...
    def __iter__(self) -> Any: ...
    def __next__(self) -> Any: ...
    def send(self, value: Any, /) -> Any: ...
    def throw(self, *exception: Any) -> Any: ...
    def close(self) -> None: ...

@final
class Arrival(Awaitable[asyncio.Future[_T]]):
    _job: Job[_T]
    def __await__(self) -> Generator[Any, None, asyncio.Future[_T]]: ...
    def __iter__(self) -> Generator[Any, None, asyncio.Future[_T]]: ...
    def __next__(self) -> Any: ...
    def send(self, value: Any, /) -> Any: ...
    def throw(self, *exception: Any) -> Any: ...
    def close(self) -> None: ...
    def _park(self, seconds: float, /) -> bool: ...

@final
class Batch(Generic[_T]):
    jobs: Any
    waiter: Optional[asyncio.Future[None]]
    def __new__(
        cls, pool: Pool, follow: bool, ready: Optional[Deque[asyncio.Future[_T]]] = None
    ) -> Batch[_T]: ...
    def submit(self, coro: Awaitable[_T], /) -> Optional[Arrival[_T]]: ...
    def draw(self, iterator: Iterator[Awaitable[_T]], /) -> Optional[Arrival[_T]]: ...
    def take(self, queue: Deque[asyncio.Future[_T]], nothing: object, /) -> Any: ...
    def wait(self, first_failure: bool, /) -> Optional[asyncio.Future[None]]: ...
    def results(self, return_exceptions: bool, /) -> List[Any]: ...

@final
class Lineage: ...

@disjoint_base
class ThreadOutcome:
    _state: str
    _result: Any
    _exception: Optional[BaseException]
    _job: Optional[Job[Any]]
    @property
    def _ended(self) -> bool: ...
    def __init__(self, *args: object, **kwargs: object) -> None: ...
    def _look(self) -> None: ...
    def _ring(self) -> None: ...
    def _wait(self, seconds: float, /) -> bool: ...

@disjoint_base
class Pool:
    def __init__(self, max_concurrency: int = 100, max_queue_size: int = 1000) -> None: ...
    @property
    def max_concurrency(self) -> int:
        """How many jobs may run at a time. May be set: raising it starts jobs at once, lowering it interrupts none.

        Examples:
            >>> pool = NbAioPool(max_concurrency=10)
            >>> pool.max_concurrency = 20
            >>> pool.max_concurrency
            20
        """
    @max_concurrency.setter
    def max_concurrency(self, limit: int) -> None: ...
    @property
    def max_queue_size(self) -> int:
        """How many accepted jobs may wait for a slot; 0: no bound. May be set at any time.

        Examples:
            >>> pool = NbAioPool(max_queue_size=0)
            >>> pool.max_queue_size = 100
            >>> pool.max_queue_size
            100
        """
    @max_queue_size.setter
    def max_queue_size(self, limit: int) -> None: ...
    @property
    def running(self) -> int:
        """How many jobs have a slot, or have lent it: those that wait for nested work count too.

        Examples:
            >>> async def main():
            ...     async with NbAioPool(max_concurrency=2) as pool:
            ...         await pool.batch_submit(asyncio.sleep(0.01) for _ in range(3))
            ...         print(pool.running)
            >>> asyncio.run(main())
            2
        """
    @property
    def queued(self) -> int:
        """How many accepted jobs wait for a slot.

        Examples:
            >>> async def main():
            ...     async with NbAioPool(max_concurrency=2) as pool:
            ...         await pool.batch_submit(asyncio.sleep(0.01) for _ in range(3))
            ...         print(pool.queued)
            >>> asyncio.run(main())
            1
        """
    @property
    def waiting(self) -> int:
        """How many callers wait for room.

        Examples:
            >>> async def main():
            ...     async with NbAioPool(1, 1) as pool:
            ...         await pool.batch_submit(asyncio.sleep(0.01) for _ in range(2))
            ...         producer = asyncio.ensure_future(pool.submit(asyncio.sleep(0)))
            ...         await asyncio.sleep(0)
            ...         print(pool.waiting)
            ...         await producer
            >>> asyncio.run(main())
            1
        """
    @property
    def closed(self) -> bool:
        """Whether the pool was shut down. A stopped pool stays stopped.

        Examples:
            >>> async def main():
            ...     async with NbAioPool() as pool:
            ...         print(pool.closed)
            ...     print(pool.closed)
            >>> asyncio.run(main())
            False
            True
        """
    @property
    def _native_loop(self) -> Optional[asyncio.AbstractEventLoop]: ...
    @property
    def _native_loop_thread(self) -> Optional[weakref.ref[Any]]: ...
    @property
    def _native_is_loop_thread(self) -> bool: ...
    @property
    def _native_guard(self) -> Optional[Guard]: ...
    def submit_nowait(self, coro: Awaitable[_T]) -> asyncio.Future[_T]:
        """Submit without waiting: return the job's future, or raise PoolFull.

        An ordinary function, for callbacks and for code that would rather refuse than wait.

        Examples:
            >>> async def main():
            ...     pool = NbAioPool(max_concurrency=1, max_queue_size=1)
            ...     jobs = [pool.submit_nowait(asyncio.sleep(0, n)) for n in range(2)]
            ...     try:
            ...         pool.submit_nowait(asyncio.sleep(0))
            ...     except PoolFull:
            ...         print("full")
            ...     print(await asyncio.gather(*jobs))
            >>> asyncio.run(main())
            full
            [0, 1]
        """
    def _native_offer(
        self, coro: Awaitable[_T], block: bool, future: Optional[asyncio.Future[_T]], /
    ) -> Union[asyncio.Future[_T], Arrival[_T]]: ...
    def _native_offer_from_thread(
        self,
        coro: Awaitable[Any],
        block: bool,
        future: ThreadOutcome,
        loop: Optional[asyncio.AbstractEventLoop],
        /,
    ) -> Optional[Arrival[Any]]: ...
    def _native_offer_all(self, coros: List[Awaitable[_T]], more: bool, /) -> List[asyncio.Future[_T]]: ...
    def _native_check(self, awaitable: object, /) -> None: ...
    def _native_discard(self, closable: object, /) -> None: ...
    def _native_room(self) -> int: ...
    def _native_lineage(self) -> Optional[Lineage]: ...
    def _native_lineage_in(self, context: Context, /) -> Optional[Lineage]: ...
    def _native_want(self, future: asyncio.Future[Any], lineage: Optional[Lineage], /) -> None: ...
    def _native_run(
        self, coro: Awaitable[_T], block: bool, future: Optional[asyncio.Future[_T]], /
    ) -> Any: ...
    def _native_bind(self) -> None: ...
    def _native_when_idle(self) -> Optional[asyncio.Future[None]]: ...
    def _native_forget_waiter(self, waiter: asyncio.Future[None], /) -> None: ...
    def _native_ending(self) -> Callable[[], None]: ...
    def _native_renew_guard(self) -> None: ...
    def _native_close(self) -> None: ...
    def _native_is_busy(self, guard: Guard, /) -> bool: ...
    def _native_drop_queued(self) -> List[Any]: ...
    def _native_cancel_guarded(self, guard: Guard, /) -> None: ...
    def _native_cancel_all(self) -> None: ...
    def _native_is_blocked(self) -> bool: ...
    def _native_is_inside(self) -> bool: ...
    def _native_abandon(self) -> None: ...
    def _native_counts(self) -> Tuple[int, int, int, int, int, int]: ...
