"""AsyncPoolExecutor in child processes that are forked: its thread stays behind, and the child is told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable

import pytest

from executors import program
from loops import KINDS

if TYPE_CHECKING:
    import subprocess

Script = Callable[..., "subprocess.CompletedProcess[str]"]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
each_kind = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "eager"])


@each_kind
def test_a_child_process_is_told_and_may_make_its_own(script: Script, kind: str) -> None:
    body = """
    executor = AsyncPoolExecutor(2, loop=new_loop())
    held = executor.submit(write, "parent", 0.4)
    done = executor.submit(write, "done", 0)
    assert done.result() == "done"
    child = os.fork()
    if child == 0:
        signal.alarm(15)
        for call in (lambda: executor.submit(write, 1), lambda: held.result(10)):
            try:
                call()
            except RuntimeError as error:
                print(error)
        executor.shutdown()
        del executor
        own = AsyncPoolExecutor(2, loop=new_loop())
        own.submit(write, "child", 0)
        sys.exit(done.result() != "done")
    assert os.waitpid(child, 0)[1] == 0
    assert held.result() == "parent"
    """
    assert sorted(script(program(body), kind).stdout.splitlines()) == [
        "child",
        "done",
        "in a child process: the executor's thread is the parent's; make a new executor here",
        "parent",
        "waiting here would be for ever: the job is the parent process's, and its result does not come here",
    ]


def test_forks_while_threads_submit_and_ask(script: Script) -> None:
    body = """
    def produce():
        while not stop:
            executor.submit(write, "", 0).result()
    stop, executor = [], AsyncPoolExecutor(3)
    devnull = os.open(os.devnull, os.O_WRONLY)
    out = os.dup(1)
    os.dup2(devnull, 1)
    threads = [threading.Thread(target=produce) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            os._exit(AsyncPoolExecutor(1).submit(write, "", 0).result() != "")
        assert os.waitpid(child, 0)[1] == 0
    stop.append(1)
    for thread in threads:
        thread.join()
    os.dup2(out, 1)
    print("end")
    """
    assert script(program(body)).stdout.strip().splitlines()[-1] == "end"
