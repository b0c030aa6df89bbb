"""What the site does beyond its plug-ins: lines of Chinese are joined without a space."""

from __future__ import annotations

import re
from typing import Any

WIDE = r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef“”…]"
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
BREAK = re.compile(rf"(?<={WIDE})\n *(?={WIDE})")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Join a line that ends in a wide character and one that begins with one; a browser would put a space between.

    Code blocks stay as they are, and so do lists and headings, which begin with a narrow character.
    """
    parts = FENCE.split(markdown)
    parts[::2] = [BREAK.sub("", prose) for prose in parts[::2]]
    return "".join(parts)
