"""The search for work that somebody waits for: it gives the loop its turns, however many jobs wait."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, List

from nb_aiopool import NbAioPool
from support import Gate, accounting, value

if TYPE_CHECKING:
    from types import FrameType


async def test_jobs_with_work_in_the_background_do_not_keep_the_loop() -> None:
    """To look at one of them is a search: in a row, those of a hundred jobs would take most of a second."""
    pool, gate = NbAioPool(100, 1000), Gate()
    searches = [0]  # in each turn of the loop
    loop = asyncio.get_running_loop()

    async def parent() -> None:
        background = asyncio.ensure_future(pool.run(value()))
        await gate.wait()
        await background

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name == "leads_to":
            searches[-1] += 1

    def turn() -> None:
        searches.append(0)
        if len(searches) < 1000:
            loop.call_soon(turn)
        else:
            gate.open()

    sys.setprofile(count)
    try:
        jobs = [pool.submit_nowait(parent()) for _ in range(100)]
        await gate.reached(100)
        turn()
        await asyncio.gather(*jobs)
    finally:
        sys.setprofile(None)
    assert 0 < max(searches) < 200
    assert accounting(pool)[:2] == (200, 200)


async def test_work_that_many_wait_for_out_of_sight_is_started() -> None:
    pool, ready = NbAioPool(200, 0), Gate()
    loop = asyncio.get_running_loop()

    async def parent() -> Any:
        result: List[Any] = []
        seen = loop.create_future()

        async def work() -> None:
            await ready.wait()
            result.append(await (await pool.submit(value("done"))))

        def poll() -> None:  # nothing leads from the work to the future
            if not result:
                loop.call_later(0.01, poll)
            elif not seen.done():
                seen.set_result(result[0])

        background = asyncio.ensure_future(work())
        poll()
        await seen
        await background
        return result[0]

    jobs = [await pool.submit(parent()) for _ in range(200)]
    await ready.reached(200)
    ready.open()
    assert await asyncio.gather(*jobs) == ["done"] * 200
    assert accounting(pool)[:2] == (400, 400)
