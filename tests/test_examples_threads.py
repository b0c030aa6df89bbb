"""The examples with threads and processes: each runs, and says what it should."""

from __future__ import annotations

import re

import pytest

from programs import lines_of


def test_work_for_the_processor_is_done_by_processes() -> None:
    loop, total = lines_of("cpu_bound.py", "20")
    assert re.match(r"the loop was never away for longer than \d+ ms", loop)
    expected = sum(
        all(n % d for d in range(2, int(n**0.5) + 1))
        for limit in range(1000, 2000, 100)
        for n in range(2, limit)
    )
    assert total == f"20 pages, {expected * 2} primes"


@pytest.mark.parametrize("processes", [1, 3])
def test_several_processes_have_a_loop_and_a_pool_each(processes: int) -> None:
    progress, words = lines_of("processes.py", "120", str(processes))
    assert progress == f"120 of 120 documents in 3 pieces by {processes} processes"
    assert words == "0: 40, 1: 40, 2: 40, all: 120, and: 120, are: 120, is: 120, numbers: 240, one: 120"


def test_a_thread_feeds_a_running_loop() -> None:
    first, total = lines_of("from_threads.py", "60")
    assert first.startswith("the first result is 6;")
    found = re.match(r"60 lines, (\d+) characters, at most (\d+) jobs at once", total)
    assert found and int(found[1]) == 10 * 6 + 50 * 7 and 1 <= int(found[2]) <= 15


def test_a_plain_script_uses_an_executor() -> None:
    lines = lines_of("executor.py", "30")
    assert lines[:2] == ["27 pages found, 3 missing", "in order: page 0, page 1, page 2"]
    assert [line for line in lines[2:] if "logged" in line] == [f"logged {i}" for i in range(6)]
    assert "end of the script" in lines[2:]
