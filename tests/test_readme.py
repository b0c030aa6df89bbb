"""What the READMEs promise beyond what every page does: see test_pages."""

from __future__ import annotations

import re

import pytest

from pages import blocks_of, text_of

READMES = ("README.md", "README.zh.md")


def test_the_two_commands_that_set_everything_up_are_there() -> None:
    commands = [line for block in blocks_of("README.md") for line in block.source.splitlines()]
    assert "$ python -m pip install . && python examples/quickstart.py" in commands
    assert "$ ./scripts/test" in commands


@pytest.mark.parametrize("readme", READMES)
def test_every_public_name_is_in_the_readme(readme: str) -> None:
    import nb_aiopool

    names = {*nb_aiopool.__all__, *dir(nb_aiopool.NbAioPool)}
    words = set(re.findall(r"\w+", text_of(readme)))
    assert {name for name in names if not name.startswith("_")} - words == set()
