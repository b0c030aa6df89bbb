"""One worker process, from loading its modules to its exit status."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from nb_aiopool.contrib.nb_aio_task.errors import BrokerError

from . import leash as words
from . import logs, loops
from .consuming import Consuming
from .failure import Failure
from .leash import Leash
from .loading import load
from .progress import BAR_SECONDS, Progress, Tally, beside
from .signals import StopRequests

if TYPE_CHECKING:
    from nb_aiopool.contrib.nb_aio_task.task import AioTask

    from .plan import Plan

logger = logging.getLogger("nb_aiopool.contrib.nb_aio_task")


def serve(plan: Plan, leash_descriptor: Optional[int] = None) -> int:
    """
    Load, consume until stopped or drained, and return the exit status; Failure as for any command.

    With a leash this is the process of a supervisor: it obeys that, too, and tells it what it needs to know.
    """
    leash = None if leash_descriptor is None else Leash(leash_descriptor)
    requests = StopRequests(escalate=leash is None)
    with requests.installed():
        if leash is not None:
            leash.watch(requests)
        try:
            tasks = load(plan.targets, lambda: bool(requests.level))
        except Failure:
            _say(leash, words.UNLOADABLE)
            raise
        logs.configure(over_a_bar=plan.burst and sys.stderr.isatty())
        _warn_of_shared_queues(tasks)
        _warn_of_memory(tasks)
        _say(leash, words.LOADED, [[task.redis_url, task.queue_name] for task in tasks])
        if requests.level:
            return 0
        try:
            loops.run(_serve(tasks, plan, requests, leash), uvloop=plan.uvloop)
        except (BrokerError, ImportError) as error:
            _say(leash, words.REFUSED)
            raise Failure(str(error)) from None
        except Failure:
            _say(leash, words.REFUSED)
            raise
    return 0


async def _serve(
    tasks: List[AioTask[Any]], plan: Plan, requests: StopRequests, leash: Optional[Leash]
) -> None:
    consuming = Consuming(
        tasks,
        burst=plan.burst,
        concurrency=plan.concurrency,
        held=lambda: leash is not None and leash.held,
    )
    requests.listen(consuming.obey)
    if not plan.burst:
        await consuming.run()
    else:
        with Tally() as tally:
            if leash is not None:
                await _report(consuming, tally, leash)
            else:
                progress = Progress(
                    sys.stderr, tally.counts, consuming.remaining, lambda: bool(requests.level)
                )
                await progress.during(consuming.run())
    if plan.burst and not requests.level:
        _say(leash, words.DRAINED)
    requests.finish()


async def _report(consuming: Consuming, tally: Tally, leash: Leash) -> None:
    async def tell() -> None:
        leash.say(words.COUNTED, tally.counts())

    await beside(consuming.run(), tell, BAR_SECONDS)
    await tell()


def _say(leash: Optional[Leash], word: str, value: Any = None) -> None:
    if leash is not None:
        leash.say(word, value)


def _warn_of_shared_queues(tasks: List[AioTask[Any]]) -> None:
    seen: Dict[Tuple[str, str], AioTask[Any]] = {}
    for task in tasks:
        place = (task.redis_url, task.queue_name)
        other = seen.setdefault(place, task)
        if other is not task:
            logger.warning(
                "%s is the queue of %s and of %s: each will get calls that were meant for the other",
                task.queue_name,
                other.definition.name,
                task.definition.name,
            )


def _warn_of_memory(tasks: List[AioTask[Any]]) -> None:
    """A producer elsewhere has a queue of its own then, and this worker looks as if it had nothing to do."""
    names = [task.definition.queue for task in tasks if task.redis_url.startswith("memory:")]
    if names:
        logger.warning(
            "%s: redis_url is memory://, a queue inside this process, which no other process can put anything into;"
            " is an environment variable with the URL of the server missing?",
            ", ".join(names),
        )
