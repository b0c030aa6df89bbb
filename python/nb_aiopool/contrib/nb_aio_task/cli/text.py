"""Text for a terminal."""

from __future__ import annotations

from typing import Sequence


def printable(text: str) -> str:
    r"""
    The text without anything that a terminal would obey: who can submit a task must not be able to write on the
    screen of whoever looks at it.

    >>> printable("a\x1b[2Jb\n")
    'a\\x1b[2Jb\\n'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[str] = ()) -> str:
    """
    Rows under the names of their columns: the first and those in `left` begin at the left, the others end at the right.

    >>> print(table(("queue", "dead"), [("mails", "1,024"), ("a", "0")]))
    queue   dead
    mails  1,024
    a          0
    """
    lines = [columns, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    first = columns[0]

    def cell(name: str, text: str, width: int) -> str:
        return text.ljust(width) if name == first or name in left else text.rjust(width)

    return "\n".join("  ".join(map(cell, columns, line, widths)).rstrip() for line in lines)
