"""Every public name has a doc comment with an example, and each example does what it shows."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import doctest
import inspect
import logging
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set, Tuple

import pytest

import nb_aiopool
from nb_aiopool.contrib import nb_aio_task

STUB = Path(__file__).resolve().parent.parent / "python" / "nb_aiopool" / "_core.pyi"


def members(owner: type) -> Iterator[Tuple[str, Any]]:
    """What a class of this package adds to its bases from elsewhere: those have their own documentation."""
    for base in owner.__mro__:
        if base.__module__.startswith("nb_aiopool"):
            for name, value in vars(base).items():
                if not name.startswith("_") and name not in fields_of(owner):
                    yield "%s.%s" % (owner.__name__, name), value


def fields_of(owner: type) -> Set[str]:
    """What only holds a value, and is described by the comment of its class."""
    if dataclasses.is_dataclass(owner):
        return {field.name for field in dataclasses.fields(owner)}
    slots = {name for base in owner.__mro__ for name, value in vars(base).items() if is_slot(value)}
    return {*slots, *getattr(owner, "_fields", ())}


def is_slot(value: object) -> bool:
    return inspect.ismemberdescriptor(value)


def documented() -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for name in [*nb_aiopool.__all__, "MapIterator"]:
        found[name] = getattr(nb_aiopool, name)
        found.update(members(found[name]))
    for name in nb_aio_task.__all__:
        found[name] = getattr(nb_aio_task, name)
        if isinstance(found[name], type):
            found.update(members(found[name]))
    return found


DOCUMENTED = documented()


def test_the_public_names_are_found() -> None:
    assert {
        "NbAioPool",
        "NbAioPool.submit",
        "NbAioPool.submit_nowait",
        "NbAioPool.running",
        "PoolFull",
    } <= set(DOCUMENTED)
    assert {"AsyncPoolExecutor.shutdown", "MapIterator.aclose", "PoolStats"} <= set(DOCUMENTED)
    assert {"aio_task", "AioTask.submit_many", "BoundTask.submit", "TaskHandle.result", "DeadLetter"} <= set(
        DOCUMENTED
    )


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_example_of_a_name_works(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "nb_aiopool.contrib.nb_aio_task")  # of tasks that are to fail
    text = inspect.getdoc(DOCUMENTED[name]) or ""
    assert "Examples:\n    >>> " in text
    names = {public: getattr(nb_aiopool, public) for public in nb_aiopool.__all__}
    names.update({public: getattr(nb_aio_task, public) for public in nb_aio_task.__all__})
    example = doctest.DocTestParser().get_doctest(text, {"asyncio": asyncio, **names}, name, name, 0)
    assert any(line.want for line in example.examples), "an example shows what comes out"
    complaints: List[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    runner.run(example, out=complaints.append)
    assert not complaints, "".join(complaints)


def test_the_stub_says_what_the_native_part_says() -> None:
    from nb_aiopool import _core

    [pool] = [
        node
        for node in ast.parse(STUB.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == "Pool"
    ]
    in_stub = {
        node.name: ast.get_docstring(node)
        for node in pool.body
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node)
    }
    public = {name for name in vars(_core.Pool) if not name.startswith("_")}
    assert in_stub == {name: inspect.getdoc(getattr(_core.Pool, name)) for name in public}
