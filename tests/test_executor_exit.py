"""AsyncPoolExecutor at the end of the interpreter and with threads that are daemons; and interrupts."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING, Callable, Dict

import pytest

from executors import program
from loops import KINDS

if TYPE_CHECKING:
    import subprocess

Script = Callable[..., "subprocess.CompletedProcess[str]"]
each_kind = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "eager"])
since_39 = pytest.mark.skipif(
    sys.version_info < (3, 9), reason="3.8 lets threads and handlers of atexit end first"
)

# -- the original's usage ---------------------------------------------------------------------------------------------


def test_the_originals_usage_goes_on_to_work(script: Script) -> None:
    done = script(
        """
        import asyncio
        from nb_aiopool import AsyncPoolExecutor

        async def async_f(x):
            await asyncio.sleep(0.02)
            print(x)

        pool = AsyncPoolExecutor(3)
        for i in range(30):
            pool.submit(async_f,i)
        """
    )
    assert done.stdout.split() == [str(i) for i in range(30)]


@each_kind
def test_a_loop_of_ones_own_does_not_change_that(script: Script, kind: str) -> None:
    body = """
    executor = AsyncPoolExecutor(3, loop=new_loop())
    for i in range(12):
        executor.submit(write, i)
    print("end of the script")
    """
    lines = script(program(body), kind).stdout.splitlines()
    assert [line for line in lines if line.isdigit()] == [str(i) for i in range(12)]
    assert (
        len(lines) - lines.index("end of the script") <= 1 + 6
    )  # what three slots and a queue of three hold


# -- what is left at the end ------------------------------------------------------------------------------------------

LEFT: Dict[str, str] = {
    "a shutdown that did not wait": "executor.shutdown(wait=False)",
    "a dropped executor": "del executor",
    "a cycle": "executor.itself = executor; del executor",
    "an iterator of map": "results = executor.map(write, [])",
    "a daemon thread that waits for results": """
        threading.Thread(target=lambda: [f.result() for f in futures], daemon=True).start()
    """,
    "a thread that waits for results": """
        threading.Thread(target=lambda: [f.result() for f in futures]).start()
    """,
    "an idle executor beside it": "another = AsyncPoolExecutor(5); another.submit(write, 'x', 0).result()",
}


@each_kind
@pytest.mark.parametrize("left", LEFT)
def test_everything_ends_whatever_is_left(script: Script, left: str, kind: str) -> None:
    body = "executor = AsyncPoolExecutor(2, loop=new_loop())\n"
    body += "futures = [executor.submit(write, i) for i in range(4)]\n" + textwrap.dedent(LEFT[left])
    lines = script(program(body), kind).stdout.split()
    assert [line for line in lines if line.isdigit()] == ["0", "1", "2", "3"]


def test_the_status_of_the_script_is_kept(script: Script) -> None:
    body = "executor = AsyncPoolExecutor(2)\n[executor.submit(write, i) for i in range(4)]\nsys.exit(3)"
    done = script(program(body), check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (3, ["0", "1", "2", "3"], "")


def test_a_given_loop_in_a_daemon_thread_is_waited_for(script: Script) -> None:
    body = """
    loop = new_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    executor = AsyncPoolExecutor(2, loop)
    [executor.submit(write, i) for i in range(4)]
    """
    assert script(program(body)).stdout.split() == ["0", "1", "2", "3"]


@since_39
def test_a_given_loop_that_has_stopped_is_not_waited_for(script: Script) -> None:
    body = """
    loop = new_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    executor = AsyncPoolExecutor(2, loop)
    futures = [executor.submit(write, i, 3600) for i in range(4)]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    atexit.register(lambda: print([type(future.exception(0)).__name__ for future in futures]))
    """
    done = script(program(body))
    assert done.stdout.strip() == str(["PoolError"] * 4)


def test_jobs_may_use_threads_while_the_interpreter_ends(script: Script) -> None:
    body = """
    async def job():
        await asyncio.sleep(0.05)
        print(await asyncio.get_running_loop().run_in_executor(threads, lambda: "from a thread"))
    threads = concurrent.futures.ThreadPoolExecutor(1)
    threads.submit(int).result()
    executor = AsyncPoolExecutor(2)
    executor.submit(job)
    """
    assert script(program(body)).stdout.strip() == "from a thread"


def test_exceptions_that_nobody_asks_for_are_reported(script: Script) -> None:
    done = script(program("executor = AsyncPoolExecutor(2)\nexecutor.submit(fail)\n"), check=False)
    assert done.returncode == 0
    assert done.stderr.count("LookupError: nobody asks") == 1 and "fail()" in done.stderr


# -- submits when the end has begun -----------------------------------------------------------------------------------


@since_39
def test_submit_after_the_end_has_begun_is_refused(script: Script) -> None:
    body = """
    @atexit.register
    def last():
        for call in (lambda: executor.submit(write, 1), lambda: AsyncPoolExecutor(1)):
            try:
                call()
            except PoolStopped as error:
                print(error)
    executor = AsyncPoolExecutor(1)
    executor.submit(write, 0)
    """
    assert script(program(body)).stdout.splitlines() == [
        "0",
        "cannot schedule new futures after interpreter shutdown",
        "cannot make a new executor after interpreter shutdown",
    ]


@since_39
def test_a_thread_that_goes_on_submitting_is_refused_in_the_end(script: Script) -> None:
    body = """
    def produce():
        try:
            while True:
                futures.append(executor.submit(write, 1, 0))
        except PoolStopped as error:
            for future in futures:
                future.result()
            print(error)
    futures = []
    executor = AsyncPoolExecutor(3)
    threading.Thread(target=produce).start()
    time.sleep(0.05)
    """
    *lines, last = script(program(body)).stdout.splitlines()
    assert last == "cannot schedule new futures after interpreter shutdown" and set(lines) <= {"1"}


@each_kind
@pytest.mark.parametrize("attempt", range(2))
def test_daemon_threads_that_submit_without_end_do_not_hinder_it(
    script: Script, kind: str, attempt: int
) -> None:
    body = """
    def produce():
        while True:
            executor.submit(write, "", 0)
    executor = AsyncPoolExecutor(3, loop=new_loop())
    for _ in range(6):
        threading.Thread(target=produce, daemon=True).start()
    time.sleep(0.05)
    """
    # Those that are refused write a traceback while there is somebody to write it.
    assert script(program(body), kind, check=False).returncode == 0


# -- interrupts ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize("waits", ["submit", "result", "shutdown"])
def test_an_interrupt_from_the_keyboard_ends_the_wait_and_not_the_executor(
    script: Script, waits: str
) -> None:
    body = """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    release = threading.Event()
    async def hold():
        while not release.is_set():
            await asyncio.sleep(0.001)
    executor = AsyncPoolExecutor(1, max_queue_size=1)
    futures = [executor.submit(hold) for _ in range(2)]
    try:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        calls = {"submit": lambda: executor.submit(hold), "result": futures[0].result, "shutdown": executor.shutdown}
        calls[sys.argv[2]]()
    except KeyboardInterrupt:
        print("interrupted")
    release.set()
    print([future.result(20) for future in futures])
    """
    assert script(program(body), "asyncio", waits).stdout.splitlines() == ["interrupted", "[None, None]"]
