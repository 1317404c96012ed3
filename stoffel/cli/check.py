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
    from stoffel.model.builtins.table import BY_NAME, METHODS

    try:
        program = read_program(path)
    except (LoadError, AssemblyError) as error:
        report.complain(f"stoffel: {report.one_line(error)}")
        return False
    engine = "an MPC engine; this machine has none"
    lacking = {name: engine for name, row in BY_NAME.items() if row.needs_engine}
    methods = {method: engine for _, method, canonical in METHODS if canonical in lacking and method not in BY_NAME}
    problems = check(program, reserved=BY_NAME, known={*BY_NAME, *methods}, lacking={**lacking, **methods})
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
