"""The names of keys: those in the scripts are those of keys.py."""

from __future__ import annotations

import re
from pathlib import Path

from nb_aiopool.contrib import nb_aio_task
from nb_aiopool.contrib.nb_aio_task.keys import LIST_PREFIX, QueueKeys

SCRIPTS = sorted((Path(nb_aio_task.__file__).parent / "lua").glob("*.lua"))
NAMED = re.compile(r"""(?:prefix|ARGV\[1\]) \.\. ['"](.*?)['"] \.\.""")


def test_the_scripts_name_no_other_keys() -> None:
    keys = QueueKeys("list")
    made = {name("x")[: -len("x")] for name in (keys.inflight, keys.wait, keys.result, keys.unique)}
    named = {keys.prefix + name for script in SCRIPTS for name in NAMED.findall(script.read_text("utf-8"))}
    assert named == made


def test_the_scripts_put_no_name_together_in_another_way() -> None:
    for script in SCRIPTS:
        text = script.read_text("utf-8")
        uses = len(re.findall(r"\bprefix \.\.|\bARGV\[1\] \.\.", text))
        assert uses == len(NAMED.findall(text)), script
        assert LIST_PREFIX not in text
