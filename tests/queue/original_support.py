"""The original package at the other end of a queue, in a process of its own: it has our import name."""

from __future__ import annotations

PRODUCER = """
import asyncio, json, sys
from nb_aiopool.contrib.nb_aio_task import aio_task

url, queue, form, calls = sys.argv[1:]

@aio_task(queue_name=queue, redis_url=url, use_pickle=form == "pickle")
async def task(*args, **kwargs): ...

async def main():
    for args, kwargs in json.loads(calls):
        await task.submit(*args, **kwargs)
    await task.close()

asyncio.run(main())
"""

CONSUMER = """
import asyncio, json, sys
from nb_aiopool.contrib.nb_aio_task import aio_task

url, queue, form, count = sys.argv[1:]
calls, done = [], None

@aio_task(queue_name=queue, redis_url=url, use_pickle=form == "pickle", max_concurrency=3)
async def task(*args, **kwargs):
    calls.append([args, kwargs])
    if len(calls) == int(count):
        done.set()

async def main():
    global done
    done = asyncio.Event()
    consumer = asyncio.ensure_future(task.consume(timeout=1))
    await done.wait()
    await task.stop()
    await consumer
    await task.close()
    print(json.dumps(calls))

asyncio.run(main())
"""

# What the original logs with; it has to be there, and the tests are not about it.
LOG_STUB = """
import logging
def get_logger(name): return logging.getLogger(name)
"""
