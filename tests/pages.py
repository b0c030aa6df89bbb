"""The READMEs and the pages of the documentation, and the code blocks in them.

Every page exists twice: ``page.md`` in English, and ``page.zh.md`` in Chinese beside it.
"""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path
from typing import Dict, List, Match, NamedTuple, Set, Tuple

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(\w*)([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SNIPPET = re.compile(r'^--8<-- "([^":]+)"$', re.MULTILINE)
PART = re.compile(r'^--8<-- "([^":]+):(\w+)"$', re.MULTILINE)
OUTPUT = "# -> "
LOGGED = "# logs: "


class Block(NamedTuple):
    """A fenced block; ``title`` is the name of a file that it is to be saved as, if it has one."""

    language: str
    title: str
    source: str
    name: str


def chinese_of(page: str) -> str:
    return page[: -len(".md")] + ".zh.md"


def english_pages() -> List[str]:
    found = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")]
    return ["README.md", *sorted(page for page in found if not page.endswith(".zh.md"))]


def chinese_pages() -> List[str]:
    found = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.zh.md")]
    return ["README.zh.md", *sorted(found)]


def text_of(page: str) -> str:
    """Return a page, and in it what it takes over from another one."""
    return PART.sub(part, (ROOT / page).read_text(encoding="utf-8"))


def part(found: Match[str]) -> str:
    text = (ROOT / found[1]).read_text(encoding="utf-8")
    [inside] = re.findall(
        r"\[start:%s\] -->\n(.*?)\n<!-- --8<-- \[end:%s\]" % (found[2], found[2]), text, re.DOTALL
    )
    return str(inside)


def blocks_of(page: str) -> List[Block]:
    text = text_of(page)
    found = []
    for fence in FENCE.finditer(text):
        title = re.search(r'title="([^"]+)"', fence[2])
        name = "%s:%d" % (page, text.count("\n", 0, fence.start()) + 1)
        found.append(Block(fence[1], title[1] if title else "", fence[3], name))
    return found


def prose_of(page: str) -> str:
    return FENCE.sub("", text_of(page))


def comments(source: str) -> List[Tuple[int, int, str]]:
    """Row (from 0), column and text of each comment."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [(t.start[0] - 1, t.start[1], t.string) for t in tokens if t.type == tokenize.COMMENT]


def expected_output(source: str) -> List[str]:
    return [text[len(OUTPUT) :] for _, _, text in comments(source) if text.startswith(OUTPUT)]


def expected_log(source: str) -> List[str]:
    return [text[len(LOGGED) :] for _, _, text in comments(source) if text.startswith(LOGGED)]


def without_remarks(block: Block) -> str:
    """The source without comments, except those that tell the output: what both languages have in common."""
    if block.language != "python" or SNIPPET.search(block.source):
        return block.source
    lines = block.source.split("\n")
    for row, column, text in comments(block.source):
        if not text.startswith((OUTPUT, LOGGED)):
            lines[row] = lines[row][:column].rstrip()
    return "\n".join(lines)


def sections(page: str) -> List[Tuple[str, str]]:
    """Level of each heading ("##") and the prose below it."""
    parts = re.split(r"^(#+) .*\n", prose_of(page), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2]))


def shape(page: str) -> List[Tuple[str, int, int]]:
    """Level, rows of tables and items of lists of each section."""
    return [
        (level, len(re.findall(r"^\|", prose, re.MULTILINE)), len(re.findall(r"^- ", prose, re.MULTILINE)))
        for level, prose in sections(page)
    ]


def names(page: str) -> List[Set[str]]:
    """What each section names in code type."""
    return [set(re.findall(r"`[^`\n]+`", prose)) for _, prose in sections(page)]


def anchors(page: str) -> Set[str]:
    """What a link to a section of the page may name: the heading's words, or an anchor that is set by hand."""
    found: Dict[str, int] = {}
    for heading in re.findall(r"^#+ (.*)$", prose_of(page), re.MULTILINE):
        by_hand = re.search(r"\{ *#([\w-]+) *\}$", heading)
        words = re.sub(r"[^\w\s-]", "", heading.lower()).strip()
        found[by_hand[1] if by_hand else re.sub(r"[-\s]+", "-", words)] = 1
    return set(found)
