"""The picture of the page on backpressure: the resident memory over time, of a semaphore and of the pool.

    python -m benchmarks --only memory --rivals ours,semaphore --rounds 1 --json memory.json
    python -m benchmarks.memory_picture --from memory.json     keeps the curves of that run, and draws them
    python -m benchmarks.memory_picture                        draws those that were kept

What is kept is in benchmarks/memory.json, the pictures are docs/memory.svg and, in Chinese, docs/memory.zh.svg.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from benchmarks import saved
from benchmarks.svg import Picture

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "benchmarks" / "memory.json"
POINTS = 60  # of each curve: more could not be told apart
WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP = 56, 24, 40

Curve = List[Tuple[float, float]]  # seconds, MB


class Words(NamedTuple):
    """What the picture says, in one language."""

    title: str
    memory: str
    time: str
    semaphore: str
    pool: str


LANGUAGES = {
    "docs/memory.svg": Words(
        "a million jobs, a thousand at a time", "MB resident", "seconds", "Semaphore", "nb_aiopool"
    ),
    "docs/memory.zh.svg": Words(
        "一百万个任务，同时运行一千个",  # noqa: RUF001 - Chinese
        "常驻内存（MB）",  # noqa: RUF001
        "秒",
        "Semaphore",
        "nb_aiopool",
    ),
}


def thinned(points: Sequence[Sequence[float]]) -> Curve:
    """Keep so many points, evenly in time, the first, the last two and the highest among them."""
    pause = points[-1][0] / (POINTS - 4)
    evenly = {int(point[0] / pause): index for index, point in enumerate(points)}
    highest = max(range(len(points)), key=lambda index: points[index][1])
    kept = {*evenly.values(), 0, highest, len(points) - 2, len(points) - 1}
    return [(round(points[index][0], 3), round(points[index][1], 1)) for index in sorted(kept)]


def keep(source: str) -> Dict[str, Any]:
    """Take the curves out of a saved run."""
    [run] = [run for run in saved.load(source) if run.series]
    return {
        "python": run.python,
        "loop": run.loop,
        "series": {rival: thinned(run.series[rival]) for rival in ("semaphore", "ours")},
    }


def draw(kept: Dict[str, Any], words: Words) -> Picture:
    picture = Picture(WIDTH, f"{words.title}: {words.memory}")
    series: Dict[str, Curve] = kept["series"]
    seconds = math.ceil(max(at for points in series.values() for at, _ in points) / 10) * 10
    most = math.ceil(max(size for points in series.values() for _, size in points) / 500) * 500
    bottom, across = TOP + HEIGHT, WIDTH - LEFT - RIGHT

    def place(at: float, size: float) -> Tuple[float, float]:
        return LEFT + at / seconds * across, bottom - size / most * HEIGHT

    picture.text(LEFT, 16, words.title, "title")
    picture.text(LEFT, TOP - 8, words.memory, "muted")
    for size in range(0, most + 1, 500):
        y = place(0, size)[1]
        picture.line(LEFT, y, LEFT + across, y)
        picture.text(LEFT - 8, y + 4, f"{size:,}", "muted end")
    for second in range(0, seconds + 1, 10):
        picture.text(
            place(second, 0)[0], bottom + 18, f"{second} {words.time}" if second else "0", "muted end"
        )
    for rival, style in (("semaphore", "original"), ("ours", "ours")):
        picture.curve([place(*point) for point in series[rival]], style + "-curve")
    for rival, name in (("semaphore", words.semaphore), ("ours", words.pool)):
        peak = max(point[1] for point in series[rival])
        x, y = place(series[rival][-1][0], peak)
        picture.text(x - 8, y - 8, f"{name}: {peak:,.0f} MB", "strong end")
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory_picture", description="Draw memory.svg."
    )
    parser.add_argument("--from", dest="source", metavar="SAVED.json", help="a saved run with curves to keep")
    options = parser.parse_args()
    if options.source:
        KEPT.write_text(json.dumps(keep(options.source)) + "\n", encoding="utf-8")
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    for name, words in LANGUAGES.items():
        (ROOT / name).write_text(str(draw(kept, words)), encoding="utf-8")


if __name__ == "__main__":
    main()
