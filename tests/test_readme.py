"""Every code block of the READMEs works as printed, and the two READMEs say the same.

A Python block is a program of its own; its comments ``# -> text`` are the lines that it prints, in order.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Set, Tuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OUTPUT = "# -> "


class Block(NamedTuple):
    language: str
    source: str
    name: str


def text_of(readme: str) -> str:
    return (ROOT / readme).read_text(encoding="utf-8")


def blocks_of(readme: str) -> List[Block]:
    text = text_of(readme)
    return [
        Block(found[1], found[2], "%s:%d" % (readme, text.count("\n", 0, found.start()) + 1))
        for found in FENCE.finditer(text)
    ]


def blocks(language: str) -> List[Block]:
    return [block for readme in READMES for block in blocks_of(readme) if block.language == language]


def name_of(block: Block) -> str:
    return block.name


def comments(source: str) -> List[Tuple[int, int, str]]:
    """Row (from 0), column and text of each comment."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [(t.start[0] - 1, t.start[1], t.string) for t in tokens if t.type == tokenize.COMMENT]


def expected_output(source: str) -> List[str]:
    return [text[len(OUTPUT) :] for _, _, text in comments(source) if text.startswith(OUTPUT)]


def without_remarks(block: Block) -> str:
    """The source without comments, except those that tell the output."""
    if block.language != "python":
        return block.source
    lines = block.source.split("\n")
    for row, column, text in comments(block.source):
        if not text.startswith(OUTPUT):
            lines[row] = lines[row][:column].rstrip()
    return "\n".join(lines)


def prose_of(readme: str) -> str:
    return FENCE.sub("", text_of(readme))


def sections(readme: str) -> List[Tuple[str, str]]:
    """Level of each heading ("##") and the prose below it."""
    parts = re.split(r"^(#+) .*\n", prose_of(readme), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2]))


@pytest.mark.parametrize("block", blocks("python"), ids=name_of)
def test_a_python_block_prints_what_its_comments_say(block: Block, script: Any) -> None:
    expected = expected_output(block.source)
    assert expected, "the block shows no output"
    assert script(block.source).stdout.splitlines() == expected


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    kinds = {block.language for readme in READMES for block in blocks_of(readme)}
    assert kinds == {"python", "console"}


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=str(ROOT), capture_output=True, text=True, timeout=30, check=False
    )


def check_install(command: List[str]) -> None:
    assert command[:4] == ["python", "-m", "pip", "install"]
    assert command[4:] in (["."], ['".[bench]"'])
    assert re.search(r"^bench = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    # That it works is seen by whoever runs these tests: the test command does the same.
    test_command = (ROOT / "scripts" / "test").read_text(encoding="utf-8")
    assert re.search(r'-m pip install "\.\[test\]"', test_command)
    assert "./scripts/test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def check_benchmarks(command: List[str]) -> None:
    assert command[:3] == ["python", "-m", "benchmarks"]
    done = run_python(*command[1:], "--list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout, "no workload has such a name"


def check_program(command: List[str]) -> None:
    python, program = command
    assert python == "python"
    done = run_python(program, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(program).name in done.stdout


def check_script(command: List[str]) -> None:
    (name,) = command
    script = ROOT / name
    assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
    if os.name == "posix":
        assert os.access(str(script), os.X_OK)
        bash = shutil.which("bash")
        if bash is not None:
            assert subprocess.run([bash, "-n", str(script)], check=False).returncode == 0


@pytest.mark.parametrize("block", blocks("console"), ids=name_of)
def test_the_commands_of_a_console_block_exist(block: Block) -> None:
    lines = block.source.splitlines()
    assert lines
    for line in lines:
        assert line.startswith("$ ")
        for command in (part.split() for part in line[2:].split(" && ")):
            if command[:3] == ["python", "-m", "benchmarks"]:
                check_benchmarks(command)
            elif command[:2] == ["python", "-m"]:
                check_install(command)
            elif command[0] == "python":
                check_program(command)
            else:
                check_script(command)


def test_the_two_commands_that_set_everything_up_are_there() -> None:
    commands = [line for block in blocks_of("README.md") for line in block.source.splitlines()]
    assert "$ python -m pip install . && python examples/quickstart.py" in commands
    assert "$ ./scripts/test" in commands


def test_both_readmes_have_the_same_code() -> None:
    english, chinese = (
        [(block.language, without_remarks(block)) for block in blocks_of(readme)] for readme in READMES
    )
    assert english == chinese


def test_both_readmes_have_the_same_headings_tables_and_lists() -> None:
    def shape(readme: str) -> List[Tuple[str, int, int]]:
        return [
            (
                level,
                len(re.findall(r"^\|", prose, re.MULTILINE)),
                len(re.findall(r"^- ", prose, re.MULTILINE)),
            )
            for level, prose in sections(readme)
        ]

    assert shape("README.md") == shape("README.zh.md")


def test_both_readmes_name_the_same_things_in_each_section() -> None:
    def names(readme: str) -> List[Set[str]]:
        return [set(re.findall(r"`[^`\n]+`", prose)) for _, prose in sections(readme)]

    assert names("README.md") == names("README.zh.md")


@pytest.mark.parametrize("readme", READMES)
def test_links_lead_somewhere(readme: str) -> None:
    targets: Dict[str, bool] = {
        target: (ROOT / target).exists() for target in re.findall(r"\]\(([^)]+)\)", prose_of(readme))
    }
    assert targets
    assert [target for target, exists in targets.items() if not exists] == []


@pytest.mark.parametrize("readme", READMES)
def test_every_public_name_is_in_the_readme(readme: str) -> None:
    import nb_aiopool

    names = {*nb_aiopool.__all__, *dir(nb_aiopool.NbAioPool)}
    words = set(re.findall(r"\w+", text_of(readme)))
    assert {name for name in names if not name.startswith("_")} - words == set()
