"""A profile as tables for a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from stoffel.profiling.stacks import CODE_OBJECT, COMPILER, FOREIGN, INTERPRETER, KERNEL, TIERS, Tier

if TYPE_CHECKING:
    from stoffel.profiling.times import Times

MOST_ROWS: Final = 20
"""Rows of one table."""
LEAST_SHARE: Final = 0.01
"""Share of the time from which on a call is in the tree."""
MOST_LINES: Final = 10
"""Lines of the source that are shown."""
WIDEST_NAME: Final = 48
WIDEST_LINE: Final = 80

COLOURS: Final = {
    INTERPRETER.name: "31",
    CODE_OBJECT.name: "33",
    KERNEL.name: "32",
    FOREIGN.name: "36",
    COMPILER.name: "35",
}
"""The colour of each tier, as a number of ANSI's Select Graphic Rendition."""


def report(profile: Times, *, colours: bool = False) -> str:
    """Return the profile as text: functions, loops, the tree of calls, kernels, and where compiled code was left."""
    whole = profile.seconds
    mode = profile.statistics.get("mode", "off")
    lines = [
        f"{_seconds(whole)} of processor time in {profile.samples} samples, jit {mode}",
    ]
    if not profile.samples and profile.counts is None:
        return f"{lines[0]}\n  too short to be sampled; --exact counts every instruction\n"
    paint = _Paint(colours)
    lines += ["", *_functions(profile, whole, paint)]
    for title, rows in (
        ("lines", _lines(profile, whole)),
        ("loops", _loops(profile, whole)),
        ("calls", list(_tree(profile, whole, paint))),
        ("kernels", _kernels(profile)),
        ("compiled code was left", _left(profile)),
    ):
        if rows:
            lines += ["", title, *rows]
    return "\n".join(lines) + "\n"


class _Paint:
    def __init__(self, colours: bool) -> None:
        self._colours = colours

    def __call__(self, text: str, tier: str) -> str:
        code = COLOURS.get(tier)
        return f"\033[{code}m{text}\033[0m" if self._colours and code else text


def _functions(profile: Times, whole: float, paint: _Paint) -> list[str]:
    found = profile.functions()
    counted = any(row.calls is not None for row in found)
    instructions = any(row.instructions is not None for row in found)
    titles = ["self", "", "total", ""]
    compiled = any(row.compile_seconds + row.kernel_seconds for row in found)
    titles += ["calls"] * counted + ["instructions"] * instructions + ["compiled in"] * compiled + ["function", "tier"]
    rows = [titles]
    for row in found[:MOST_ROWS]:
        cells = [_seconds(row.self_seconds), _share(row.self_seconds, whole)]
        cells += [_seconds(row.total_seconds), _share(row.total_seconds, whole)]
        cells += ["" if row.calls is None else str(row.calls)] * counted
        cells += ["" if row.instructions is None else str(row.instructions)] * instructions
        spent = row.compile_seconds + row.kernel_seconds
        cells += [_seconds(spent) if spent else ""] * compiled + [shown(row.name), row.tier]
        rows.append(cells)
    last = len(titles) - 1
    lines = table(rows, left=(last - 1, last))
    for number, row in enumerate(found[:MOST_ROWS], 1):
        at = len(lines[number]) - len(row.tier)
        lines[number] = lines[number][:at] + paint(row.tier, row.tier)
    return lines + _more(len(found), "functions")


def _lines(profile: Times, whole: float) -> list[str]:
    found = [line for line in profile.source_lines() if line.self_seconds >= LEAST_SHARE * whole and line.text]
    rows = [
        [_share(line.self_seconds, whole), f"{shown(line.file)}:{line.line}", _cut(line.text)]
        for line in found[:MOST_LINES]
    ]
    return table([["self", "", ""], *rows], left=(1, 2)) if rows else []


def _cut(text: str) -> str:
    text = "".join(char if char.isprintable() else " " for char in text)
    return text if len(text) <= WIDEST_LINE else f"{text[: WIDEST_LINE - 3]}..."


