"""This package.

A task is taken from the list and noted in the worker's in-flight hash by one script call, and acknowledged when it has
ended, together with others, by the next. A worker renews a lease of 30 seconds; when that runs out, others take over
what it had. No retries and no stored results unless they are asked for.
"""

from __future__ import annotations

from typing import List

import nb_aiopool

REQUIREMENT = "nb_aiopool"
SETTINGS = "at least once: acknowledges after the task; taken over after a lease of 30 s; no results stored"
SPEED = {"drain": 50_000, "submit": 12_000, "gather": 60_000, "bulk": 300_000}

# A comparison of a package with itself must not go unnoticed: the original has the same import name.
if not hasattr(nb_aiopool.NbAioPool, "submit_nowait"):
    raise ImportError("the nb_aiopool that is found here is the original")

from benchmarks.queue.rivals import nb_aio_task_calls  # noqa: E402 - imports the queue of what is found here


class Queue(nb_aio_task_calls.Queue):
    async def submit_many(self, items: List[int]) -> None:
        await self._task.submit_many([((item,), {}) for item in items])
