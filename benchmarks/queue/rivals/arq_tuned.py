"""arq with settings for speed: it looks for jobs every 10 ms and keeps no results; the rest is as in `arq`."""

from __future__ import annotations

from typing import Any, Dict

from benchmarks.queue.rivals import arq

REQUIREMENT = "arq"
SETTINGS = "as arq, but keeps no results, logs none, and polls every 10 ms"
SPEED = {"drain": 1500}


class Queue(arq.Queue):
    options: Dict[str, Any] = {"poll_delay": 0.01, "keep_result": 0, "log_results": False}  # noqa: RUF012 - as there
