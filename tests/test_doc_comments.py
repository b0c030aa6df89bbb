"""Every public name has a doc comment with an example, and each example does what it shows."""

from __future__ import annotations

import ast
import asyncio
import doctest
import inspect
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

import nb_aiopool

STUB = Path(__file__).resolve().parent.parent / "python" / "nb_aiopool" / "_core.pyi"


def members(owner: type) -> Iterator[Tuple[str, Any]]:
    """What a class of this package adds to its bases from elsewhere: those have their own documentation."""
    for base in owner.__mro__:
        if base.__module__.startswith("nb_aiopool"):
            for name, value in vars(base).items():
                if not name.startswith("_") and not (issubclass(owner, tuple) and name in owner._fields):
                    yield "%s.%s" % (owner.__name__, name), value


def documented() -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for name in [*nb_aiopool.__all__, "MapIterator"]:
        found[name] = getattr(nb_aiopool, name)
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


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_example_of_a_name_works(name: str) -> None:
    text = inspect.getdoc(DOCUMENTED[name]) or ""
    assert "Examples:\n    >>> " in text
    names = {public: getattr(nb_aiopool, public) for public in nb_aiopool.__all__}
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
