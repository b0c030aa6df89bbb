"""The Lua scripts: read once from `lua/`, called by their digests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Dict

_DIRECTORY = Path(__file__).parent / "lua"


class Script:
    """A script's text, and the digest by which Redis knows it once it has seen it."""

    __slots__ = ("digest", "text")

    def __init__(self, *parts: str) -> None:
        self.text = "\n".join(
            (_DIRECTORY / f"{part}.lua").read_text(encoding="utf-8") for part in parts
        ).encode()
        self.digest = hashlib.sha1(self.text).hexdigest().encode()


def _all() -> Dict[str, Script]:
    scripts = {name: Script(name) for name in ("counts", "exchange", "push", "renew", "revive", "seen")}
    for name in ("clear", "listed", "running"):
        scripts[name] = Script("tokens", name)
    for name in ("leave", "reconcile"):
        scripts[name] = Script("held", name)
    scripts["recover"] = Script("trailer", "held", "recover")
    return scripts


SCRIPTS = _all()
