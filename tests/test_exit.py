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
