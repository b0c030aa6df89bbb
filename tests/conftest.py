"""Runs every ``async def test_*`` once per kind of event loop, and guards every test.

Marks:    ``loop("asyncio", ...)`` restricts a test to these kinds; ``limit(seconds)`` changes the 30 s limit;
          a test fails when it has taken three times as long, for it may run beside others on a slow machine.
Fixtures: ``reports``, ``unraisables``  what the test claims: whoever takes them checks them himself;
          ``script``        runs a Python program in a process of its own;
          ``loop_factory``  for ordinary functions: makes loops of one kind (the test closes them);
          ``run_loop``      for ordinary functions: ``asyncio.run`` for one kind of loop;
          ``new``           for ordinary functions: makes executors on one kind of loop, and shuts them down.
A function that takes one of the last three is run once per kind as well.
"""

from __future__ import annotations

import gc
import inspect
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Callable, Coroutine, Dict, Iterator, List, Optional, Sequence

import pytest

pytest.register_assert_rewrite("support")

from guard import Guard, OverTime, TimeLimit  # noqa: E402
from loops import KINDS, new_loop, run_and_close  # noqa: E402
from nb_aiopool import AsyncPoolExecutor  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

GUARD: pytest.StashKey[Guard] = pytest.StashKey()
SLOWNESS = 3
FOREIGN_MARKS = ("asyncio", "anyio")
time_limit: Optional[TimeLimit] = None


def pytest_configure(config: pytest.Config) -> None:
    global time_limit
    # Capturing is suspended while pytest configures itself, so this is the terminal and not a capture file.
    time_limit = TimeLimit(os.dup(2))


def pytest_collection_finish() -> None:
    # What exists by now is never garbage of a test; leaving it out makes the collection after each test fast.
    gc.collect()
    gc.freeze()


def runs_here(function: object, definition: pytest.Item) -> bool:
    """Whether this is an async test that no other plug-in is asked to run."""
    foreign = any(definition.get_closest_marker(mark) for mark in FOREIGN_MARKS)
    return inspect.iscoroutinefunction(function) and not foreign


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    takes_loops = not {"loop_factory", "run_loop", "new"}.isdisjoint(metafunc.fixturenames)
    if takes_loops or runs_here(metafunc.function, metafunc.definition):
        mark = metafunc.definition.get_closest_marker("loop")
        kinds = [kind for kind in KINDS if mark is None or kind in mark.args]
        if "queue" in metafunc.definition.path.parts:
            # It has no native code of its own, and what debug mode looks for is found in the pool's tests.
            kinds = [kind for kind in kinds if kind != "debug"] or kinds
        metafunc.parametrize("loop_kind", kinds, indirect=True, ids=kinds)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[GUARD] = Guard()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[Any]:
    assert time_limit is not None
    mark = pyfuncitem.get_closest_marker("limit")
    with time_limit(SLOWNESS * (mark.args[0] if mark else 30.0)):
        guard = pyfuncitem.stash[GUARD]
        with guard.watching():
            outcome: Any = yield
            # A failed test's traceback keeps everything alive: there is nothing to learn from it.
            complaint = guard.complaint() if outcome.excinfo is None else None
    if outcome.excinfo is not None and isinstance(outcome.excinfo[1], OverTime):
        failure = pytest.fail.Exception(str(outcome.excinfo[1]))
        outcome.force_exception(failure.with_traceback(outcome.excinfo[2]))
    elif complaint:
        outcome.force_exception(pytest.fail.Exception(complaint, pytrace=False))
    elif outcome.excinfo is None:
        try:
            guard.pass_on_warnings()
        except Warning as warning:
            outcome.force_exception(warning)


class AsyncTests:
    """The plug-in that calls async tests (apart from the wrapper above: one module, one hook of a name)."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Optional[bool]:
        if not runs_here(pyfuncitem.obj, pyfuncitem):
            return None
        arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
        handler = pyfuncitem.stash[GUARD].on_loop_exception
        run_and_close(new_loop(pyfuncitem.funcargs["loop_kind"], handler), pyfuncitem.obj(**arguments))
        return True


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.pluginmanager.register(AsyncTests(), "nb-aiopool-async-tests")


@pytest.fixture(autouse=True)
def loop_kind(request: pytest.FixtureRequest) -> Optional[str]:
    """The kind of loop this run of the test is about; None for a test that is not about loops."""
    return getattr(request, "param", None)


@pytest.fixture
def reports(request: pytest.FixtureRequest) -> List[Dict[str, Any]]:
    """The contexts that loops handed to their exception handler; the test that takes it checks them."""
    return request.node.stash[GUARD].claim_reports()


@pytest.fixture
def unraisables(request: pytest.FixtureRequest) -> List[str]:
    """``"ValueError: text"`` of each exception that could not be raised; the taker checks them."""
    return request.node.stash[GUARD].claim_unraisables()


@pytest.fixture
def loop_factory(request: pytest.FixtureRequest, loop_kind: str) -> Callable[[], Any]:
    """Makes event loops of one kind; the test closes them."""
    handler = request.node.stash[GUARD].on_loop_exception
    return lambda: new_loop(loop_kind, handler)


@pytest.fixture
def run_loop(loop_factory: Callable[[], Any]) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """``run_loop(main())``: asyncio.run, with a loop of one kind."""
    return lambda main: run_and_close(loop_factory(), main)


@pytest.fixture
def new(loop_factory: Callable[[], Any]) -> Iterator[Callable[..., AsyncPoolExecutor]]:
    """``new(size)``: an executor on a loop of one kind; it is shut down when the test is over."""
    made: List[AsyncPoolExecutor] = []

    def new(size: int = 3, **options: Any) -> AsyncPoolExecutor:
        made.append(AsyncPoolExecutor(size, loop=loop_factory(), **options))
        return made[-1]

    yield new
    while made:
        made.pop().shutdown()


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a Python program in a fresh interpreter; with ``check`` it must exit with 0 and a silent stderr.

    ``args`` are the program's arguments, ``flags`` the interpreter's, ``env`` is added to the environment.
    """
    count = 0

    def run(
        source: str,
        *args: str,
        timeout: float = 30,
        check: bool = True,
        flags: Sequence[str] = (),
        env: Optional[Dict[str, str]] = None,
    ) -> subprocess.CompletedProcess[str]:
        nonlocal count
        count += 1
        path = tmp_path / ("script_%d.py" % count)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, *flags, str(path), *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=SLOWNESS * timeout,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONFAULTHANDLER": "1", **(env or {})},
        )
        if check:
            assert (done.returncode, done.stderr) == (0, ""), "exit %d\nstdout: %s\nstderr: %s" % (
                done.returncode,
                done.stdout,
                done.stderr,
            )
        return done

    return run
