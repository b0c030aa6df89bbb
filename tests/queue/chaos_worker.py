"""A worker process of the chaos tests: consumes, and writes down what starts and ends where no death can undo it.

Its one argument is a JSON object: `url`, `queues` (names), `options` (of `aio_task`), `history` (a directory), `end`
("stop", or "raise": the loop is left by an exception, and the process lives on). It ends when its stdin does.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
from typing import Any, Dict, List, Tuple

from nb_aiopool.contrib.nb_aio_task import AioTask, aio_task, batch_consume

CONFIG: Dict[str, Any] = json.loads(sys.argv[1])
HISTORY = os.open(
    os.path.join(CONFIG["history"], "%d.history" % os.getpid()),  # noqa: PTH118 -- a file descriptor is what is needed
    os.O_WRONLY | os.O_CREAT | os.O_APPEND,
)


def record(event: str, label: object) -> None:
    """One write, which the kernel has by the time it returns: a `kill -9` leaves whole lines."""
    os.write(HISTORY, b"%.6f %s %s\n" % (time.monotonic(), event.encode(), str(label).encode()))


def exists(path: str) -> bool:
    return os.path.exists(path)  # noqa: PTH110 -- there is nothing to gain from a Path


async def work(label: object, seconds: float = 0.0, how: str = "sleep", gate: str = "") -> object:
    """One task. `how`: sleep, block (the loop), kill (its process), fail. `gate`: a file to be waited for."""
    record("start", label)
    try:
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "block":
            time.sleep(seconds)  # noqa: ASYNC251 -- that is what is tested
        else:
            await asyncio.sleep(seconds)
        while gate and not exists(gate):
            await asyncio.sleep(0.01)
        if how == "fail":
            raise ValueError(label)
    except asyncio.CancelledError:
        record("cancel", label)
        raise
    record("end", label)
    return os.getpid()


def tasks() -> List[AioTask[Any]]:
    made = []
    for queue in CONFIG["queues"]:
        made.append(aio_task(queue, redis_url=CONFIG["url"], **CONFIG["options"])(work))
    return made


async def consume() -> Tuple[str, int]:
    consuming = asyncio.ensure_future(batch_consume(tasks(), timeout=CONFIG["block"]))
    loop = asyncio.get_running_loop()

    def end() -> None:
        record("told", "to end")
        consuming.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    print("started", flush=True)
    try:
        await consuming
    except asyncio.CancelledError:
        return "stopped", 0
    return "returned", 0


def end_with_stdin() -> None:
    # Not through sys.stdin: a thread that waits in there would keep the interpreter from ending.
    while os.read(0, 1):
        pass
    os._exit(70)


def leave_the_loop() -> None:
    """A program that leaves its loop in the middle of everything, and goes on to do something else."""

    async def fail_when_told() -> None:
        consuming = asyncio.ensure_future(batch_consume(tasks(), timeout=CONFIG["block"]))
        while not exists(CONFIG["end"]):
            await asyncio.sleep(0.01)
        record("left", consuming.get_name())
        raise ValueError("left")

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pending = loop.create_task(fail_when_told())
    try:
        loop.run_until_complete(pending)
    except ValueError:
        kept = asyncio.all_tasks(loop)
        loop.close()
        threading.Event().wait()
        print(kept)


def main() -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    threading.Thread(target=end_with_stdin, daemon=True).start()
    if CONFIG["end"]:
        print("started", flush=True)
        leave_the_loop()
    said, status = asyncio.run(consume())
    record(said, status)
    return status


if __name__ == "__main__":
    sys.exit(main())
