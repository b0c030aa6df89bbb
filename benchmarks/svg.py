"""Just enough SVG for bars and curves that can be read on a light and on a dark page."""

from __future__ import annotations

from typing import List, Sequence, Tuple
from xml.sax.saxutils import escape, quoteattr

# The page behind the picture is not ours: the background stays transparent, and the colours follow the reader's.
STYLE = """
    text { font: 12px -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
    .title { font-size: 13px; font-weight: 600; }
    .muted { fill: #59636e; }
    .end { text-anchor: end; }
    .ours { fill: #0969da; } .original { fill: #d1662a; } .other { fill: #afb8c1; }
    .strong { font-weight: 600; }
    polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
    .ours-curve { stroke: #0969da; } .original-curve { stroke: #d1662a; } .other-curve { stroke: #afb8c1; }
    .axis { stroke: #d1d9e0; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .muted { fill: #9198a1; }
      .ours { fill: #4493f8; } .original { fill: #f0883e; } .other { fill: #484f58; }
      .ours-curve { stroke: #4493f8; } .original-curve { stroke: #f0883e; } .other-curve { stroke: #6e7681; }
      .axis { stroke: #3d444d; }
    }
"""


class Picture:
    """Collects shapes, and writes them as a file of its own."""

    def __init__(self, width: float, title: str) -> None:
        self.width = width
        self.height = 0.0
        self._title = title
        self._shapes: List[str] = []

    def text(self, x: float, y: float, words: str, style: str = "") -> None:
        self._shapes.append(f"<text x={n(x)} y={n(y)} class={quoteattr(style)}>{escape(words)}</text>")
        self._reach(y)

    def bar(self, x: float, y: float, width: float, height: float, style: str) -> None:
        size = f"width={n(width)} height={n(height)}"
        self._shapes.append(f'<rect x={n(x)} y={n(y)} {size} rx="2" class={quoteattr(style)}/>')
        self._reach(y + height)

    def line(self, x1: float, y1: float, x2: float, y2: float) -> None:
        self._shapes.append(f'<line x1={n(x1)} y1={n(y1)} x2={n(x2)} y2={n(y2)} class="axis"/>')
        self._reach(max(y1, y2))

    def curve(self, points: Sequence[Tuple[float, float]], style: str) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._shapes.append(f'<polyline points="{path}" class={quoteattr(style)}/>')

    def _reach(self, y: float) -> None:
        self.height = max(self.height, y)

    def __str__(self) -> str:
        height = self.height + 12
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {height:g}" role="img"'
        head += f" width={n(self.width)} height={n(height)}>"
        title = f"<title>{escape(self._title)}</title>"
        return "\n".join([head, title, f"<style>{STYLE}</style>", *self._shapes, "</svg>", ""])


def n(value: float) -> str:
    """Write a number as an attribute."""
    return f'"{value:g}"'
