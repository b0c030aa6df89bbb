"""The end of the interpreter: whatever state a pool is left in, the process ends by itself, cleanly and silently."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Callable

import pytest

from leftovers import STATES, program
from loops import KINDS

if TYPE_CHECKING:
    import subprocess

Script = Callable[..., "subprocess.CompletedProcess[str]"]
each_kind = pytest.mark.parametrize("kind", list(KINDS))


@each_kind
@pytest.mark.parametrize("state", STATES)
def test_a_pool_may_be_left_in_any_state(state: str, script: Script, kind: str) -> None:
    done = script(program(STATES[state]) + '\nprint("end")\n', kind)
    assert done.stdout.splitlines()[-1] == "end"


@each_kind
@pytest.mark.parametrize("state", ["running and queued", "closed loop", "in a cycle", "only jobs are left"])
def test_what_is_left_may_be_collected_before_the_end(state: str, script: Script, kind: str) -> None:
    body = "def scope():\n" + textwrap.indent(textwrap.dedent(STATES[state]), "    ")
    done = script(program(body + "\nscope()\nfor _ in range(3): gc.collect()\nprint('end')\n"), kind)
    assert done.stdout.splitlines()[-1] == "end"


@pytest.mark.parametrize(
    "hook",
    ["sys.unraisablehook", "sys.excepthook", "sys.displayhook", "threading.excepthook", "sys.breakpointhook"],
)
def test_jobs_may_go_after_their_type(hook: str, script: Script) -> None:
    # A hook of the program keeps its names until the very last collection, in which types and jobs are garbage alike.
    script(
        f"""
        import asyncio, sys, threading
        from nb_aiopool import NbAioPool

        {hook} = lambda *args: None

        async def fails():
            raise NameError

        async def main():
            pool.submit_nowait(fails())
            results = pool.map(lambda x: fails(), range(10))
            asyncio.ensure_future(results.__anext__())
            await asyncio.sleep(0)

        pool = NbAioPool(3, 0)
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda loop, context: None)
        loop.run_until_complete(main())
        """
    )