def _loops(profile: Times, whole: float) -> list[str]:
    found = [loop for loop in profile.loops() if loop.total_seconds >= LEAST_SHARE * whole]
    rows = []
    for loop in found[:MOST_ROWS]:
        place = f"instructions {loop.first} to {loop.last}"
        if loop.first_line is not None and loop.last_line not in (loop.first_line, None):
            place += f", lines {loop.first_line} to {loop.last_line}"
        elif loop.first_line is not None:
            place += f", line {loop.first_line}"
        rows.append([_share(loop.self_seconds, whole), _share(loop.total_seconds, whole), shown(loop.function), place])
    if not rows:
        return []
    return table([["self", "total", "function", ""], *rows], left=(2, 3)) + _more(len(found), "loops")


def _tree(profile: Times, whole: float, paint: _Paint) -> Iterator[str]:
    """Yield the tree of calls; a function that is called again within itself is where it was first."""
    frames = profile.stacks.frames
    totals: defaultdict[tuple[str, ...], float] = defaultdict(float)
    tiers: defaultdict[tuple[str, ...], dict[Tier, float]] = defaultdict(dict)
    for path, seconds, _ in profile.stacks.leaves():
        calls: list[str] = []
        seen: dict[tuple[str, ...], Tier] = {}
        for node in path:
            name, tier = frames[node]
            if name in calls:
                del calls[calls.index(name) + 1 :]
            else:
                calls.append(name)
            seen[tuple(calls)] = tier
        for item, tier in seen.items():
            totals[item] += seconds
            tiers[item][tier] = tiers[item].get(tier, 0.0) + seconds
    children: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for item, seconds in totals.items():
        if seconds >= LEAST_SHARE * whole:
            children.setdefault(item[:-1], []).append(item)

    def next_ones(item: tuple[str, ...]) -> list[tuple[str, ...]]:
        return sorted(children.get(item, ()), key=lambda call: -totals[call])[::-1]

    pending = next_ones(())
    for _ in range(2 * MOST_ROWS):
        if not pending:
            return
        item = pending.pop()
        most = max(tiers[item], key=tiers[item].__getitem__)
        marks = " ".join(tier.suffix.strip("_") for tier in TIERS if tier in tiers[item])
        name = paint(shown(item[-1]), most.name)
        yield f"  {_share(totals[item], whole):>6}  {'  ' * (len(item) - 1)}{name}  {marks}".rstrip()
        pending.extend(next_ones(item))
    if pending:
        yield f"  ... and {len(pending)} more"


def _kernels(profile: Times) -> list[str]:
    rows = [["function", "entered at", "with", "runs", "left", "instructions"]]
    for name, found in profile.statistics.get("functions", {}).items():
        for kernel in found["kernels"]:
            if kernel["runs"]:
                entry = "its call" if kernel["entry"] is None else f"instruction {kernel['entry']}"
                within = ", ".join(map(shown, kernel["functions"][1:]))
                numbers = (kernel["runs"], kernel["left"], kernel["instructions_run"])
                rows.append([shown(name), entry, within, *map(str, numbers)])
    return table(rows, left=(0, 1, 2)) if len(rows) > 1 else []


def _left(profile: Times) -> list[str]:
    found = profile.exits()
    rows = [[f"{times}x", shown(place), why] for times, place, why in found[:MOST_ROWS]]
    return table(rows, left=(1, 2)) + _more(len(found), "places") if rows else []


def table(rows: Sequence[Sequence[str]], left: Container[int]) -> list[str]:
    """Return *rows* as lines in columns; the columns *left* begin on one line, the others end on one."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if position in left else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def shown(name: str) -> str:
    """Return the name of a function fit for one line, the middle of a long one left out."""
    text = name if name.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
    half = WIDEST_NAME // 2 - 2
    return text if len(text) <= WIDEST_NAME else f"{text[:half]}...{text[-half:]}"


def _more(number: int, what: str) -> list[str]:
    return [f"  ... and {number - MOST_ROWS} more {what}"] if number > MOST_ROWS else []


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def _share(seconds: float, whole: float) -> str:
    return f"{100 * seconds / whole:.1f}%" if whole else ""
