"""The benchmarks run and draw the right conclusions: their numbers are for people, but a program that broke unseen is
for nobody. Nothing here depends on how fast anything is."""

from __future__ import annotations

import asyncio
import collections
import json
import math
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Optional
from xml.etree import ElementTree as ET

import pytest

from benchmarks import command, compare, harness, loops, plot, report, rivals, sample, saved
from benchmarks.figures import Run, figure
from benchmarks.rivals import Limits
from benchmarks.workloads import Workload, all_workloads, selected

if TYPE_CHECKING:
    from pathlib import Path

WORKLOADS = {workload.name: workload for workload in all_workloads()}
SHAPES = ("submit", "run", "submit_await", "batch", "map_unordered", "map_ordered")
# Enough of the original's interface for the harness; its speed is of no interest here.
ORIGINAL = """
import asyncio

class NbAioPool:
    def __init__(self, max_concurrency, max_queue_size):
        self.futures = []

    async def submit(self, coro):
        self.futures.append(asyncio.ensure_future(coro))
        return self.futures[-1]

    async def __aenter__(self):
        return self

    async def __aexit__(self, *reason):
        await asyncio.gather(*self.futures)
"""


@pytest.fixture
def original(tmp_path: Path) -> Path:
    package = tmp_path / "original" / "nb_aiopool"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from .nb_aiopool import NbAioPool\n", encoding="utf-8")
    (package / "nb_aiopool.py").write_text(ORIGINAL, encoding="utf-8")
    return package.parent


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_measures_ours_or_what_ours_is_compared_to(name: str) -> None:
    workload = WORKLOADS[name]
    rival = rivals.load("ours")
    if not workload.fits(rival):
        rival = rivals.load("bare")
        assert workload.fits(rival)
    outcome = workload.measure(rival, workload.quick, lambda coro: loops.run("asyncio", coro))
    assert {metric.name for metric in workload.metrics} == set(outcome) - {"series"}
    assert all(math.isfinite(outcome[metric.name]) for metric in workload.metrics)


def test_what_a_metric_refers_to_is_measured() -> None:
    for workload in WORKLOADS.values():
        for metric in workload.metrics:
            if metric.reference:
                name, rival = metric.reference
                assert WORKLOADS[name].fits(rivals.load(rival)), workload.name
                assert metric.name in [other.name for other in WORKLOADS[name].metrics]


BRIDGES = ("threadsafe", "threadsafe_queue", "thread_pool")


