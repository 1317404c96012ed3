"""Start-up: whole processes that do next to nothing."""

from __future__ import annotations

import sys
from typing import Any, Final

from benchmarks.catalogue import HELLO
from benchmarks.processes import Command, ProcessError, interleaved
from benchmarks.sections import Options, SkippedError
from benchmarks.table import milliseconds, table

TITLE: Final = "Start-up: whole processes"

ROUNDS: Final = 20
QUICK_ROUNDS: Final = 3

# What the installed script does; `python -m` imports runpy besides.
SCRIPT: Final = "from stoffel.cli.main import entry; entry()"


def measure(options: Options) -> dict[str, Any]:
    """Time bare Python, importing the package, and running a hello program in every way to start it."""
    commands = {
        "python -c pass": Command([sys.executable, "-c", "pass"]),
        "import stoffel": Command([sys.executable, "-c", "import stoffel"]),
        "stoffel run hello": Command([sys.executable, "-c", SCRIPT, "run", str(HELLO)]),
        "python -m stoffel run hello": Command([sys.executable, "-m", "stoffel", "run", str(HELLO)]),
    }
    try:
        found = interleaved(commands, QUICK_ROUNDS if options.quick else ROUNDS)
    except ProcessError as error:
        raise SkippedError(str(error)) from error
    return {name: {"best": wall.best, "median": wall.median} for name, wall in found.items()}


def lines(data: dict[str, Any]) -> list[str]:
    """Return the table."""
    return table(
        ["process", "best ms", "median ms"],
        [[name, milliseconds(row["best"]), milliseconds(row["median"])] for name, row in data.items()],
    )
