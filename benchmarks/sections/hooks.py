"""What the hook machinery costs while no hook is enabled.

The interpreter runs against itself without its hook checks (see ``benchmarks.unhooked``), interleaved. Two processes
that do the same differ by a few per cent for reasons of memory layout, so each side has several processes. The cost is
given twice: by the best times, and by the median over all pairs of neighbouring samples, one with and one without the
checks. Where the two disagree the machine was too busy to tell.

And what an enabled hook costs that never fires: for each class of events, how many times as long the interpreter takes
for a loop of calls that has no such event (or, for the events of calls and instructions, whose hook does nothing).
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from contextlib import ExitStack
from typing import Any, Final

from benchmarks.rounds import Timing, Worker
from benchmarks.rounds import measure as measure_rounds
from benchmarks.sections import Options, SkippedError, isolated
from benchmarks.table import geometric_mean, milliseconds, table

TITLE: Final = "Cost of hooks while none is enabled: the interpreter against itself without its hook checks"

WITH: Final = "off"
WITHOUT: Final = "unhooked"
PROCESSES: Final = 3

CALLS: Final = """
function add(a, b)
    ADD     r0, r0, r1
    RET     r0
end
function main(n: int64)
    MOV     r4, r0
    LDI     r1, 0
    LDI     r5, 1
again:
    PUSHARG r1
    PUSHARG r5
    CALL    add
    ADD     r1, r1, r5
    CMP     r1, r4
    JMPLT   again
    RET     r1
end
"""


def classes(turns: int, rounds: int) -> dict[str, float]:
    """Return by class of events what a loop with a hook on it takes, as a multiple of what it takes without one."""
    from stoffel import VirtualMachine, assemble
    from stoffel.runtime.events import EVENTS

    machines = {}
    for event in (None, *EVENTS):
        machine = machines[event] = VirtualMachine()
        machine.load(assemble(CALLS))
        if event is not None:
            machine.register_hook(event, lambda *_: None)
    best = dict.fromkeys(machines, float("inf"))
    for _ in range(rounds):
        for event, machine in machines.items():
            start = time.process_time()
            machine.execute("main", turns)
            best[event] = min(best[event], time.process_time() - start)
    return {event.__name__: best[event] / best[None] for event in EVENTS}


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
        "classes": isolated(__name__, *(["500", "2"] if options.quick else ["20000", "9"])),
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
    result = table(["program", "best with checks ms", "best without ms", "cost by best", "cost by pairs"], rows)
    result += ["", "An enabled hook on one class of events, as a multiple of none, in a loop of calls:", ""]
    return result + table(["event", "times"], [[name, f"{times:.2f}"] for name, times in data["classes"].items()])


if __name__ == "__main__":
    print(json.dumps(classes(*map(int, sys.argv[1:]))))
