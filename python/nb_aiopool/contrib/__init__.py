"""What is built on the pool: `nb_aio_task`, a distributed task queue."""

from __future__ import annotations
