"""What the process has one of, and what a forked child has of it: no locks that are held, no tasks, no names."""

from __future__ import annotations

import os
import textwrap
from typing import Any, Callable, List

import pytest

from nb_aiopool.contrib.nb_aio_task.per_process import PerProcess
from threads import at_once

# fork_while(held, in_child): a child that is forked while another thread has entered held(), and what that does.
FORK_WHILE = """
import os, signal, threading, warnings

warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside a thread

def fork_while(held, in_child):
    entered, end = threading.Event(), threading.Event()
    def hold():
        with held():
            entered.set()
            end.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait()
    child = os.fork()
    if not child:
        signal.alarm(20)
        in_child()
        os._exit(0)
    end.set()
    holder.join()
    assert os.waitpid(child, 0)[1] == 0
"""
forks = pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="there is no fork here")


@forks
def test_a_forked_process_begins_with_empty_queues(script: Callable[..., Any]) -> None:
    script(
        FORK_WHILE
        + textwrap.dedent("""
        import asyncio, contextlib
        from nb_aiopool.contrib.nb_aio_task.broker import Submission
        from nb_aiopool.contrib.nb_aio_task.memory_broker import MemoryBroker

        broker = MemoryBroker("memory://", "queue")
        asyncio.run(broker.push("p", 1, [Submission(b"1", "one")]))

        @contextlib.contextmanager
        def held():
            with broker._queue.state():
                yield

        def in_child():
            assert asyncio.run(broker.size()) == 0
            asyncio.run(broker.push("p", 1, [Submission(b"2", "two")]))
            assert asyncio.run(broker.size()) == 1
            assert asyncio.run(MemoryBroker("memory://", "queue").size()) == 1

        fork_while(held, in_child)
        assert asyncio.run(broker.size()) == 1
        """)
    )


@forks
def test_a_forked_process_does_not_inherit_locks_that_are_held(script: Callable[..., Any]) -> None:
    script(
        FORK_WHILE
        + textwrap.dedent("""
        import contextlib
        from nb_aiopool.contrib.nb_aio_task import keeper, outages

        log = outages.log_of("redis://nowhere")
        @contextlib.contextmanager
        def held():
            with keeper.keeper_for._lock, outages.log_of._lock, log._lock:
                yield

        def in_child():
            keeper.keeper_for("redis://nowhere")
            outages.log_of("redis://nowhere").up()

        fork_while(held, in_child)
        """)
    )


@forks
def test_a_forked_process_takes_no_name_of_its_parent(script: Callable[..., Any]) -> None:
    script(
        """
        import os
        from nb_aiopool.contrib.nb_aio_task.producer import Producers

        producers = Producers()
        used = producers.take()
        producers.give_back(used)
        child = os.fork()
        if not child:
            os._exit(producers.take().name == used.name)
        assert os.waitpid(child, 0)[1] == 0
        assert producers.take() is used
        """
    )


def test_all_threads_get_the_same_thing_of_a_key() -> None:
    made: List[str] = []

    def make(key: str) -> List[str]:
        made.append(key)
        return [key]

    things = PerProcess(make)
    got = at_once(8, lambda i: things(f"key {i % 2}"))
    assert len({id(thing) for thing in got}) == 2
    assert sorted(made) == ["key 0", "key 1"]
