"""docs/errors.md says what each message means: none that users can meet is missing there."""

from __future__ import annotations

import ast
import re
from typing import Dict, Iterator, List, Set

import pytest

from pages import ROOT, text_of

# What only somebody sees who drives coroutines and native objects by hand, or breaks Python's own rules for calls.
BY_HAND = {
    "a Job cannot be initialised again",
    "a Pool is required",
    "a Turn is made by pool.run()",
    "a producer came back before it was admitted",
    "an Arrival is made by pool.submit()",
    "an iterator is required",
    "add_done_callback() takes one argument and context=",
    "cannot be deleted",
    "no thread waits here",
    "object has no attribute",
    "submit_nowait() missing 1 required argument",
    "take() takes a queue and what to return if there is nothing",
    "the coroutine of this run() is executing already",
    "this batch has handed its jobs out one by one",
    "this run() has ended",
    "this submit() has ended",
}
NATIVE = re.compile(r'PyErr_(?:SetString|Format)\([^;"]*?((?:"(?:[^"\\]|\\.)*"\s*)+)')
PLACE = "\0"  # where a value is put in


def native_messages() -> Iterator[str]:
    for path in sorted((ROOT / "cpp" / "binding").glob("*.cpp")):
        for found in NATIVE.findall(path.read_text(encoding="utf-8")):
            text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', found))
            if not re.search(r"^_|^%s\(\)|\(\) takes (no|\d)", text):
                yield re.sub(r"%[.\d]*[a-zA-Z]+", PLACE, text)


def text_in(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_in, node.values))
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return PLACE


def python_messages() -> Iterator[str]:
    for path in sorted((ROOT / "python" / "nb_aiopool").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assigned: Dict[str, List[str]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                assigned.setdefault(name_of(node.targets[0]), []).append(text_in(node.value))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and is_exception(node.func):
                if isinstance(node.args[0], ast.Name):
                    yield from assigned.get(node.args[0].id, [])
                else:
                    yield text_in(node.args[0])
        yield from assigned.get("message", [])
        yield from assigned.get("closed_because", [])


def name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def is_exception(func: ast.expr) -> bool:
    return name_of(func).endswith("Error") or name_of(func).startswith("Pool")


def beginning(message: str) -> str:
    """What a message always begins with, up to the first value or stop in it; or what comes behind that value."""
    parts = [re.split(r"[:;,] |, got ", part + " ")[0].strip(" (") for part in message.split(PLACE)]
    return next((part for part in parts if part.count(" ") >= 2), "")


def beginnings() -> Set[str]:
    found = {beginning(message) for message in (*native_messages(), *python_messages())}
    return found - {""}


@pytest.mark.parametrize("page", ["docs/errors.md", "docs/errors.zh.md"])
def test_each_message_is_on_the_page(page: str) -> None:
    text = " ".join(text_of(page).split())
    assert [start for start in sorted(beginnings() - BY_HAND) if start not in text] == []


def test_those_who_look_for_messages_find_them() -> None:
    found = beginnings()
    assert found >= BY_HAND
    assert len(found) > 55
    for start in ("the pool is full", "an async function is required", "the event loop is closed"):
        assert start in found
