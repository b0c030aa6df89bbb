"""Whether this tree may be released under a tag: ``python scripts/check_release.py v2.1.0``.

The tag has to be the version with a v before it, and the newest entry of the changelog has to be that version's, with
the day of the release. Says what is wrong and exits with 1, or exits with 0.
"""

from __future__ import annotations

import re
import sys
from datetime import date
from pathlib import Path
from typing import List, Optional

VERSION = re.compile(r'^__version__ = "(\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)"$', re.MULTILINE)
ENTRY = re.compile(r"^## (\S+)(?: - (\S+))?$", re.MULTILINE)


def is_day(text: Optional[str]) -> bool:
    """Whether the text is a day of the calendar, as in 2026-01-31."""
    if text is None or not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def complaints(root: Path, tag: str) -> List[str]:
    """What keeps the tree in `root` from being released as `tag`; an empty list if nothing does."""
    version = VERSION.search((root / "python/nb_aiopool/_version.py").read_text(encoding="utf-8"))
    if version is None:
        return ["_version.py has no version of the form 1.2.3 or 1.2.3rc1"]
    found = []
    if tag != f"v{version[1]}":
        found.append(f"the tag is {tag!r}, but the version is {version[1]!r}: it needs the tag v{version[1]}")
    entry = ENTRY.search((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if entry is None or entry[1] != version[1] or not is_day(entry[2]):
        newest = entry[0] if entry else "nothing"
        wanted = f"## {version[1]} - <year>-<month>-<day>"
        found.append(f"CHANGELOG.md begins with {newest!r}, where {wanted!r} has to be")
    return found


def main() -> int:
    """Check the tree that this file is in against the tag on the command line."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python scripts/check_release.py TAG\n")
        return 2
    found = complaints(Path(__file__).resolve().parent.parent, sys.argv[1])
    for complaint in found:
        sys.stderr.write(f"error: {complaint}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
