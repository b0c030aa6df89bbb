"""The ways in which a process with busy pools may end, fork, or load the package again."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Callable

import pytest

from leftovers import program
from loops import KINDS

if TYPE_CHECKING:
    import subprocess

Script = Callable[..., "subprocess.CompletedProcess[str]"]
each_kind = pytest.mark.parametrize("kind", list(KINDS))


def test_asyncio_run_that_ends_early_cancels_and_closes_in_silence(script: Script) -> None:
    done = script(
        program(
            """
            pool = NbAioPool(2, 5)
            async def main():
                for i in range(6):
                    await pool.submit(sleeper(str(i)))
                producer = asyncio.ensure_future(pool.submit(sleeper("late")))
                caller = asyncio.ensure_future(pool.run(sleeper("late")))
                await asyncio.sleep(0.01)
            asyncio.run(main(), debug=len(sys.argv) > 1)
            print(pool)
            """
        )
    )
    *lines, last = done.stdout.splitlines()
    assert sorted(lines) == ["0 cancelled", "0 cleaned up", "1 cancelled", "1 cleaned up"]
    assert last == "<NbAioPool open running=0/2 queued=0/5 waiting=0>"


@pytest.mark.parametrize("flags", [[], ["-X", "dev", "-W", "error"]], ids=["plain", "dev mode"])
def test_several_runs_that_end_early_are_silent(flags: Any, script: Script) -> None:
    done = script(
        program(
            """
            pool = NbAioPool(2, 5)
            async def main():
                for i in range(6):
                    await pool.submit(sleeper(str(i)))
                await asyncio.sleep(0.01)
            for _ in range(3):
                asyncio.run(main())
            """
        ),
        flags=flags,
    )
    assert sorted(done.stdout.splitlines()) == sorted(
        ["0 cancelled", "0 cleaned up", "1 cancelled", "1 cleaned up"] * 3
    )


def test_sys_exit_inside_a_job_ends_the_process_with_its_status(script: Script) -> None:
    done = script(
        program(
            """
            async def leave():
                await asyncio.sleep(0)
                sys.exit(7)
            async def main():
                async with NbAioPool(2, 5) as pool:
                    await pool.submit(sleeper())
                    await pool.submit(leave())
                    await asyncio.sleep(3600)
            asyncio.run(main())
            """
        ),
        check=False,
    )
    # Nobody has retrieved the job's exception, which is worth a report as it is with a task.
    assert done.returncode == 7 and "destroyed" not in done.stderr and "never awaited" not in done.stderr
    assert done.stdout.splitlines() == ["job cancelled", "job cleaned up"]


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_an_interrupt_from_the_keyboard_cancels_the_jobs(script: Script) -> None:
    done = script(
        program(
            """
            import os, signal, threading
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
            async def main():
                async with NbAioPool(2, 5) as pool:
                    for i in range(5):
                        await pool.submit(sleeper(str(i)))
                    await asyncio.sleep(0.01)
                    os.kill(os.getpid(), signal.SIGINT)
                    await asyncio.sleep(3600)
            try:
                asyncio.run(main())
            except KeyboardInterrupt:
                print("interrupted")
            """
        )
    )
    *lines, last = done.stdout.splitlines()
    assert (
        sorted(lines) == ["0 cancelled", "0 cleaned up", "1 cancelled", "1 cleaned up"]
        and last == "interrupted"
    )


# uvloop's own callback may ask for the interpreter when that is gone already, and crash, with or without a pool.
@pytest.mark.parametrize("attempt", range(3))
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "uvloop"])
def test_a_process_may_end_while_a_daemon_thread_runs_the_loop(
    script: Script, kind: str, attempt: int
) -> None:
    done = script(
        program(
            """
            import threading
            busy = threading.Event()
            pool = NbAioPool(2, 5)
            async def main():
                for _ in range(6):
                    await pool.submit(spin())
                busy.set()
                await asyncio.sleep(3600)
            threading.Thread(target=run, args=(main(),), daemon=True).start()
            busy.wait()
            print("end")
            """
        ),
        kind,
    )
    assert done.stdout == "end\n"


@each_kind
def test_a_pool_may_be_used_by_functions_that_run_at_the_exit(script: Script, kind: str) -> None:
    done = script(
        program(
            """
            pool = NbAioPool(1, 1)
            @atexit.register
            def late():
                loop = new_loop()
                print(loop.run_until_complete(pool.batch_run([value(1), value(2), value(3)])))
                loop.close()
            async def main():
                await pool.run(value())
            run(main())
            """
        ),
        kind,
    )
    assert done.stdout == "[1, 2, 3]\n"


def test_a_pool_may_be_used_while_modules_are_torn_down(script: Script) -> None:
    done = script(
        program(
            """
            class Late:
                def __init__(self):
                    self.pool, self.job = NbAioPool(1, 1), None
                def __del__(self, error=PoolError):
                    self.pool.stats(), repr(self.pool), repr(self.job), self.job.cancel()
                    coro = self.make()
                    try:
                        self.pool.submit_nowait(coro)
                    except RuntimeError:
                        pass
                make = staticmethod(sleeper)
            async def main():
                late.job = await late.pool.submit(sleeper())
                await asyncio.sleep(0)
            late = Late()
            run(main())
            sys.late = late
            """
        ),
        "asyncio",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (
        "Fatal" not in done.stderr and "destroyed" not in done.stderr and "never awaited" not in done.stderr
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_may_use_the_pool_in_a_loop_of_its_own(script: Script) -> None:
    done = script(
        program(
            """
            import os
            pool = NbAioPool(2, 2)
            print(asyncio.run(pool.run(value("parent"))), flush=True)
            child = os.fork()
            if child == 0:
                print(asyncio.run(pool.run(value("child"))))
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
            print(asyncio.run(pool.run(value("parent again"))))
            """
        )
    )
    assert done.stdout.splitlines() == ["parent", "child", "parent again"]


def test_importing_again_after_a_purge_works_or_is_refused(script: Script) -> None:
    done = script(
        program(
            """
            old = NbAioPool(1, 1)
            for name in [name for name in sys.modules if name.split(".")[0] == "nb_aiopool"]:
                del sys.modules[name]
            try:
                from nb_aiopool import NbAioPool as Again
            except ImportError:
                Again = NbAioPool
            for pool in (old, Again(1, 1)):
                print(asyncio.run(pool.batch_run([value(1), value(2), value(3)])))
            """
        )
    )
    assert done.stdout == "[1, 2, 3]\n" * 2


SUBINTERPRETER = """
import asyncio, sys
from nb_aiopool import NbAioPool

