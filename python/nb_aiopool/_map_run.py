"""A streaming map at work.

A task of its own, the feeder, draws input and submits jobs; whoever iterates takes the results. What is between them is
bounded: the feeder stops when as many items are out as the pool holds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Deque, List, Optional, Set, Tuple, Union

from nb_aiopool._closing import aclose, discard
from nb_aiopool._core import Arrival, Batch
from nb_aiopool._ending import raise_any, wait_for_all
from nb_aiopool._guard import all_were_cancelled
from nb_aiopool._map_futures import failed, outcome, resolve, see
from nb_aiopool._map_inputs import check, check_result, iterate, shortest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nb_aiopool._core import Lineage
    from nb_aiopool.pool import NbAioPool

__all__ = ["NOTHING", "MapRun"]

NOTHING = object()  # no result
_background: Set[asyncio.Future[Any]] = set()  # the loop keeps only weak references to its tasks


class MapRun:
    """A map at work. It does not know its iterator, so that this can be dropped."""

    def __init__(
        self,
        pool: NbAioPool,
        func: Callable[..., Any],
        inputs: Tuple[Any, ...],
        *,
        ordered: bool,
        return_exceptions: bool,
        submit_of_subclass: Optional[Callable[[Any], Awaitable[asyncio.Future[Any]]]],
    ) -> None:
        check(pool, func, inputs)
        self.total = shortest(inputs)
        self.stopped = False  # nothing more is handed out
        self._pool = pool
        self._func = func
        self._inputs = inputs  # until it starts
        self._sources: List[Any] = []  # from then on, until they are closed
        self._ordered = ordered
        self._return_exceptions = return_exceptions
        self._submit_of_subclass = submit_of_subclass  # None: the pool has the plain one
        self._out = 0  # items drawn whose results were not handed out
        self._jobs: Deque[asyncio.Future[Any]] = deque()  # those of an ordered map, in order
        self._ready: Deque[asyncio.Future[Any]] = deque()  # what of an unordered one has ended
        self._batch: Batch[Any] = Batch(pool, True, self._ready)  # what has not, and tells of its end
        self._pending: Set[asyncio.Future[Any]] = self._batch.jobs
        self._left: List[asyncio.Future[Any]] = []  # what was cancelled and may go on
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._feeder: Optional[asyncio.Task[None]] = None
        self._failures: List[BaseException] = []  # what ended the input, if it was not its end
        self._exhausted = False
        self._in_line: Optional[asyncio.Future[Any]] = None  # the job that the feeder waits with
        self._lineage: Optional[Lineage] = None  # of the code that takes the results
        self._has_changed_hands = False  # since it began
        self._result_waiter: Optional[asyncio.Future[None]] = None
        self._room_waiter: Optional[asyncio.Future[None]] = None

    # -- Results -------------------------------------------------------------------------------------------------------

    async def next(self) -> Any:
        """Return the next result, or raise the exception in its place, or StopAsyncIteration."""
        self._refuse_other_loop()
        try:
            while not self.stopped:
                if self._inputs:
                    self._start()
                elif self._ready or (self._jobs and self._jobs[0].done()):
                    return self._hand_out()
                elif self._exhausted and not self._jobs and not self._pending:
                    self.stopped = True
                    raise_any(self._failures)
                else:
                    await self._wait_for_result()
        except GeneratorExit:  # there is no waiting any more
            self.drop()
            raise
        except StopAsyncIteration as error:  # that of a job or an input: it must not look like the end
            await self.stop()
            raise RuntimeError("a job or an input of map() raised StopAsyncIteration") from error
        except BaseException:
            await self.stop()
            raise
        await self.stop()
        raise StopAsyncIteration

    def _refuse_other_loop(self) -> None:
        if (
            self._loop is not None
            and asyncio.get_running_loop() is not self._loop
            and not self._loop.is_closed()
        ):
            raise RuntimeError(f"this map is at work in another event loop ({self._loop!r}): use it there")

    def take_result(self) -> Any:
        """Return the next result if it is there and is one; else NOTHING, and `next()` tells more."""
        result = self._batch.take(self._jobs if self._ordered else self._ready, NOTHING)
        if result is not NOTHING:
            self._count_out()
        return result

    def _count_out(self) -> None:
        self._out -= 1
        if self._room_waiter is not None and self._out < self._bound():
            resolve(self._room_waiter)

    def _hand_out(self) -> Any:
        job = self._jobs.popleft() if self._ordered else self._ready.popleft()
        self._count_out()
        try:
            return outcome(job) if self._return_exceptions else job.result()
        finally:
            del job  # the traceback of its exception leads here

    async def _wait_for_result(self) -> None:
        lineage = self._pool._native_lineage()
        if lineage is not self._lineage:
            self._change_hands(lineage)
        self._result_waiter = asyncio.get_running_loop().create_future()
        if not self._ordered:
            self._batch.waiter = self._result_waiter
        elif self._jobs:
            self._jobs[0].add_done_callback(self._job_ended)
        try:
            await self._result_waiter
        finally:
            self._result_waiter = self._batch.waiter = None

    def _change_hands(self, lineage: Optional[Lineage]) -> None:
        """Let the code that waits now, and not the one that began, be who lends its slot to the jobs of the map."""
        self._lineage, self._has_changed_hands = lineage, True
        for job in (*self._jobs, *self._pending):
            self._note_want(job)
        if self._in_line is not None:
            self._note_want(self._in_line)

    def _note_want(self, job: asyncio.Future[Any]) -> None:
        if self._has_changed_hands:  # until then the feeder, and what it submits, are of the same lineage
            self._pool._native_want(job, self._lineage)

    def _job_ended(self, job: asyncio.Future[Any]) -> None:
        if not self._ordered and job in self._pending:
            self._pending.discard(job)
            self._ready.append(job)
        self._wake()

    def _wake(self) -> None:
        if self._result_waiter is not None:
            resolve(self._result_waiter)

    # -- Input ---------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        inputs, self._inputs = self._inputs, ()
        self._loop = asyncio.get_running_loop()
        self._lineage = self._pool._native_lineage()
        # Never an eager task: the tracebacks of what that raises lead to the iterator, which could not be dropped.
        self._feeder = asyncio.Task(self._feed(inputs), loop=self._loop)
        self._feeder.add_done_callback(self._feeder_ended)

    async def _feed(self, inputs: Tuple[Any, ...]) -> None:
        try:
            for source in inputs:
                self._sources.append(iterate(source))
            if any(is_async for _, is_async in self._sources):
                await self._feed_asynchronous()
            else:
                await self._feed_synchronous()
        finally:
            # Here, because an asynchronous generator may require that the task that draws from it closes it.
            await self._close_sources()

    async def _feed_synchronous(self) -> None:
        func = self._func
        submit: Callable[[Any], Optional[Arrival[Any]]] = self._batch.submit
        plain = self._submit_of_subclass is None and not self._ordered
        sources: List[Iterator[Any]] = [source for source, _ in self._sources]
        for items in zip(*sources):
            if self._is_stopped():
                return
            if plain and not self._has_changed_hands:
                # As _submit() does, in a straight line: half of what an item costs is the calls it takes.
                self._out += 1
                try:
                    coro = func(*items)
                except BaseException as error:  # noqa: BLE001
                    await self._fail(error)
                else:
                    if type(coro) is CoroutineType and not self._is_stopped():
                        arrival = submit(coro)
                        if arrival is not None:
                            await self._arrive(arrival)
                    else:
                        await self._submit_made(coro)
            else:
                await self._submit(items)
            if self._out >= self._bound():
                await self._wait_for_room()

    async def _feed_asynchronous(self) -> None:
        while not self.stopped:
            await self._wait_for_room()
            items: List[Any] = []
            for source, is_async in self._sources:
                try:
                    items.append(await source.__anext__() if is_async else next(source))
                except (StopIteration, StopAsyncIteration) as error:
                    if isinstance(error, StopAsyncIteration) is is_async:
                        return
                    raise
            if self._is_stopped():  # and whoever was waited for has swallowed the cancellation
                return
            await self._submit(items)

    async def _wait_for_room(self) -> None:
        while self._out >= self._bound() and not self.stopped:
            self._room_waiter = asyncio.get_running_loop().create_future()
            try:
                await self._room_waiter
            finally:
                self._room_waiter = None

    def _bound(self) -> int:
        """How many items may be out at once: as many as the pool holds."""
        concurrency = self._pool.max_concurrency
        return concurrency + (self._pool.max_queue_size or concurrency)

    async def _submit(self, items: Sequence[Any]) -> None:
        self._out += 1
        try:
            coro = self._func(*items)
        except BaseException as error:  # noqa: BLE001
            await self._fail(error)
        else:
            await self._submit_made(coro)

    async def _fail(self, error: BaseException) -> None:
        """Put what the function has raised in the place of the item's result."""
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise error
        self._add_done(failed(error))
        await asyncio.sleep(0)  # no submit has given way to the loop

    async def _submit_made(self, coro: Any) -> None:
        try:
            check_result(self._pool, self._func, coro)
        except Exception as error:  # noqa: BLE001
            await self._fail(error)
            return
        if self.stopped:  # by the function
            discard(self._pool, coro)
        elif self._submit_of_subclass is not None:
            self._add(await self._submit_of_subclass(coro))
        elif self._ordered or self._has_changed_hands:
            handle = self._pool._native_offer(coro, True, None)
            self._add(await self._arrive(handle) if isinstance(handle, Arrival) else handle)
        else:
            arrival = self._batch.submit(coro)
            if arrival is not None:
                await self._arrive(arrival)

    async def _arrive(self, arrival: Arrival[Any]) -> asyncio.Future[Any]:
        self._in_line = arrival._job
        self._note_want(self._in_line)
        try:
            job = await arrival
        finally:
            self._in_line = None
        if self._is_stopped():  # meanwhile
            job.cancel()
            see(job)
        return job

    def _is_stopped(self) -> bool:
        return self.stopped

    def _add(self, job: asyncio.Future[Any]) -> None:
        self._note_want(job)
        if self._ordered:
            self._jobs.append(job)
            if len(self._jobs) == 1 and self._result_waiter is not None:
                self._listen_to(job, self._jobs)
        else:
            self._pending.add(job)
            self._listen_to(job, self._pending)
        if self._is_stopped():  # while it was submitted
            job.cancel()
            see(job)

    def _add_done(self, future: asyncio.Future[Any]) -> None:
        """Add what has failed without ever having been a job."""
        (self._jobs if self._ordered else self._ready).append(future)
        self._wake()

    def _listen_to(self, job: asyncio.Future[Any], jobs: Union[Deque[Any], Set[Any]]) -> None:
        try:
            job.add_done_callback(self._job_ended)
        except BaseException:
            jobs.remove(job)  # nobody would hear of its end
            job.cancel()
            raise

    async def _close_sources(self) -> None:
        sources, self._sources = self._sources, []
        cancelled: List[BaseException] = []
        for source, is_async in sources:
            try:
                if is_async:
                    await aclose(source, "an input of a map")
            except asyncio.CancelledError as error:
                cancelled[:] = [error]
        raise_any(cancelled)

    def _feeder_ended(self, feeder: asyncio.Task[None]) -> None:
        failure = asyncio.CancelledError() if feeder.cancelled() else feeder.exception()
        if failure is not None and not self.stopped:
            self._failures.append(failure)
            if feeder.cancelled():
                # The loop ends, perhaps, and the iterator may be dropped later than its jobs.
                for job in (*self._jobs, *self._pending, *self._ready):
                    see(job)
        self._feeder = None
        self._exhausted = True
        if not self._jobs and not self._pending:
            self._wake()

    # -- The end -------------------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Cancel whatever goes on, wait for it, and close the asynchronous inputs. May be called again.

        One of the map's own jobs or inputs does not wait: that would be for itself.
        """
        self._refuse_other_loop()
        self._cancel()
        if asyncio.current_task() not in self._left:
            await wait_for_all(self._left)
            self._left = []

    def _cancel(self) -> None:
        if self.stopped:
            return
        self.stopped = True
        self._inputs = ()
        jobs = self._take_jobs()
        self._left = [job for job in jobs if not job.done()]
        # Whoever was cancelled along with everything else must not be cancelled again while cleaning up.
        if not all_were_cancelled(self._pool):
            for job in self._left:
                job.cancel()
        if self._feeder is not None:
            self._cancel_feeder(self._feeder)
        for job in jobs:
            see(job)
        if self._room_waiter is not None:
            resolve(self._room_waiter)
        self._wake()

    def _cancel_feeder(self, feeder: asyncio.Task[None]) -> None:
        self._left.append(feeder)
        _background.add(feeder)
        feeder.add_done_callback(_background.discard)
        # Without sources it has not begun or closes them already; and it may have been cancelled with everything else.
        if self._sources and getattr(feeder, "cancelling", int)() == 0:
            feeder.cancel()

    def _take_jobs(self) -> List[asyncio.Future[Any]]:
        jobs = [*self._jobs, *self._pending, *self._ready]
        self._batch = Batch(self._pool, True, deque())
        self._jobs, self._ready, self._pending = deque(), deque(), self._batch.jobs
        return jobs

    def drop(self) -> None:
        """Stop in the background, if there is anything to stop. May be called in any thread."""
        if self.stopped or self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._cancel)
        except RuntimeError:  # the loop is closed
            for job in self._take_jobs():
                see(job)
