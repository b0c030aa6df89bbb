"""`python -m nb_aiopool …`: workers of the task queue, a look at queues, and dead letters."""

from __future__ import annotations

import os
import signal
import sys


def main(prog: str = "nb-aiopool") -> int:
    """Run the command that the program's arguments ask for; returns its exit status."""
    if sys.argv[1:2] == ["worker"]:
        # Its modules take some tenths of a second to load. Until it has handlers of its own there is nothing to lose,
        # but without any a signal would kill it, and process 1 of a container would not notice it at all.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _end)
    from nb_aiopool.contrib.nb_aio_task.cli import main as run  # noqa: PLC0415 -- only now

    return run(prog=prog)


def _end(*_: object) -> None:
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(prog="python -m nb_aiopool"))
