"""taskiq with the stream broker of taskiq-redis.

A worker reads a hundred messages at a time for its consumer group and acknowledges each after its task has ended (when
the result is saved, but no results are kept without a result backend, which is the default). What has not been
acknowledged for ten minutes is claimed by another worker, when that gets new messages. No retries without a middleware.
"""

from __future__ import annotations

from taskiq_redis import RedisStreamBroker

from benchmarks.queue.rivals.taskiq_calls import TaskiqQueue

REQUIREMENT = "taskiq-redis"
SETTINGS = (
    "at least once: acknowledges after the task; claimed after 10 min idle, on new traffic; no results stored"
)
SPEED = {"drain": 2000, "submit": 3000, "gather": 3000}


class Queue(TaskiqQueue):
    broker_type = RedisStreamBroker
