"""The main comparison: every program in every way, interleaved, and the ratios that matter."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks import ways as all_ways
from benchmarks.catalogue import Benchmark, number, references
from benchmarks.rounds import Effort, Timing, Worker, WorkerError, measure
from benchmarks.table import geometric_mean, milliseconds, significant, table
from benchmarks.ways import Way

RATIOS: Final[tuple[tuple[str, str], ...]] = (
    ("interpreter", "python"),
    ("interpreter", "always"),
    ("interpreter", "no-kernels"),
    ("auto", "always"),
    ("no-kernels", "python"),
    ("always", "python"),
    ("always", "pypy"),
    ("always", "kernels"),
    ("auto", "kernels"),
    ("kernels", "c"),
    ("kernels", "luajit"),
    ("kernels", "pypy"),
    ("kernels", "numba"),
    ("python", "c"),
)
"""Time of the first way divided by time of the second: what the table shows where both were measured."""


SPEED_UPS: Final = frozenset(
    {("interpreter", "always"), ("interpreter", "no-kernels"), ("always", "kernels"), ("no-kernels", "kernels")}
)
"""Ratios that are better the greater they are."""


class Row(NamedTuple):
    """What was measured of one program."""

    benchmark: Benchmark
    n: int
    timings: dict[str, Timing]
    no_version: tuple[str, ...]
    """Ways in which the program has not been written."""
    failures: dict[str, str]
    """What went wrong in a way, by its name."""

    def ratio(self, upper: str, lower: str) -> float | None:
        """Return best time of one way by best time of another, or None if one is missing."""
        if upper not in self.timings or lower not in self.timings:
            return None
        return self.timings[upper].best / max(self.timings[lower].best, 1e-12)


def compare(
    benchmarks: Sequence[Benchmark],
    ways: Sequence[Way],
    size: str,
    level: str,
    effort: Effort,
    progress: Callable[[str], None],
) -> list[Row]:
    """Measure all programs; *progress* is told the name of each before its turn."""
    rows = []
    expected = references()
    with tempfile.TemporaryDirectory(prefix="stoffel-benchmarks-") as directory:
        for benchmark in benchmarks:
            progress(benchmark.name)
            n = benchmark.size(size)
            row = _measure(benchmark, n, ways, level, effort, Path(directory))
            _check_results(row, expected[benchmark.name] if n == benchmark.full else None)
            rows.append(row)
    return rows


def _measure(benchmark: Benchmark, n: int, ways: Sequence[Way], level: str, effort: Effort, scratch: Path) -> Row:
    no_version: list[str] = []
    failures: dict[str, str] = {}
    with ExitStack() as stack:
        workers = []
        for way in ways:
            try:
                command = all_ways.command(way.name, benchmark, level, scratch)
                workers.append(stack.enter_context(Worker(way.name, command, way.warmth)))
            except all_ways.NoVersionError:
                no_version.append(way.name)
            except (all_ways.CompilerError, WorkerError) as error:
                failures[way.name] = str(error)
        found = measure(workers, n, effort)
    timings = {name: timing for name, timing in found.items() if isinstance(timing, Timing)}
    failures |= {name: reason for name, reason in found.items() if isinstance(reason, str)}
    return Row(benchmark, n, timings, tuple(no_version), failures)


def _check_results(row: Row, expected: str | None) -> None:
    """Turn the timing of a way into a failure if its result is not the expected one (or that of the first way)."""
    for name, timing in list(row.timings.items()):
        if expected is None:
            expected = timing.result
        if number(timing.result) != number(expected):
            row.failures[name] = f"{name} gives {timing.result}, not {expected}"
            del row.timings[name]


def summarise(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Return geometric mean and worst value of each ratio, over all programs and by group."""
    summary: dict[str, dict[str, Any]] = {}
    for upper, lower in RATIOS:
        values = [(value, row) for row in rows if (value := row.ratio(upper, lower)) is not None]
        if not values:
            continue
        # Of a slower tier by a faster one more is better, of all others less.
        worst = min if (upper, lower) in SPEED_UPS else max
        bad, bad_row = worst(values, key=lambda item: item[0])
        groups: dict[str, list[float]] = {}
        for value, row in values:
            groups.setdefault(row.benchmark.group, []).append(value)
            if row.benchmark.loop:
                groups.setdefault("loops", []).append(value)
        summary[f"{upper}/{lower}"] = {
            "geometric_mean": geometric_mean([value for value, _ in values]),
            "worst": bad,
            "worst_program": bad_row.benchmark.name,
            "programs": len(values),
            "groups": {
                group: {"geometric_mean": geometric_mean(members), "worst": worst(members)}
                for group, members in groups.items()
            },
        }
    return summary


def lines(rows: Sequence[Row], ways: Sequence[Way]) -> list[str]:
    """Return the table: milliseconds (best, and median in brackets) and ratios of best times."""
    measured = [way for way in ways if any(way.name in row.timings for row in rows)]
    ratios = [pair for pair in RATIOS if any(row.ratio(*pair) is not None for row in rows)]
    header = ["program", "n", *(f"{way.name} ms" for way in measured), *(f"{a}/{b}" for a, b in ratios)]
    body = []
    for row in rows:
        cells = [row.benchmark.name, str(row.n)]
        for way in measured:
            timing = row.timings.get(way.name)
            cells.append(f"{milliseconds(timing.best)} ({milliseconds(timing.median)})" if timing else "-")
        cells += ["-" if (value := row.ratio(*pair)) is None else significant(value) for pair in ratios]
        body.append(cells)
    summary = summarise(rows)
    for title, key in (("geometric mean", "geometric_mean"), ("worst", "worst")):
        cells = [title, "", *("" for _ in measured)]
        cells += [significant(summary[f"{a}/{b}"][key]) for a, b in ratios]
        body.append(cells)
    result = table(header, body)
    for name, found in summary.items():
        groups = ", ".join(
            f"{group} {significant(numbers['geometric_mean'])}" for group, numbers in found["groups"].items()
        )
        result.append(
            f"{name}: geometric mean {significant(found['geometric_mean'])} over {found['programs']} programs"
            f" ({groups}); worst {significant(found['worst'])} ({found['worst_program']})"
        )
    for way in ways:
        without = [row.benchmark.name for row in rows if way.name in row.no_version]
        if without:
            result.append(f"no version in {way.name}: {', '.join(without)}")
    result += [f"FAILED {row.benchmark.name}: {reason}" for row in rows for reason in row.failures.values()]
    return result


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows as plain data."""
    return [
        {
            "name": row.benchmark.name,
            "group": row.benchmark.group,
            "loop": row.benchmark.loop,
            "n": row.n,
            "ways": {
                name: {
                    "first": timing.first,
                    "best": timing.best,
                    "median": timing.median,
                    "samples": list(timing.samples),
                    "repetitions": timing.repetitions,
                }
                for name, timing in row.timings.items()
            },
            "no_version": list(row.no_version),
            "failures": row.failures,
            "ratios": {f"{a}/{b}": value for a, b in RATIOS if (value := row.ratio(a, b)) is not None},
        }
        for row in rows
    ]
