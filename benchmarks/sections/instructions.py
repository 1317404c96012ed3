"""Nanoseconds per interpreted VM instruction.

Instructions are counted once, by a hook, at the size ``quick``; the interpreter is timed at the same size. As a
program, ``python -m benchmarks.sections.instructions NAME LEVEL N`` prints the count.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks import ways
from benchmarks.catalogue import BY_NAME
from benchmarks.rounds import Timing, Worker
from benchmarks.rounds import measure as measure_rounds
from benchmarks.sections import Options, SkippedError, isolated
from benchmarks.table import significant, table

TITLE: Final = "Nanoseconds per interpreted VM instruction"


def count(name: str, level: str, n: int) -> int:
    """Return how many instructions ``bench(n)`` of a program executes, as a hook sees them."""
    import stoffel
    from benchmarks.programs import read

    machine = stoffel.VirtualMachine()
    machine.load(read(BY_NAME[name].path(level)))
    seen = 0

    def see(_event: object, _context: object) -> None:
        nonlocal seen
        seen += 1

    machine.register_hook(stoffel.events.BeforeInstructionExecute, see)
    machine.execute("bench", n)
    return seen


def measure(options: Options) -> dict[str, Any]:
    """Count and time every program."""
    programs = []
    for benchmark in options.benchmarks:
        executed = isolated(__name__, benchmark.name, options.level, str(benchmark.quick))
        command = ways.command(ways.INTERPRETER.name, benchmark, options.level, Path(tempfile.gettempdir()))
        with Worker(benchmark.name, command) as worker:
            timing = measure_rounds([worker], benchmark.quick, options.effort)[benchmark.name]
        if not isinstance(timing, Timing):
            raise SkippedError(timing)
        programs.append(
            {
                "name": benchmark.name,
                "n": benchmark.quick,
                "instructions": executed,
                "best": timing.best / executed * 1e9,
                "median": timing.median / executed * 1e9,
            }
        )
    return {"programs": programs}


def lines(data: dict[str, Any]) -> list[str]:
    """Return the table."""
    return table(
        ["program", "n", "instructions", "best ns", "median ns"],
        [
            [row["name"], str(row["n"]), str(row["instructions"]), significant(row["best"]), significant(row["median"])]
            for row in data["programs"]
        ],
    )


if __name__ == "__main__":
    print(count(sys.argv[1], sys.argv[2], int(sys.argv[3])))
