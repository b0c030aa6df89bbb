"""
What the site does beyond its plug-ins: lines of Chinese are joined without a space, and each language is searched by
itself.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, List

WIDE = r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef“”…]"
TYPED = re.compile(r"^```text\n(?=\$ )", re.MULTILINE)
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
BASE = re.compile(r'(<script id="__config"[^>]*>\{.*?"base": ")([^"]*)(")')
CHINESE = "zh/"
BREAK = re.compile(rf"(?<={WIDE})\n *(?={WIDE})")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Join a line that ends in a wide character and one that begins with one; a browser would put a space between.

    Code blocks stay as they are, and so do lists and headings, which begin with a narrow character. What is typed in a
    terminal, with its output, is shown and copied as such.
    """
    parts = FENCE.split(TYPED.sub("```console\n", markdown))
    parts[::2] = [BREAK.sub("", prose) for prose in parts[::2]]
    return "".join(parts)


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Let a Chinese page look for the search index, and for what that names, in the folder of the Chinese pages."""
    if not page.url.startswith(CHINESE):
        return output
    return BASE.sub(
        lambda match: match[1] + (match[2][: -len("../")] if "/" in match[2] else ".") + match[3], output
    )


def on_post_build(*, config: Any, **_: Any) -> None:
    """Divide the search index: who reads English is not shown Chinese, and the other way round."""
    site = Path(config["site_dir"])
    path = site / "search" / "search_index.json"
    index: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    english: List[Any] = []
    chinese: List[Any] = []
    for entry in index["docs"]:
        if entry["location"].startswith(CHINESE):
            chinese.append({**entry, "location": entry["location"][len(CHINESE) :]})
        else:
            english.append(entry)
    for folder, entries in ((site, english), (site / CHINESE, chinese)):
        target = folder / "search" / "search_index.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps({**index, "docs": entries}, ensure_ascii=False), encoding="utf-8")


# After the plug-in that builds the languages, which puts their indexes together.
on_post_build.mkdocs_priority = -200  # type: ignore[attr-defined]
