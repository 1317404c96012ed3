"""``stoffel check``: what a machine would refuse, and what looks wrong, without running anything."""

from __future__ import annotations

from typing import Final

from stoffel.cli import report, status
from stoffel.cli.files import program_name, read_program
from stoffel.cli.options import Command, Parsed
from stoffel.errors import AssemblyError, LoadError


def run(parsed: Parsed) -> int:
    """Check every file; returns the exit status of the worst."""
    bad = [path for path in parsed.operands if not _check(path)]
    return status.BAD_FILE if bad else status.OK


def _check(path: str) -> bool:
    """Print the findings about one file; False if a machine would not take it."""
    from stoffel.isa.check import check
    from stoffel.runtime.builtins.catalogue import MPC_BUILTINS, STANDARD_LIBRARY

    try:
        program = read_program(path)
    except (LoadError, AssemblyError) as error:
        report.complain(f"stoffel: {report.one_line(error)}")
        return False
    builtins = {function.name for function in (*STANDARD_LIBRARY, *MPC_BUILTINS)}
    problems = check(program, reserved=builtins, known=builtins)
    name = report.one_line(program_name(path))
    for problem in problems:
        report.put(f"{name}: {report.one_line(problem)}\n")
    errors = sum(problem.is_error for problem in problems)
    found = (
        f"{report.count(errors, 'error')}, {report.count(len(problems) - errors, 'warning')}" if problems else "fine"
    )
    report.put(f"{name}: {report.count(len(program.functions), 'function')}, {found}\n")
    return not errors


COMMAND: Final = Command(
    name="check",
    summary="Check programs without running them; status 3 if a machine would refuse one.",
    operands=("FILE...",),
    options=(),
    run=run,
)
