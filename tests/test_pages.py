"""Every code block of every page works as printed, and the two languages say the same.

A Python block is a program of its own; its comments ``# -> text`` are the lines that it prints, in order, and each
comment ``# logs: text`` is in a log record with a traceback, the only thing that may be on stderr. One with a title
``test_*.py`` is a file for pytest. One that begins with the comment ``# Python 3.11+`` or ``# Unix`` needs that.
The Chinese page has the same programs, but for remarks, so each program runs once.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from commands import check_line, run_python
from pages import (
    LOGGED,
    ROOT,
    SNIPPET,
    Block,
    anchors,
    blocks_of,
    chinese_of,
    chinese_pages,
    english_pages,
    expected_log,
    expected_output,
    names,
    prose_of,
    shape,
    text_of,
    without_remarks,
)
from programs import imported, need

ENGLISH = english_pages()
PAGES = [*ENGLISH, *chinese_pages()]


def blocks(language: str) -> List[Block]:
    """Each program once: in both languages it is the same."""
    found: Dict[str, Block] = {}
    for page in PAGES:
        for block in blocks_of(page):
            if block.language == language:
                found.setdefault(without_remarks(block), block)
    return list(found.values())


def name_of(block: Block) -> str:
    return block.name


def programs(titled: bool) -> List[Block]:
    return [
        block
        for block in blocks("python")
        if not SNIPPET.search(block.source) and bool(block.title) is titled
    ]


def skip_if_it_cannot_run(block: Block) -> None:
    if block.source.startswith("# Unix\n") and os.name != "posix":
        pytest.skip("signals are sent as on Unix")
    needs = re.match(r"# Python (\d+)\.(\d+)\+", block.source)
    if needs and sys.version_info < (int(needs[1]), int(needs[2])):
        pytest.skip("needs Python %s.%s" % (needs[1], needs[2]))
    need(*imported(block.source))


@pytest.mark.parametrize("block", programs(titled=False), ids=name_of)
def test_a_python_block_prints_what_its_comments_say(block: Block, script: Any) -> None:
    expected = expected_output(block.source)
    assert expected, "the block shows no output"
    skip_if_it_cannot_run(block)
    logged = expected_log(block.source)
    done = script(block.source, check=not logged)
    assert (done.returncode, done.stdout.splitlines()) == (0, expected), done.stderr
    assert done.stderr.count("Traceback (most recent call last)") == len(logged)
    # A traceback shows the line that raises, and with it the comment.
    said = "\n".join(line for line in done.stderr.splitlines() if LOGGED not in line)
    assert all(text in said for text in logged), said


@pytest.mark.parametrize("block", programs(titled=True), ids=name_of)
def test_a_file_for_pytest_passes(block: Block, tmp_path: Path) -> None:
    assert re.fullmatch(r"test_\w+\.py", block.title)
    skip_if_it_cannot_run(block)
    (tmp_path / block.title).write_text(block.source, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\n", encoding="utf-8"
    )
    done = run_python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)
    )
    tests = len(re.findall(r"^ *(?:async )?def test_", block.source, re.MULTILINE))
    assert tests > 0
    assert re.search(r"^%d passed in " % tests, done.stdout, re.MULTILINE), done.stdout + done.stderr


def test_a_block_that_shows_a_file_names_one_that_is_run() -> None:
    shown = {file for page in PAGES for block in blocks_of(page) for file in SNIPPET.findall(block.source)}
    assert shown
    tests = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/test_examples*.py"))
    for file in shown:
        assert (ROOT / file).is_file(), file
        if file.startswith("examples/"):
            assert '"%s"' % Path(file).name in tests, "%s is run by no test" % file


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    kinds = {block.language for page in PAGES for block in blocks_of(page)}
    assert kinds == {"python", "console", "text"}
    for page in PAGES:
        assert not re.search(r"^ +```", text_of(page), re.MULTILINE), "an indented block in %s" % page


@pytest.mark.parametrize("block", blocks("console"), ids=name_of)
def test_the_commands_of_a_console_block_exist(block: Block) -> None:
    assert block.source
    for line in block.source.splitlines():
        check_line(line)


def test_every_page_is_there_in_both_languages() -> None:
    assert sorted(map(chinese_of, ENGLISH)) == sorted(chinese_pages())


@pytest.mark.parametrize("page", ENGLISH)
def test_both_languages_have_the_same_code(page: str) -> None:
    english, chinese = (
        [(block.language, block.title, without_remarks(block)) for block in blocks_of(either)]
        for either in (page, chinese_of(page))
    )
    assert english == chinese


@pytest.mark.parametrize("page", ENGLISH)
def test_both_languages_have_the_same_headings_tables_and_lists(page: str) -> None:
    assert shape(page) == shape(chinese_of(page))


@pytest.mark.parametrize("page", ENGLISH)
def test_both_languages_name_the_same_things_in_each_section(page: str) -> None:
    assert names(page) == names(chinese_of(page))


def links(page: str) -> List[Tuple[str, str]]:
    """File and anchor of each link of the page that leads to another file of the repository or to a section."""
    found = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", prose_of(page))
    return [(file, anchor) for file, anchor in found if not file.startswith("http")]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    chinese = page.endswith(".zh.md")
    for file, anchor in links(page):
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.exists(), file
        if anchor:
            # On the site a link of a Chinese page leads to the Chinese page, whose anchors must have the same names.
            name = os.path.relpath(str(target), str(ROOT)).replace(os.sep, "/")
            if chinese and not name.endswith(".zh.md"):
                name = chinese_of(name)
            assert anchor in anchors(name), "%s#%s" % (name, anchor)


def test_the_site_has_every_page() -> None:
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in ENGLISH[1:]:
        assert re.search(r": %s$" % re.escape(page[len("docs/") :]), site, re.MULTILINE), page
