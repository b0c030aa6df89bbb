"""The picture of the page on backpressure shows what the benchmark has measured."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import pytest

from benchmarks import memory_picture, saved
from benchmarks.figures import Run

KEPT: Dict[str, Any] = json.loads(memory_picture.KEPT.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", memory_picture.LANGUAGES)
def test_the_picture_is_drawn_from_what_was_kept(name: str) -> None:
    drawn = str(memory_picture.draw(KEPT, memory_picture.LANGUAGES[name]))
    assert (memory_picture.ROOT / name).read_text(encoding="utf-8") == drawn


def test_what_the_page_says_of_it_is_so() -> None:
    most = {rival: max(size for _, size in points) for rival, points in KEPT["series"].items()}
    assert most["ours"] < 40
    assert 1900 < most["semaphore"] < 2100


def test_a_run_is_kept_with_its_ends_and_its_peak(tmp_path: Any) -> None:
    points: List[List[float]] = [[number / 10, number % 70] for number in range(200)]
    run = Run("3.11.7", "asyncio", {}, {})
    run.series = {"ours": points, "semaphore": points}
    saved.save(str(tmp_path / "run.json"), [run], False)
    kept = memory_picture.keep(str(tmp_path / "run.json"))["series"]["ours"]
    assert len(kept) <= memory_picture.POINTS
    assert (kept[0], kept[-2:]) == ((0.0, 0), [(19.8, 58), (19.9, 59)])
    assert max(size for _, size in kept) == 69
