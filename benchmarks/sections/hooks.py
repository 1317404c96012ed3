"""What the hook machinery costs while no hook is enabled.

The interpreter runs against itself without its hook checks (see ``benchmarks.unhooked``), interleaved. Two processes
that do the same differ by a few per cent for reasons of memory layout, so each side has several processes, and its best
time counts.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Any, Final

from benchmarks.rounds import Timing, Worker
from benchmarks.rounds import measure as measure_rounds
from benchmarks.sections import Options, SkippedError
from benchmarks.table import geometric_mean, milliseconds, table

TITLE: Final = "Cost of hooks while none is enabled: the interpreter against itself without its hook checks"

WITH: Final = "off"
WITHOUT: Final = "unhooked"
PROCESSES: Final = 4


def measure(options: Options) -> dict[str, Any]:
    """Time every program with and without the checks."""
    programs = []
    for benchmark in options.benchmarks:
        with ExitStack() as stack:
            workers = [
                stack.enter_context(
                    Worker(
                        f"{kind}{process}",
                        [sys.executable, "-m", "benchmarks.worker", kind, benchmark.name, options.level],
                    )
                )
                for process in range(1 if options.quick else PROCESSES)
                for kind in (WITH, WITHOUT)
            ]
            # A small difference: many short samples find the undisturbed ones.
            effort = options.effort._replace(rounds=options.effort.rounds * 4, sample=options.effort.sample / 4)
            found = measure_rounds(workers, benchmark.quick, effort)
        best = {}
        for kind in (WITH, WITHOUT):
            timings = [timing for name, timing in found.items() if name.startswith(kind)]
            for timing in timings:
                if not isinstance(timing, Timing):
                    raise SkippedError(timing)
            best[kind] = min(timing.best for timing in timings if isinstance(timing, Timing))
        programs.append({"name": benchmark.name, "n": benchmark.quick, "with": best[WITH], "without": best[WITHOUT]})
    mean = geometric_mean([row["with"] / row["without"] for row in programs])
    return {"programs": programs, "geometric_mean": mean}


def lines(data: dict[str, Any]) -> list[str]:
    """Return the table."""
    rows = [
        [
            row["name"],
            milliseconds(row["with"]),
            milliseconds(row["without"]),
            f"{row['with'] / row['without'] - 1:+.1%}",
        ]
        for row in data["programs"]
    ]
    rows.append(["geometric mean", "", "", f"{data['geometric_mean'] - 1:+.1%}"])
    return table(["program", "with checks ms", "without ms", "cost"], rows)
