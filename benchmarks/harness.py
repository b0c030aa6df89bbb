"""Takes the samples: each in a fresh process, and those of the rivals by turns.

A busy moment of the machine then hits all of them alike, and nothing that one leaves behind reaches another.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Protocol, Sequence

from benchmarks import figures
from benchmarks.figures import Run

ROOT = Path(__file__).resolve().parent.parent
SAMPLE_SECONDS = 600


class Sized(figures.Workload, Protocol):
    """A kind of work that says how much of it is enough."""

    @property
    def quick(self) -> int: ...

    @property
    def most_rounds(self) -> int: ...


class Plan(NamedTuple):
    workloads: Sequence[Sized]
    rivals: Sequence[str]
    pythons: Sequence[str]
    loops: Sequence[str]
    rounds: int
    quick: bool
    original: Optional[str]  # the folder that has the original, if there is one
    no_original: str  # why there is none
    module: str = "benchmarks.sample"  # what takes a sample


class Contestant(NamedTuple):
    """A rival under one interpreter, on one kind of loop."""

    run: Run
    python: str
    rival: str
    jobs: Dict[str, int]


class SampleFailed(Exception):
    """A process that should have taken a sample has failed; the message has what it said."""


def sample(python: str, folder: Optional[str], *arguments: str, module: str = "benchmarks.sample") -> Any:
    """Return what a fresh interpreter prints that finds its nb_aiopool first in ``folder``."""
    environment = {**os.environ, "PYTHONPATH": folder} if folder else dict(os.environ)
    if not folder:
        environment.pop("PYTHONPATH", None)
    command = [python, "-m", module, *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SAMPLE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SampleFailed(str(error)) from error
    if done.returncode != 0:
        raise SampleFailed(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def contestants(plan: Plan, python: str, loop: str) -> List[Contestant]:
    """Find out which rivals an interpreter has, and what they can do."""
    folders: Dict[Optional[str], List[str]] = {None: [name for name in plan.rivals if name != "original"]}
    run = Run("", loop, {}, {})
    if "original" in plan.rivals:
        if plan.original:
            folders[plan.original] = ["original"]
        else:
            run.skipped["original"] = plan.no_original
    found: List[Contestant] = []
    for folder, names in folders.items():
        answer = sample(python, folder, "probe", loop, *names, module=plan.module)
        run.python = answer["python"]
        run.skipped.update(answer["skipped"])
        run.versions.update(answer.get("tools", {}))
        if answer["loop"] is not None:
            run.skipped.update(dict.fromkeys(plan.rivals, answer["loop"]))
            continue
        for name, what in answer["rivals"].items():
            run.versions[name] = what["version"]
            if "note" in what:
                run.notes[name] = what["note"]
            found.append(Contestant(run, python, name, what["jobs"]))
    return found or [Contestant(run, python, "", {})]


def measure(plan: Plan, progress: Callable[[str], None]) -> List[Run]:
    """Carry out a plan."""
    everyone = [c for python in plan.pythons for loop in plan.loops for c in contestants(plan, python, loop)]
    for number in range(plan.rounds):
        for workload in plan.workloads:
            if number >= workload.most_rounds:
                continue
            progress(f"round {number + 1} of {plan.rounds}: {workload.name}")
            # Each round begins with another one, so that nobody always comes after the same neighbour.
            turn = number % len(everyone)
            take_turns(plan, workload, everyone[turn:] + everyone[:turn])
    return list(dict.fromkeys(contestant.run for contestant in everyone))


def take_turns(plan: Plan, workload: Sized, everyone: Iterable[Contestant]) -> None:
    for run, python, rival, jobs in everyone:
        if workload.name not in jobs:
            continue
        count = workload.quick if plan.quick else jobs[workload.name]
        folder = plan.original if rival == "original" else None
        try:
            asked = (rival, workload.name, str(count), run.loop)
            run.add(workload.name, rival, sample(python, folder, *asked, module=plan.module))
        except SampleFailed as error:
            # The samples of the others are not to be lost, and it will hardly be better the next time.
            run.failures[(rival, workload.name)] = str(error)
            del jobs[workload.name]
