"""When waiting for results looks through the whole queue: soon enough for everybody, and no more than it may cost."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Sequence

from task_support import raised

from nb_aiopool.contrib.nb_aio_task import ResultUnavailable
from nb_aiopool.contrib.nb_aio_task import results as results_module
from nb_aiopool.contrib.nb_aio_task.definition import define
from nb_aiopool.contrib.nb_aio_task.memory_broker import MemoryBroker
from nb_aiopool.contrib.nb_aio_task.options import Options
from nb_aiopool.contrib.nb_aio_task.outages import log_of
from nb_aiopool.contrib.nb_aio_task.results import Expected, ResultWatch

if TYPE_CHECKING:
    import pytest

URL = "memory://test-result-watch"


class Searched(MemoryBroker):
    """Knows nothing of "gone", takes everything else to be running, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__(URL, "nb_aio_task:searched")
        self.searches = 0
        self.on_search: Callable[[], None] = lambda: None

    async def places(self, tokens: Sequence[str]) -> Dict[str, str]:
        self.searches += 1
        self.on_search()
        return {token: "running" for token in tokens if token != "gone"}


def watch_of(broker: Searched) -> ResultWatch:
    async def work() -> None: ...

    options = Options(1, URL, 1, True, 0, 1.0, None, 30.0, 5, 60.0, None)
    return ResultWatch(broker, define(work, "searched", options).records, log_of(URL))


async def wait_all(waits: List[asyncio.Task[Any]]) -> None:
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)


async def test_who_waits_in_vain_is_told_so_while_others_come_all_the_time() -> None:
    broker = Searched()
    watch = watch_of(broker)
    vain = asyncio.ensure_future(raised(watch.wait(Expected("gone", "gone"), None)))
    waits: List[asyncio.Task[Any]] = []
    while not vain.done():
        number = str(len(waits))
        waits.append(asyncio.ensure_future(watch.wait(Expected(number, number), None)))
        await asyncio.sleep(0.01)
    assert isinstance(await vain, ResultUnavailable)
    await wait_all(waits)
    await watch.close()


async def test_newcomers_do_not_cut_short_the_rest_after_a_long_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker = Searched()
    watch = watch_of(broker)
    clock = [0.0]
    monkeypatch.setattr(results_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def take_long() -> None:
        clock[0] += 100.0

    broker.on_search = take_long
    waits = [asyncio.ensure_future(watch.wait(Expected("first", "first"), None))]
    while not broker.searches:
        await asyncio.sleep(0.01)
    for _ in range(3):
        await wait_all(waits)
        waits = [asyncio.ensure_future(watch.wait(Expected("next", "next"), None))]
        await asyncio.sleep(0)
        assert watch._search_at - watch._loop.time() > 1000.0
    await wait_all(waits)
    await watch.close()
    assert broker.searches == 1
