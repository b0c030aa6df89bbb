"""A loop that says in the middle of a job's step that it is closed, while another thread uses the pool."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any, Callable, List

import pytest

from nb_aiopool import NbAioPool
from support import turns, value


class Liar(asyncio.SelectorEventLoop):
    lies = False

    def is_closed(self) -> bool:
        return self.lies or super().is_closed()


class Treacherous:
    """A future that calls something at one place where the pool looks at it."""

    def __init__(self, place: str, betray: Callable[[], None]) -> None:
        self.place = place
        self.betray = betray
        self.loop: Any = asyncio.get_running_loop()

    def at(self, place: str) -> None:
        if place == self.place:
            self.betray()

    @property
    def _asyncio_future_blocking(self) -> Treacherous:
        self.at("blocking")
        return self

    @_asyncio_future_blocking.setter
    def _asyncio_future_blocking(self, blocking: bool) -> None:
        self.at("unblock")

    def __bool__(self) -> bool:
        self.at("bool")
        return True

    def get_loop(self) -> Any:
        self.at("loop")
        return None if self.place == "repr" else self.loop

    def add_done_callback(self, callback: Any, *, context: Any = None) -> None:
        self.at("add")
        if self.place != "cancel":
            raise ValueError("no callbacks")
        self.callback = callback

    def remove_done_callback(self, callback: Any) -> int:
        return 0

    def done(self) -> bool:
        return False

    def result(self) -> Any:
        raise asyncio.CancelledError

    def cancel(self, msg: Any = None) -> bool:
        self.at("cancel")
        self.loop.call_soon(self.callback, self)
        return True

    def __repr__(self) -> str:
        self.at("repr")
        return "Treacherous"

    def __await__(self) -> Any:
        yield self


@pytest.fixture
def loops() -> Any:
    home, other = Liar(), asyncio.new_event_loop()
    yield home, other
    home.close()
    other.close()


def taker(pool: NbAioPool, home: Any, other: Any, outcomes: List[Any]) -> Callable[[], None]:
    """What has another thread submit to the pool, in another loop, while the pool's own says that it is closed."""

    def take() -> None:
        try:
            outcomes.append(pool.sync_submit(value("other"), loop=other))
        except RuntimeError as error:
            outcomes.append(str(error))

    def betray() -> None:
        home.lies = True
        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
        home.lies = False

    return betray


@pytest.mark.parametrize("place", ["blocking", "unblock", "bool", "loop", "add", "cancel", "repr"])
def test_a_pool_whose_job_executes_is_not_taken_from_its_loop(place: str, loops: Any) -> None:
    home, other = loops
    outcomes: List[Any] = []

    async def main() -> None:
        pool = NbAioPool(2)
        betray = taker(pool, home, other, outcomes)

        async def body() -> str:
            if place == "cancel":
                job.cancel()
            with contextlib.suppress(ValueError, RuntimeError, asyncio.CancelledError):
                await Treacherous(place, betray)
            return "done"

        job: Any = pool.submit_nowait(body())
        assert await job == "done"
        assert await pool.run(value("after")) == "after"
        assert pool.stats() == (2, 2, 0, 0, 0, 0)

    home.run_until_complete(main())
    assert len(outcomes) >= 1
    assert all("busy in another event loop" in outcome for outcome in outcomes)


def test_a_job_may_be_ended_by_the_code_of_the_exception_that_it_raises(loops: Any) -> None:
    home, other = loops
    outcomes: List[Any] = []

    async def main() -> None:
        pool = NbAioPool(2)
        betray = taker(pool, home, other, outcomes)

        class Odd(asyncio.CancelledError):
            @property
            def args(self) -> Any:  # type: ignore[override]
                betray()
                return ()

        async def body() -> None:
            await woken
            raise Odd

        woken = home.create_future()
        job: Any = pool.submit_nowait(body())
        await turns(2)
        woken.set_result(None)  # a step that is not made in a pass
        await turns(3)
        assert job.cancelled()

    home.run_until_complete(main())
    assert other.run_until_complete(asyncio.wrap_future(outcomes[0], loop=other)) == "other"
