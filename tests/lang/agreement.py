"""What compares a program's ways of running: the evaluator, and the machine in a tier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import stoffel
from stoffel.isa.program import Program
from stoffel.lang.compiler import compile_source
from stoffel.lang.source import Source

FILE = "main.stfl"


class Lines:
    def __init__(self) -> None:
        self.pieces: list[str] = []

    def write(self, text: str) -> None:
        self.pieces.append(text)


def compiled(text: str) -> Program | None:
    """Return the program of a generated source, None if the types of its variables cannot be found."""
    try:
        return compile_source(Source(text, "", FILE))
    except stoffel.CompileError as error:
        if error.diagnostics[0].code != "E101":
            raise
        return None


def run(program: Program, make: Callable[..., stoffel.VirtualMachine]) -> dict[str, Any]:
    """Return what a program comes to: its result, or its error with the line; and what it printed."""
    lines = Lines()
    machine = make(output=lines)
    machine.load(program)
    found: dict[str, Any] = {}
    failure: stoffel.VMError | None = None
    try:
        found["result"] = stoffel.diagnostic(machine.execute("main"))
    except stoffel.VMError as error:
        failure = error
    if failure is not None:
        table = program.functions[str(failure.function)].line_table
        assert table is not None
        assert failure.instruction is not None
        found |= {"error": str(failure), "line": table.line_of(failure.instruction)}
    found["output"] = "".join(lines.pieces)
    return found
