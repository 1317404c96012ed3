"""The comparison as a picture: for every program and way the best time relative to hand-written Python, on a log scale.

SVG is written by hand. PNG needs matplotlib, which nothing else here needs.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from benchmarks.comparison import Row
from benchmarks.ways import PYTHON, Way

FORMATS: Final = (".svg", ".png")

_COLOURS: Final = {
    "interpreter": "#7f7f7f",
    "auto": "#17becf",
    "always": "#d62728",
    "no-kernels": "#ff9896",
    "kernels": "#8c564b",
    "python": "#1f77b4",
    "pypy": "#9467bd",
    "numba": "#2ca02c",
    "c": "#000000",
    "lua": "#bcbd22",
    "luajit": "#ff7f0e",
}
_LEFT, _TOP, _ROW, _WIDTH, _LEGEND = 150, 46, 22, 640, 150


def refusal(path: Path) -> str:
    """Return why the picture cannot be written in the format that *path* names, in a sentence; empty if it can."""
    if path.suffix not in FORMATS:
        return f"the plot must be a {' or '.join(FORMATS)} file, not {path.name}"
    if path.suffix == ".png" and importlib.util.find_spec("matplotlib") is None:
        return "a .png needs matplotlib, which is not installed; ask for .svg"
    return ""


def points(rows: Sequence[Row], ways: Sequence[Way]) -> dict[str, dict[str, float]]:
    """Return, by way and program, its time by that of hand-written Python (or, without that, of the first way)."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        base = row.timings.get(PYTHON.name) or next(iter(row.timings.values()), None)
        for way in ways:
            timing = row.timings.get(way.name)
            if timing is not None and base is not None:
                found.setdefault(way.name, {})[row.benchmark.name] = timing.best / max(base.best, 1e-12)
    return found


def _title(found: dict[str, dict[str, float]]) -> str:
    base = PYTHON.about if PYTHON.name in found else "the first way"
    return f"Time relative to {base}: less is faster"


def render(path: Path, rows: Sequence[Row], ways: Sequence[Way]) -> bytes:
    """Return the picture as the content of a file in the format of *path*."""
    found = points(rows, ways)
    names = [row.benchmark.name for row in rows if row.timings]
    if path.suffix == ".png":
        return _png(found, names)
    return _svg(found, names).encode()


def _decades(found: dict[str, dict[str, float]]) -> tuple[int, int]:
    values = [value for members in found.values() for value in members.values()] or [1.0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _svg(found: dict[str, dict[str, float]], names: Sequence[str]) -> str:
    low, high = _decades(found)

    def x(value: float) -> float:
        return _LEFT + _WIDTH * (math.log10(value) - low) / (high - low)

    bottom = _TOP + _ROW * len(names)
    width, height = _LEFT + _WIDTH + _LEGEND, bottom + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="14">{escape(_title(found))}</text>',
    ]
    for decade in range(low, high + 1):
        place = x(10.0**decade)
        colour = "#888888" if decade == 0 else "#dddddd"
        label = f"{10.0**decade:g}"
        parts.append(f'<line x1="{place:.1f}" y1="{_TOP - 8}" x2="{place:.1f}" y2="{bottom}" stroke="{colour}"/>')
        parts.append(f'<text x="{place:.1f}" y="{bottom + 16}" text-anchor="middle">{label}</text>')
    for index, name in enumerate(names):
        y = _TOP + _ROW * index + _ROW / 2
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_LEFT + _WIDTH}" y2="{y:.1f}" stroke="#eeeeee"/>')
    for index, (way, members) in enumerate(found.items()):
        colour = _COLOURS[way]
        y = _TOP + 18 * index
        parts.append(f'<circle cx="{_LEFT + _WIDTH + 24}" cy="{y}" r="5" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + _WIDTH + 36}" y="{y + 4}">{escape(way)}</text>')
        for row, name in enumerate(names):
            if name in members:
                y = _TOP + _ROW * row + _ROW // 2
                text = escape(f"{way} {name}: {members[name]:.3g}")
                parts.append(
                    f'<circle cx="{x(members[name]):.1f}" cy="{y}" r="5" fill="{colour}"><title>{text}</title></circle>'
                )
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _png(found: dict[str, dict[str, float]], names: Sequence[str]) -> bytes:
    import io

    figure_module: Any = importlib.import_module("matplotlib.figure")
    figure = figure_module.Figure(figsize=(10, 1.2 + 0.3 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    for way, members in found.items():
        shown = [name for name in names if name in members]
        places = [names.index(name) for name in shown]
        axes.scatter([members[name] for name in shown], places, label=way, color=_COLOURS[way], zorder=2)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(visible=True, color="#dddddd", zorder=0)
    axes.set_title(_title(found))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()
