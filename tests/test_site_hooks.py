"""What the site makes of the lines of a Chinese page."""

from __future__ import annotations

import importlib.util

import pytest

from pages import ROOT

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
