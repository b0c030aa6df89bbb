"""Objects that do in their special methods what no sane object does, and deeds for them to do there."""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import gc
from typing import Any, Callable, Dict, List, Optional

from nb_aiopool import NbAioPool, PoolError
from support import value


class OddError(BaseException):
    """An exception that is no Exception."""


class Scene:
    """A pool with some jobs, for hostile objects to meddle with. Deeds are harmless once the scene is over."""

    def __init__(self, pool: NbAioPool) -> None:
        self.pool = pool
        self.jobs: List[Any] = []
        self.deeds_done = 0
        self.over = False

    # -- Deeds

    def submit(self) -> None:
        with contextlib.suppress(PoolError):
            self.jobs.append(self.pool.submit_nowait(value("from a deed")))

    def cancel_all(self) -> None:
        for job in list(self.jobs):
            job.cancel()

    def resize(self) -> None:
        self.pool.max_concurrency = 1
        self.pool.max_concurrency = 4
        self.pool.max_queue_size = 1
        self.pool.max_queue_size = 8

    def look(self) -> None:
        repr(self.pool)
        self.pool.stats()
        for job in self.jobs:
            repr(job)
            if hasattr(job, "get_stack"):
                job.get_stack()

    def drop(self) -> None:
        self.jobs.clear()
        gc.collect()

    def shut_down(self) -> None:
        step(self.pool.shutdown(wait=False))

    def shut_down_and_cancel(self) -> None:
        step(self.pool.shutdown(wait=False, cancel=True))

    def fail(self) -> None:
        raise ValueError("from a deed")

    def fail_oddly(self) -> None:
        raise OddError("from a deed")

    def do(self, deed: Optional[str]) -> None:
        if deed is not None and not self.over:
            self.deeds_done += 1
            getattr(self, deed)()


DEEDS = (
    "submit",
    "cancel_all",
    "resize",
    "look",
    "drop",
    "shut_down",
    "shut_down_and_cancel",
    "fail",
    "fail_oddly",
)


def step(coro: Any) -> None:
    """Call an async function that does not wait from where nothing can be awaited."""
    try:
        coro.send(None)
    except StopIteration:
        pass
    else:
        coro.close()


# -- Objects whose special methods do a deed ----------------------------------------------------------------------


class Value:
    """A result, a cancel message, or a local variable."""

    def __init__(self, scene: Scene, deed: str, where: str) -> None:
        self._scene, self._deed, self._where = scene, deed, where

    def _act(self, where: str) -> None:
        if where == self._where:
            self._scene.do(self._deed)

    def __del__(self) -> None:
        self._act("del")

    def __repr__(self) -> str:
        self._act("repr")
        return "<a hostile value>"

    def __eq__(self, other: object) -> bool:
        self._act("eq")
        return NotImplemented

    def __hash__(self) -> int:
        self._act("hash")
        return 1

    def __bool__(self) -> bool:
        self._act("bool")
        return True


class Failure(Exception):
    def __init__(self, scene: Scene, deed: str, where: str) -> None:
        super().__init__()
        self.value = Value(scene, deed, where)

    def __str__(self) -> str:
        return repr(self.value)

    def __repr__(self) -> str:
        return repr(self.value)

    def __eq__(self, other: object) -> bool:
        return self.value == other

    def __hash__(self) -> int:
        return hash(self.value)


class HostileCoroutine(collections.abc.Coroutine):  # type: ignore[type-arg]
    """A coroutine that is none of the interpreter's: suspends twice, and does its deed where told."""

    def __init__(self, scene: Scene, deed: str, where: str) -> None:
        self._scene, self._deed, self._where = scene, deed, where
        self.steps = 0
        self.closed = 0

    def _act(self, where: str) -> None:
        if where == self._where:
            self._scene.do(self._deed)

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        self.steps += 1
        self._act("send")
        if self.steps > 2:
            raise StopIteration("sent")
        return None

    def throw(self, *exc_info: Any) -> Any:
        self._act("throw")
        error = exc_info[0] if isinstance(exc_info[0], BaseException) else exc_info[0]()
        raise error

    def close(self) -> None:
        self.closed += 1
        self._act("close")

    def __repr__(self) -> str:
        self._act("repr")
        return "<a hostile coroutine>"


