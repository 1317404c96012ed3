"""The files that a profile can be written as, each for tools that people use already."""

from __future__ import annotations

import gzip
import json
import marshal
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from stoffel.profiling.stacks import FOREIGN, ROOT, Frame
from stoffel.version import VERSION

if TYPE_CHECKING:
    from stoffel.profiling.times import Times

MOST_IN_ORDER: Final = 2_000_000
"""Frames of all stacks in the order of time together; a longer profile has each stack once instead."""
_SCHEMA: Final = "https://www.speedscope.app/file-format-schema.json"


def folded(profile: Times) -> bytes:
    """Return one line for each stack: its calls, separated by semicolons, and microseconds; for flamegraph.pl."""
    frames = profile.stacks.frames
    lines = []
    for path, seconds, _ in profile.stacks.leaves():
        names = (_one_word(frames[node].marked) for node in path)
        lines.append(f"{';'.join(names)} {round(1e6 * seconds)}\n")
    return "".join(lines).encode("utf-8", "backslashreplace")


def _one_word(name: str) -> str:
    return "".join(":" if char == ";" else char if char.isprintable() else "?" for char in name)


def speedscope(profile: Times) -> bytes:
    """Return the JSON of https://www.speedscope.app, stacks in the order of time."""
    stacks = profile.stacks
    frames = list(dict.fromkeys(stacks.frames[1:]))
    number = {frame: position for position, frame in enumerate(frames)}
    paths = {path[-1]: [number[stacks.frames[node]] for node in path] for path, _, _ in stacks.leaves()}
    turns = zip(stacks.turns, stacks.turn_seconds, strict=True)
    samples = [(node, seconds) for node, seconds in turns if node != ROOT]
    if sum(len(paths[node]) for node, _ in samples) > MOST_IN_ORDER:
        samples = [(node, stacks.seconds[node]) for node in paths]
    data = {
        "$schema": _SCHEMA,
        "name": "stoffel",
        "exporter": f"stoffel {VERSION}",
        "activeProfileIndex": 0,
        "shared": {"frames": [_speedscope_frame(profile, frame) for frame in frames]},
        "profiles": [
            {
                "type": "sampled",
                "name": f"jit {profile.statistics.get('mode', 'off')}",
                "unit": "seconds",
                "startValue": 0,
                "endValue": sum(seconds for _, seconds in samples),
                "samples": [paths[node] for node, _ in samples],
                "weights": [seconds for _, seconds in samples],
            }
        ],
    }
    return json.dumps(data, separators=(",", ":")).encode()


def _speedscope_frame(profile: Times, frame: Frame) -> dict[str, Any]:
    file, line = profile.place(frame.function)
    return {"name": frame.marked, **({"file": file, "line": line} if line else {})}


def pstats(profile: Times) -> bytes:
    """Return what Python's ``pstats`` and SnakeViz read: a function is one for each tier that it was in.

    Where calls were not counted, the number of calls is that of the samples.
    """
    frames = profile.stacks.frames
    rows: dict[Frame, list[Any]] = {}
    for path, seconds, samples in profile.stacks.leaves():
        stack = [frames[node] for node in path]
        for frame in set(stack):
            row = rows.setdefault(frame, [0, 0.0, 0.0, {}])
            row[0] += samples
            row[2] += seconds
        rows[stack[-1]][1] += seconds
        for caller, frame in set(pairwise(stack)):
            found = rows[frame][3].setdefault(caller, [0, 0.0, 0.0])
            found[0] += samples
            found[1] += seconds if frame == stack[-1] else 0.0
            found[2] += seconds
    data = {}
    for frame, (samples, own, total, callers) in rows.items():
        calls = samples if profile.calls is None else profile.calls.get(frame.function, samples)
        data[_pstats_key(profile, frame)] = (
            calls,
            calls,
            own,
            total,
            {_pstats_key(profile, caller): (found[0], *found) for caller, found in callers.items()},
        )
    return marshal.dumps(data)


def _pstats_key(profile: Times, frame: Frame) -> tuple[str, int, str]:
    file, line = profile.place(frame.function)
    return file or "~", line, frame.marked


def pprof(profile: Times) -> bytes:
    """Return the gzipped protocol buffer of pprof (``profile.proto``): samples and nanoseconds by stack.

    The innermost call of each stack has its line of the source, or one more than the index of its instruction.
    """
    strings: dict[str, int] = {"": 0}
    functions: dict[Frame, int] = {}
    locations: dict[tuple[Frame, int], int] = {}
    message = bytearray()

    def text(value: str) -> int:
        return strings.setdefault(value, len(strings))

    def location(frame: Frame, line: int) -> int:
        functions.setdefault(frame, len(functions) + 1)
        return locations.setdefault((frame, line), len(locations) + 1)

    kinds = (("samples", "count"), ("cpu", "nanoseconds"))
    for kind, unit in kinds:
        message += _field(1, _field(1, text(kind)) + _field(2, text(unit)))
    for (node, index), (seconds, samples) in profile.stacks.places.items():
        path = [profile.stacks.frames[item] for item in profile.stacks.path(node)]
        if not path:
            continue
        line = 0 if path[-1].tier is FOREIGN else profile.place(path[-1].function, index)[1] or index + 1
        stack = [location(path[-1], line), *(location(frame, 0) for frame in reversed(path[:-1]))]
        values = [int(samples), round(1e9 * seconds)]
        message += _field(2, _field(1, _packed(stack)) + _field(2, _packed(values)))
    for (frame, line), number in locations.items():
        lines = _field(1, functions[frame]) + (_field(2, line) if line else b"")
        message += _field(4, _field(1, number) + _field(4, lines))
    for frame, number in functions.items():
        file, line = profile.place(frame.function)
        name = _field(2, text(frame.marked)) + _field(3, text(frame.function)) + _field(4, text(file))
        message += _field(5, _field(1, number) + name + (_field(5, line) if line else b""))
    period = _field(1, text("cpu")) + _field(2, text("nanoseconds"))
    message += _field(10, round(1e9 * profile.seconds)) + _field(11, period) + _field(12, round(1e9 / profile.rate))
    message += _field(14, text("cpu"))
    for string in strings:
        message += _field(6, string.encode("utf-8", "backslashreplace"))
    return gzip.compress(bytes(message), mtime=0)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _field(number: int, value: int | bytes) -> bytes:
    """Return a field of a protocol buffer: a number as a varint, bytes with their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _packed(numbers: Iterable[int]) -> bytes:
    return b"".join(map(_varint, numbers))


def html(profile: Times) -> bytes:
    """Return one page that needs nothing else: flame graph, tables, and listings with the heat of every instruction."""
    from stoffel.profiling.page import page

    return page(profile)


FORMATS: Final[dict[str, Callable[[Times], bytes]]] = {
    ".html": html,
    ".speedscope.json": speedscope,
    ".folded": folded,
    ".pstats": pstats,
    ".pb.gz": pprof,
}
"""What writes a profile, by the end of the file's name."""


def format_of(path: str) -> Callable[[Times], bytes]:
    """Return what writes a profile to a file called *path*; raises ValueError if the end of the name tells nothing."""
    for ending, write in FORMATS.items():
        if path.endswith(ending):
            return write
    raise ValueError(f"the name of a profile ends with {', '.join(list(FORMATS)[:-1])} or {list(FORMATS)[-1]}: {path}")