if sys.version_info >= (3, 14):
    from concurrent.interpreters import create
    def run(code):
        interpreter = create()
        interpreter.exec(code)
        interpreter.close()
else:
    if sys.version_info >= (3, 13):
        import _interpreters as interpreters
    else:
        import _xxsubinterpreters as interpreters
    def run(code):
        interpreter = interpreters.create()
        failure = interpreters.run_string(interpreter, code)
        assert failure is None, failure
        interpreters.destroy(interpreter)

CODE = '''
import sys
sys.path[:] = %r
try:
    from nb_aiopool import NbAioPool
except ImportError as error:
    assert str(error)
    print("refused")
else:
    import asyncio
    async def value(i):
        await asyncio.sleep(0)
    loop = asyncio.new_event_loop()
    pool = NbAioPool(2, 2)
    loop.run_until_complete(pool.batch_run(value(i) for i in range(10)))
    assert pool.stats().succeeded == 10
    loop.run_until_complete(pool.shutdown())
    loop.close()
    print("works")
sys.stdout.flush()
''' % (sys.path,)

async def value(result):
    return result

for _ in range(3):
    run(CODE)
    assert asyncio.run(NbAioPool(1, 1).run(value("main"))) == "main"
print("end")
"""


def test_a_sub_interpreter_can_import_the_package_or_is_told_that_it_cannot(script: Script) -> None:
    if sys.version_info < (3, 13):
        pytest.importorskip("_xxsubinterpreters")
    done = script(SUBINTERPRETER)
    lines = done.stdout.splitlines()
    assert lines in (["refused"] * 3 + ["end"], ["works"] * 3 + ["end"])