class HostileAwaitable:
    """An awaitable whose iterator yields nothing but None, twice."""

    def __init__(self, scene: Scene, deed: str, where: str) -> None:
        self.inner = HostileCoroutine(scene, deed, where)

    def __await__(self) -> Any:
        self.inner._act("await")
        return self.inner


class HostileFuture:
    """What asyncio takes for a future by its attributes; it is never done unless its job is cancelled."""

    _asyncio_future_blocking = True

    def __init__(self, scene: Scene, deed: str, where: str) -> None:
        self._scene, self._deed, self._where = scene, deed, where
        self.callbacks: List[Callable[[Any], Any]] = []

    def _act(self, where: str) -> None:
        if where == self._where:
            self._scene.do(self._deed)

    def get_loop(self) -> Any:
        self._act("get_loop")
        return asyncio.get_running_loop()

    def add_done_callback(self, callback: Any, *, context: Any = None) -> None:
        self._act("add_done_callback")
        asyncio.get_running_loop().call_soon(callback, self)

    def remove_done_callback(self, callback: Any) -> int:
        return 0

    def cancel(self, msg: Any = None) -> bool:
        self._act("future.cancel")
        return False

    def cancelled(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def result(self) -> Any:
        self._act("result")
        return "of a hostile future"

    def __await__(self) -> Any:
        yield self
        return self.result()


# -- Jobs that bring such an object into the pool -----------------------------------------------------------------


async def returns(item: Any) -> Any:
    return item


async def returns_later(item: Any) -> Any:
    await asyncio.sleep(0)
    return item


async def raises(item: Any) -> Any:
    raise item


async def holds(item: Any) -> Any:
    """Keeps the item until the job ends."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return item is not None


async def yields(item: Any) -> Any:
    return await item


Maker = Callable[[Scene, str], Any]
HOOKS: Dict[str, Maker] = {
    "del of a result": lambda scene, deed: returns(Value(scene, deed, "del")),
    "del of a later result": lambda scene, deed: returns_later(Value(scene, deed, "del")),
    "del of a local variable": lambda scene, deed: holds(Value(scene, deed, "del")),
    "repr of a result": lambda scene, deed: returns(Value(scene, deed, "repr")),
    "eq of a result": lambda scene, deed: returns(Value(scene, deed, "eq")),
    "hash of a result": lambda scene, deed: returns(Value(scene, deed, "hash")),
    "bool of a result": lambda scene, deed: returns(Value(scene, deed, "bool")),
    "str of an exception": lambda scene, deed: raises(Failure(scene, deed, "repr")),
    "eq of an exception": lambda scene, deed: raises(Failure(scene, deed, "eq")),
    "hash of an exception": lambda scene, deed: raises(Failure(scene, deed, "hash")),
    "del of an exception": lambda scene, deed: raises(Failure(scene, deed, "del")),
    "send": lambda scene, deed: HostileCoroutine(scene, deed, "send"),
    "throw": lambda scene, deed: HostileCoroutine(scene, deed, "throw"),
    "close": lambda scene, deed: HostileCoroutine(scene, deed, "close"),
    "repr of a coroutine": lambda scene, deed: HostileCoroutine(scene, deed, "repr"),
    "await": lambda scene, deed: HostileAwaitable(scene, deed, "await"),
    "next": lambda scene, deed: HostileAwaitable(scene, deed, "send"),
    "throw into an awaitable": lambda scene, deed: HostileAwaitable(scene, deed, "throw"),
    "close of an awaitable": lambda scene, deed: HostileAwaitable(scene, deed, "close"),
    "get_loop": lambda scene, deed: yields(HostileFuture(scene, deed, "get_loop")),
    "add_done_callback": lambda scene, deed: yields(HostileFuture(scene, deed, "add_done_callback")),
    "future.cancel": lambda scene, deed: yields(HostileFuture(scene, deed, "future.cancel")),
    "result of a future": lambda scene, deed: yields(HostileFuture(scene, deed, "result")),
}
