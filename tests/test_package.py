"""The installed package: its metadata, its names, its typing files, and what importing it drags in."""

from __future__ import annotations

import asyncio
import importlib
import re
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, Set

import pytest

import nb_aiopool

ROOT = Path(__file__).resolve().parent.parent
NAMES = {"NbAioPool", "AsyncPoolExecutor", "PoolStats", "PoolError", "PoolFull", "PoolStopped"}


def test_the_version_is_the_same_everywhere() -> None:
    source = (ROOT / "python" / "nb_aiopool" / "_version.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    assert match is not None
    assert nb_aiopool.__version__ == match.group(1)
    assert metadata.version("nb_aiopool") == match.group(1)
    # Without a day until it is released.
    entry = rf"^## {re.escape(match.group(1))}( - \d{{4}}-\d\d-\d\d)?$"
    assert re.search(entry, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_metadata_says_what_installers_need() -> None:
    fields = metadata.metadata("nb_aiopool")
    assert fields["Name"] == "nb_aiopool"
    assert fields["Requires-Python"] == ">=3.8"
    assert fields["License-Expression"] == "MIT"
    assert {"redis", "test", "uvloop", "bench"} <= set(fields.get_all("Provides-Extra"))
    assert "Typing :: Typed" in fields.get_all("Classifier")
    assert fields.get_all("License-File") == ["LICENSE"]
    links = {link.split(", ")[0] for link in fields.get_all("Project-URL")}
    assert links == {"Homepage", "Documentation", "Changelog", "Issues"}


def test_every_supported_python_is_among_the_classifiers() -> None:
    versions = {f"Programming Language :: Python :: 3.{minor}" for minor in range(8, 15)}
    assert versions <= set(metadata.metadata("nb_aiopool").get_all("Classifier"))


def test_nothing_else_is_installed_unless_an_extra_asks_for_it() -> None:
    requirements = metadata.requires("nb_aiopool") or []
    assert [one for one in requirements if "extra ==" not in one] == []


def test_what_is_installed_is_the_package_its_extension_and_nothing_else() -> None:
    files = {Path(str(file)) for file in metadata.files("nb_aiopool") or []}
    package = {file.as_posix() for file in files if file.parts[0] == "nb_aiopool" and file.suffix != ".pyc"}
    source = ROOT / "python"
    expected = {file.relative_to(source).as_posix() for file in source.rglob("*") if file.is_file()}
    expected = {name for name in expected if not name.endswith((".pyc", ".so", ".pyd"))}
    assert {"nb_aiopool/py.typed", "nb_aiopool/_core.pyi"} <= expected
    assert any(name.endswith(".lua") for name in expected)
    native = {name for name in package - expected if re.fullmatch(r"nb_aiopool/_core\.[^/]*(so|pyd)", name)}
    assert len(native) == 1, package - expected
    assert package - native == expected
    suffixes = {file.suffix for file in files if not file.parts[0].endswith(".dist-info")}
    assert suffixes & {".cpp", ".hpp", ".txt"} == set()
    assert any(file.name == "LICENSE" for file in files)


def test_the_package_exports_exactly_the_documented_names() -> None:
    assert set(nb_aiopool.__all__) == NAMES
    assert all(hasattr(nb_aiopool, name) for name in NAMES)


def test_a_star_import_gives_the_exported_names_and_no_more() -> None:
    namespace: Dict[str, object] = {}
    exec("from nb_aiopool import *", namespace)
    assert set(namespace) - {"__builtins__"} == NAMES


def test_the_inner_module_of_the_first_version_has_the_same_pool() -> None:
    inner = importlib.import_module("nb_aiopool.nb_aiopool")
    assert inner.NbAioPool is nb_aiopool.NbAioPool


def test_the_errors_fit_into_the_standard_ones() -> None:
    assert nb_aiopool.PoolError.__mro__[1] is RuntimeError
    assert issubclass(nb_aiopool.PoolFull, nb_aiopool.PoolError)
    assert issubclass(nb_aiopool.PoolFull, asyncio.QueueFull)
    assert issubclass(nb_aiopool.PoolStopped, nb_aiopool.PoolError)
    assert not issubclass(nb_aiopool.PoolStopped, asyncio.QueueFull)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_exported_name_documents_itself(name: str) -> None:
    exported = getattr(nb_aiopool, name)
    assert (exported.__doc__ or "").strip()
    assert exported.__name__ == name


def test_the_import_brings_in_nothing_but_asyncio_and_the_package(script: Any) -> None:
    program = """
        import __future__, asyncio, sys, typing
        before = set(sys.modules)
        import nb_aiopool
        print(" ".join(sorted(set(sys.modules) - before)))
    """
    brought: Set[str] = set(script(program).stdout.split())
    assert {"nb_aiopool", "nb_aiopool._core"} <= brought
    foreign = {name for name in brought if name.split(".")[0] != "nb_aiopool"}
    # gc is part of the interpreter; the other one is asked before 3.13, to refuse sub-interpreters.
    assert foreign - {"gc", "_xxsubinterpreters"} == set()


def test_the_import_starts_no_thread_and_makes_no_event_loop(script: Any) -> None:
    script("""
        import asyncio, threading
        made = []
        new_event_loop = asyncio.new_event_loop
        asyncio.new_event_loop = lambda: made.append(1) or new_event_loop()
        import nb_aiopool
        assert threading.active_count() == 1, threading.enumerate()
        assert not made
        nb_aiopool.NbAioPool()
        assert threading.active_count() == 1 and not made
    """)
