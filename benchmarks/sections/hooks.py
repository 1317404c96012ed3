"""What the hook machinery costs while no hook is enabled.

The interpreter runs against itself without its hook checks (see ``benchmarks.unhooked``), interleaved. Two processes
that do the same differ by a few per cent for reasons of memory layout, so each side has several processes. The cost is
given twice: by the best times, and by the median over all pairs of neighbouring samples, one with and one without the
checks. Where the two disagree the machine was too busy to tell.
"""

from __future__ import annotations

import statistics
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
PROCESSES: Final = 3


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
            # A small difference: many short samples.
            effort = options.effort._replace(
                rounds=options.effort.rounds * 3, sample=options.effort.sample / 4, warm_up=options.effort.warm_up / 3
            )
            found = measure_rounds(workers, benchmark.quick, effort)
        timings: dict[str, Timing] = {}
        for name, timing in found.items():
            if not isinstance(timing, Timing):
                raise SkippedError(timing)
            timings[name] = timing
        pairs = [
            (slow, fast)
            for name, timing in timings.items()
            if name.startswith(WITH)
            for slow, fast in zip(timing.samples, timings[WITHOUT + name.removeprefix(WITH)].samples, strict=True)
        ]
        programs.append(
            {
                "name": benchmark.name,
                "n": benchmark.quick,
                "with": min(slow for slow, _ in pairs),
                "without": min(fast for _, fast in pairs),
                "ratio": statistics.median(slow / fast for slow, fast in pairs),
            }
        )
    return {
        "programs": programs,
        "geometric_mean_of_best": geometric_mean([row["with"] / row["without"] for row in programs]),
        "geometric_mean_of_pairs": geometric_mean([row["ratio"] for row in programs]),
    }


def lines(data: dict[str, Any]) -> list[str]:
    """Return the table."""
    rows = []
    for row in data["programs"]:
        best = f"{row['with'] / row['without'] - 1:+.1%}"
        pairs = f"{row['ratio'] - 1:+.1%}"
        rows.append([row["name"], milliseconds(row["with"]), milliseconds(row["without"]), best, pairs])
    means = [f"{data[key] - 1:+.1%}" for key in ("geometric_mean_of_best", "geometric_mean_of_pairs")]
    rows.append(["geometric mean", "", "", *means])
    return table(["program", "best with checks ms", "best without ms", "cost by best", "cost by pairs"], rows)
