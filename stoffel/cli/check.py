"""``stoffel check``: what a machine would refuse, and what looks wrong, without running anything."""

from __future__ import annotations

from typing import Any, Final

from stoffel.cli import report, status
from stoffel.cli.files import program_name, read_program
from stoffel.cli.options import Command, Option, Parsed
from stoffel.errors import AssemblyError, CompileError, LoadError


def run(parsed: Parsed) -> int:
    """Check every file; returns the exit status of the worst."""
    collected: list[dict[str, Any]] | None = [] if "--json" in parsed.options else None
    bad = [path for path in parsed.operands if not _check(path, collected)]
    if collected is not None:
        import json

        report.put(json.dumps({"diagnostics": collected}, ensure_ascii=False) + "\n")
    return status.BAD_FILE if bad else status.OK


def _check(path: str, collected: list[dict[str, Any]] | None) -> bool:
    """Print the findings about one file, or add them to *collected*; False if a machine would not take it."""
    from stoffel.isa.check import check
    from stoffel.model.builtins.table import BY_NAME, METHODS

    try:
        program = read_program(path)
    except CompileError as error:
        if collected is None:
            report.complain(*error.rendered(colour=report.has_colours()))
        else:
            collected += [one.as_data() for one in error.diagnostics]
        return False
    except (LoadError, AssemblyError) as error:
        if collected is None:
            report.complain(f"stoffel: {report.one_line(error)}")
        else:
            collected.append(_as_data("error", path, error))
        return False
    engine = "an MPC engine; this machine has none"
    lacking = {name: engine for name, row in BY_NAME.items() if row.needs_engine}
    methods = {method: engine for _, method, canonical in METHODS if canonical in lacking and method not in BY_NAME}
    problems = check(program, reserved=BY_NAME, known={*BY_NAME, *methods}, lacking={**lacking, **methods})
    errors = sum(problem.is_error for problem in problems)
    if collected is not None:
        collected += [_as_data(problem.severity, path, problem.message) for problem in problems]
        return not errors
    name = report.one_line(program_name(path))
    for problem in problems:
        report.put(f"{name}: {report.one_line(problem)}\n")
    found = (
        f"{report.count(errors, 'error')}, {report.count(len(problems) - errors, 'warning')}" if problems else "fine"
    )
    report.put(f"{name}: {report.count(len(program.functions), 'function')}, {found}\n")
    return not errors


def _as_data(severity: str, path: str, message: object) -> dict[str, Any]:
    return {"severity": severity, "code": "", "message": str(message), "file": program_name(path)}


COMMAND: Final = Command(
    name="check",
    summary="Check programs without running them; status 3 if a machine would refuse one.",
    operands=("FILE...",),
    options=(Option("--json", "Print one JSON object with all findings, under diagnostics, and nothing else."),),
    run=run,
)