@pytest.mark.parametrize("name", [n for n in rivals.TITLES if n not in ("original", "bare", *BRIDGES)])
def test_a_rival_runs_each_item_once_and_within_its_limit(name: str) -> None:
    try:
        rival = rivals.load(name)
    except rivals.Unavailable as error:
        pytest.skip(str(error))
    seen: Dict[int, int] = collections.Counter()
    running = most = 0

    async def job(item: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        seen[item] += 1
        return item

    shapes = [shape for shape in SHAPES if hasattr(rival, shape)]
    for shape in shapes:
        items: Any = [range(15), range(15, 40)] if shape == "batch" else range(40)
        loops.run("asyncio", getattr(rival, shape)(Limits(4, 8), job, items))
    assert seen == dict.fromkeys(range(40), len(shapes))
    assert most <= 4 or not rival.LIMITED


def test_one_command_measures_reports_saves_draws_and_compares(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, picture = tmp_path / "result.json", tmp_path / "picture.svg"
    common = [
        "--only",
        "submit/value",
        "--rivals",
        "ours,original,gather",
        "--original",
        str(original),
        "--quick",
    ]
    assert command.main([*common, "--json", str(result), "--plot", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert "submit, job does not suspend: time, ns" in printed
    for words in ("nb_aiopool 1.0", "create_task, gather", "vs 1.0", "/ no pool"):
        assert words in printed

    [run] = saved.load(str(result))
    measured = {(workload, rival) for workload, _, rival in run.samples}
    assert measured >= {("submit/value", name) for name in ("ours", "original", "gather", "workers")}
    assert ("await/value", "bare") in measured
    assert ET.parse(picture).getroot().tag.endswith("svg")

    tables = tmp_path / "tables.md"
    assert command.main(["--from", str(result), "--markdown", str(tables)]) == 0
    assert "| submit, job does not suspend (ns) |" in tables.read_text(encoding="utf-8")
    capsys.readouterr()

    # Two runs of the same are compared without measuring anything again.
    assert command.main(["--from", str(result), "--compare", str(result)]) == 0
    assert "1 figures, 0 slower beyond the noise" in capsys.readouterr().out


def test_samples_notice_that_they_would_compare_a_package_with_itself(original: Path) -> None:
    with pytest.raises(harness.SampleFailed, match="is the original"):
        harness.sample(sys.executable, str(original), "ours", "submit/value", "10", "asyncio")
    with pytest.raises(harness.SampleFailed, match="is not the original"):
        harness.sample(sys.executable, None, "original", "submit/value", "10", "asyncio")


def test_a_rival_that_fails_does_not_cost_the_others_their_samples(
    original: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (original / "nb_aiopool" / "nb_aiopool.py").write_text(
        ORIGINAL.replace("def submit", "def nothing"), "utf-8"
    )
    arguments = [
        "--only",
        "submit/value",
        "--rivals",
        "ours,original",
        "--original",
        str(original),
        "--quick",
    ]
    assert command.main(arguments) == 1
    printed = capsys.readouterr().out
    assert "FAILED: nb_aiopool 1.0, submit/value:" in printed
    assert "has no attribute 'submit'" in printed
    assert "/ no pool" in printed


@pytest.mark.parametrize(
    "arguments",
    [
        ["--original", "/nowhere"],
        ["--python", "/nowhere"],
        ["--rivals", "ours,nobody"],
        ["--only", "nothing"],
        ["--rounds", "0"],
        ["--from", "/nowhere"],
        ["--compare", __file__],
    ],
)
def test_a_wrong_argument_is_named(arguments: List[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == 2
    message = capsys.readouterr().err
    assert arguments[1].rpartition(",")[2] in message


def test_what_is_not_installed_is_skipped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiojobs", None)
    monkeypatch.delitem(sys.modules, "benchmarks.rivals.aiojobs", raising=False)
    found = sample.probe("asyncio", ["gather", "aiojobs"])
    assert set(found["rivals"]) == {"gather"}
    assert "aiojobs" in found["skipped"]["aiojobs"]
    run = Run("3.11.7", "asyncio", {}, found["skipped"])
    assert "skipped: aiojobs (" in report.text([run], [])


def test_workloads_are_chosen_by_parts_of_their_names() -> None:
    assert [w.name for w in selected(["run/"])] == ["run/value", "run/sleep0"]
    assert [w.name for w in selected(["batch/v", "timer"])] == ["batch/value", "timer"]
    assert len(selected([])) == len(WORKLOADS)


def test_a_figure_is_the_median_and_its_deviation() -> None:
    found = figure([10.0, 11.0, 50.0])
    assert (found.median, found.spread, found.samples) == (11.0, 1.0, 3)
    assert 0 < found.error < 2


def run_with(
    ours: List[float],
    bare: Optional[List[float]] = None,
    workload: str = "submit/value",
    metric: str = "time",
    python: str = "3.11.7",
) -> Run:
    run = Run(python, "asyncio", {}, {})
    run.samples[(workload, metric, "ours")] = ours
    if bare:
        run.samples[("await/value", "time", "bare")] = bare
    return run


def slower(before: Run, after: Run) -> List[bool]:
    found = compare.changes([before], [after], list(WORKLOADS.values()))
    return [change.regression for change in found if not change.what.startswith("await")]


STEADY = [400.0, 401.0, 402.0, 403.0, 404.0]
NOISY = [300.0, 350.0, 400.0, 450.0, 500.0]
BARE = [100.0, 100.0, 101.0, 100.0, 100.0]


def by(factor: float, samples: List[float]) -> List[float]:
    return [factor * value for value in samples]


def test_a_regression_is_what_exceeds_the_noise() -> None:
    assert slower(run_with(STEADY, BARE), run_with(by(1.2, STEADY), BARE)) == [True]
    assert slower(run_with(STEADY, BARE), run_with(by(1.02, STEADY), BARE)) == [False]
    assert slower(run_with(STEADY, BARE), run_with(by(0.5, STEADY), BARE)) == [False]
    assert slower(run_with(NOISY, BARE), run_with(by(1.2, NOISY), BARE)) == [False]


def test_a_slower_machine_is_no_regression() -> None:
    assert slower(run_with(STEADY, BARE), run_with(by(2, STEADY), by(2, BARE))) == [False]
    assert slower(run_with(STEADY, BARE), run_with(by(2, STEADY), BARE)) == [True]


def test_few_samples_prove_little() -> None:
    assert slower(run_with([400.0], [100.0]), run_with([480.0], [100.0])) == [False]
    assert slower(run_with([400.0], [100.0]), run_with([900.0], [100.0])) == [True]


def test_what_is_not_in_both_runs_is_not_compared() -> None:
    assert slower(run_with(STEADY, BARE), run_with(STEADY)) == []
    assert slower(run_with(STEADY, BARE), run_with(by(9, STEADY), BARE, python="3.13.0")) == []
    assert slower(run_with(STEADY, BARE), run_with(by(9, STEADY), BARE, python="3.11.9")) == [True]


def test_next_to_nothing_may_grow_to_little() -> None:
    before = run_with([0.01, 0.01, 0.01], workload="memory", metric="left")
    assert slower(before, run_with([0.5, 0.5, 0.5], workload="memory", metric="left")) == [False]
    assert slower(before, run_with([5.0, 5.0, 5.0], workload="memory", metric="left")) == [True]


def test_a_comparison_fails_on_regressions_and_when_it_has_nothing_to_compare(
    capsys: pytest.CaptureFixture[str],
) -> None:
    workloads: List[Workload] = list(WORKLOADS.values())
    assert compare.is_slower([run_with(STEADY)], [run_with(by(1.5, STEADY))], workloads)
    assert "SLOWER  Python 3.11.7, asyncio: submit/value time +50.0%" in capsys.readouterr().out
    assert compare.is_slower([], [run_with(STEADY)], workloads)
    assert not compare.is_slower([run_with(STEADY)], [run_with(STEADY)], workloads)


def test_saved_runs_come_back_as_they_were(tmp_path: Path) -> None:
    run = run_with(STEADY, BARE)
    run.series["ours"] = [(0.0, 20.0), (1.5, 30.0)]
    path = tmp_path / "saved.json"
    saved.save(str(path), [run], quick=False)
    [loaded] = saved.load(str(path))
    assert loaded.samples == run.samples
    assert [tuple(point) for point in loaded.series["ours"]] == run.series["ours"]
    path.write_text(json.dumps({"format": 0, "runs": []}), encoding="utf-8")
    with pytest.raises(saved.NotSaved, match="format 0"):
        saved.load(str(path))


def test_the_picture_is_well_formed_with_and_without_memory() -> None:
    run = run_with(STEADY, BARE)
    run.samples[("submit/value", "time", "aiostream")] = [1e6]
    run.samples[("submit/value", "time", "gather")] = [1e3]
    workloads = list(WORKLOADS.values())
    assert "1,000,000" in texts(run, workloads)
    run.series = {"ours": [(0.0, 20.0), (1.0, 30.0)], "original": [(0.0, 30.0)], "semaphore": [(0.0, 900.0)]}
    words = texts(run, workloads)
    assert "Semaphore: 900 MB at most" in words
    assert "memory over a million jobs" in words


def texts(run: Run, workloads: List[Workload]) -> List[Optional[str]]:
    root = ET.fromstring(str(plot.draw([run], workloads)))
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
