"""What the site makes of the lines of a Chinese page, and of the search."""

from __future__ import annotations

import importlib.util
import json
import types
from typing import TYPE_CHECKING

import pytest

from pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

spec = importlib.util.spec_from_file_location("site_hooks", str(ROOT / "scripts" / "site_hooks.py"))
assert spec and spec.loader
site_hooks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site_hooks)


@pytest.mark.parametrize(
    ("markdown", "joined"),
    [
        ("一行。\n两行", "一行。两行"),
        ("- 一项\n  两行", "- 一项两行"),
        ("一行\ntask", "一行\ntask"),
        ("task\n一行", "task\n一行"),
        ("一段\n\n两段", "一段\n\n两段"),
        ("一行\n- 一项", "一行\n- 一项"),
        ("一行\n| 一格 |", "一行\n| 一格 |"),
        ("```python\n# 一行\n一行\n两行\n```\n一行\n两行", "```python\n# 一行\n一行\n两行\n```\n一行两行"),
    ],
)
def test_only_lines_of_wide_characters_are_joined(markdown: str, joined: str) -> None:
    assert site_hooks.on_page_markdown(markdown, page=None) == joined


def test_what_is_typed_is_shown_as_such() -> None:
    typed = "```text\n$ ls\na\n```\n\n```text\ncost: $ 5\n```\n"
    shown = site_hooks.on_page_markdown(typed, page=None)
    assert shown == typed.replace("```text\n$", "```console\n$")


CONFIG = (
    '<script id="__config" type="application/json">{"annotate": null, "base": "%s", "tags": "base"}</script>'
)


@pytest.mark.parametrize(
    ("url", "base", "expected"),
    [
        ("index.html", ".", "."),
        ("queue/start.html", "..", ".."),
        ("zh/index.html", "..", "."),
        ("zh/queue/start.html", "../..", ".."),
    ],
)
def test_a_chinese_page_searches_its_own_folder(url: str, base: str, expected: str) -> None:
    page = types.SimpleNamespace(url=url)
    assert site_hooks.on_post_page(CONFIG % base, page=page) == CONFIG % expected


def test_each_language_has_an_index_of_its_own(tmp_path: Path) -> None:
    index = tmp_path / "search" / "search_index.json"
    index.parent.mkdir()
    docs = [
        {"location": place, "title": place} for place in ("errors.html", "zh/errors.html#a", "zhong.html")
    ]
    index.write_text(json.dumps({"config": {"lang": ["en"]}, "docs": docs}), encoding="utf-8")
    for _ in range(2):  # it may be called for each language
        site_hooks.on_post_build(config={"site_dir": str(tmp_path)})
        index_of_both = {**json.loads(index.read_text(encoding="utf-8")), "docs": docs}
        chinese = json.loads((tmp_path / "zh" / "search" / "search_index.json").read_text(encoding="utf-8"))
        english = json.loads(index.read_text(encoding="utf-8"))
        assert [entry["location"] for entry in english["docs"]] == ["errors.html", "zhong.html"]
        found = {"location": "errors.html#a", "title": "zh/errors.html#a"}
        assert chinese == {"config": {"lang": ["en"]}, "docs": [found]}
        index.write_text(json.dumps(index_of_both), encoding="utf-8")
