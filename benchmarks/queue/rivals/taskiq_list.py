"""taskiq with the list broker of taskiq-redis.

It pops a task from a list before it runs it, and acknowledges nothing: what a worker holds when it is killed is lost.
No results without a result backend, which is the default; no retries without a middleware.
"""

from __future__ import annotations

from taskiq_redis import ListQueueBroker

from benchmarks.queue.rivals.taskiq_calls import TaskiqQueue

REQUIREMENT = "taskiq-redis"
SETTINGS = "at most once: pops before the task, acknowledges nothing; no results stored"
SPEED = {"drain": 2000, "submit": 3000, "gather": 3000}


class Queue(TaskiqQueue):
    broker_type = ListQueueBroker
