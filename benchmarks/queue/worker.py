"""A worker process of a sample.

    python -m benchmarks.queue.worker RIVAL URL JOURNAL TASKS JOB

Says on its standard output when it is ready, begins when there is a line on its standard input, and ends when that
ends: it cannot outlive who started it. The harness does not wait for a shutdown; everything is in the journal by then.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from benchmarks.queue import rivals
from benchmarks.queue.jobs import JOBS
from benchmarks.queue.journal import Journal


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    name, url, path, tasks, job = sys.argv[1:]
    queue = rivals.load(name).Queue(url, JOBS[job](Journal(Path(path), int(tasks))), rivals.RUNNING)
    print("ready", flush=True)
    sys.stdin.readline()
    threading.Thread(target=end_with_input, daemon=True).start()
    queue.work()


if __name__ == "__main__":
    main()
