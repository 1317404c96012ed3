"""A profile as one page of HTML that needs nothing else: the data is put into the page that lies beside this file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stoffel.profiling.stacks import TIERS
from stoffel.profiling.times import LISTED

if TYPE_CHECKING:
    from stoffel.profiling.times import Times

_TEMPLATE: Final = Path(__file__).with_name("page.html")
_PLACE: Final = "/*PROFILE*/null"
"""What stands in the page for the data."""
MOST_LISTINGS: Final = 200
"""Functions whose instructions are shown: those that took most time."""


def page(profile: Times) -> bytes:
    """Return the page of *profile*, as UTF-8."""
    # A script ends at the first "</script", wherever that stands.
    data = json.dumps(_data(profile), separators=(",", ":")).replace("<", "\\u003c")
    return _TEMPLATE.read_text(encoding="utf-8").replace(_PLACE, data).encode()


def _data(profile: Times) -> dict[str, Any]:
    stacks = profile.stacks
    frames = list(dict.fromkeys(stacks.frames[1:]))
    number = {frame: position for position, frame in enumerate(frames)}
    functions = profile.functions()
    listed = [row.name for row in functions if row.total_seconds or row.instructions][:MOST_LISTINGS]
    return {
        "seconds": profile.seconds,
        "samples": profile.samples,
        "rate": profile.rate,
        "mode": profile.statistics.get("mode", "off"),
        "tiers": [tier.name for tier in TIERS],
        "frames": [[frame.function, TIERS.index(frame.tier)] for frame in frames],
        "parents": stacks.parents.tolist(),
        "calls": [-1, *(number[frame] for frame in stacks.frames[1:])],
        "own": stacks.seconds.tolist(),
        "functions": [row._asdict() for row in functions],
        "sources": _sources(profile, listed),
        "loops": [loop._asdict() for loop in profile.loops()],
        "listings": {name: lines for name in listed if (lines := _listing(profile, name))},
        "left": profile.exits(),
        "kernels": [
            [name, kernel["entry"], kernel["functions"][1:], kernel["runs"], kernel["left"], kernel["instructions_run"]]
            for name, found in profile.statistics.get("functions", {}).items()
            for kernel in found["kernels"]
            if kernel["runs"]
        ],
    }


def _sources(profile: Times, listed: list[str]) -> dict[str, list[Any]]:
    """Return for each function whose source is at hand the file, its first line there, and its lines."""
    found: dict[str, list[Any]] = {}
    texts = {file: text.splitlines() for file, text in profile.sources.items()}
    for name in listed:
        file, _ = profile.place(name)
        numbers = [line.line for line in profile.lines(name) if line.line]
        if file in texts and numbers:
            # The line of the head of the function, if it stands above.
            first, last = max(min(numbers) - 1, 1), min(max(numbers), min(numbers) + LISTED)
            found[name] = [file, first, texts[file][first - 1 : last]]
    return found


def _listing(profile: Times, function: str) -> list[list[Any]]:
    return [
        [line.instruction, line.line, line.text, line.self_seconds, line.total_seconds, line.executions]
        for line in profile.lines(function)
    ]
