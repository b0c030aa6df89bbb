"""`python -m nb_aiopool …`: workers of the task queue, a look at queues, and dead letters."""

from __future__ import annotations

import sys

from nb_aiopool.contrib.nb_aio_task.cli import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m nb_aiopool"))
