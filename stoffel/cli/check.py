"""``stoffel check``: what a machine would refuse, and what looks wrong, without running anything."""

from __future__ import annotations

from typing import Any, Final

from stoffel.cli import report, status
from stoffel.cli.files import Source, decode, program_name, read_source
from stoffel.cli.options import Command, Option, Parsed
from stoffel.errors import AssemblyError, CompileError, LoadError
from stoffel.isa.check import OF_COMPILERS


def run(parsed: Parsed) -> int:
    """Check every file; returns the exit status of the worst."""
    collected: list[dict[str, Any]] | None = [] if "--json" in parsed.options else None
    hidden = frozenset[str]() if "--all" in parsed.options else OF_COMPILERS
    bad = []
    with report.Progress("file", len(parsed.operands)) as progress:
        for path in parsed.operands:
            progress.step(path)
            if not _check(path, collected, hidden):
                bad.append(path)
    if collected is not None:
        import json

        report.put(json.dumps({"diagnostics": collected}, ensure_ascii=False) + "\n")
    return status.BAD_FILE if bad else status.OK


def _check(path: str, collected: list[dict[str, Any]] | None, hidden: frozenset[str]) -> bool:
    """Print the findings about one file, or add them to *collected*; False if a machine would not take it.

    Of a ``.stflb`` file, which a compiler has written, findings of the sorts in *hidden* are left out.
    """
    from stoffel.isa.check import check
    from stoffel.model.builtins.table import BY_NAME, METHODS

    source = Source(program_name(path), b"")
    try:
        source = read_source(path)
        program = decode(source)
    except CompileError as error:
        if collected is None:
            report.complain(*error.rendered(colour=report.has_colours()))
        else:
            collected += [one.as_data() for one in error.diagnostics]
        return False
    except AssemblyError:
        from stoffel.isa.assembler import mistakes

        for mistake in mistakes(source.data, path=source.name):
            if collected is None:
                report.complain(f"stoffel: {report.one_line(mistake)}")
            else:
                collected.append(_as_data("error", "assembly", mistake.message, path, mistake.line, mistake.column))
        return False
    except LoadError as error:
        if collected is None:
            report.complain(f"stoffel: {report.one_line(error)}")
        else:
            collected.append(_as_data("error", "file", error.message, path, None, None))
        return False
    engine = "an MPC engine; this machine has none"
    lacking = {name: engine for name, row in BY_NAME.items() if row.needs_engine}
    methods = {method: engine for _, method, canonical in METHODS if canonical in lacking and method not in BY_NAME}
    problems = check(program, reserved=BY_NAME, known={*BY_NAME, *methods}, lacking={**lacking, **methods})
    if source.is_binary:
        problems = [problem for problem in problems if problem.code not in hidden]
    errors = sum(problem.is_error for problem in problems)
    if collected is not None:
        for problem in problems:
            table = program.functions[problem.function].line_table
            line = None if table is None else table.line_of(problem.instruction or 0)
            text = f"function {problem.function}: {problem.message}"
            collected.append(_as_data(problem.severity, problem.code, text, path, line, None))
        return not errors
    name = report.one_line(program_name(path))
    for problem in problems:
        report.put(f"{name}: {report.one_line(problem)}\n")
    found = (
        f"{report.count(errors, 'error')}, {report.count(len(problems) - errors, 'warning')}" if problems else "fine"
    )
    report.put(f"{name}: {report.count(len(program.functions), 'function')}, {found}\n")
    return not errors


def _as_data(severity: str, code: str, message: str, path: str, line: int | None, column: int | None) -> dict[str, Any]:
    return {
        "severity": severity,
        "code": code,
        "message": message,
        "file": program_name(path),
        "line": line,
        "column": column,
    }


COMMAND: Final = Command(
    name="check",
    summary="Check programs without running them; status 3 if a machine would refuse one.",
    operands=("FILE...",),
    options=(
        Option("--all", "Also tell, of .stflb files, what is usual in what compilers write."),
        Option("--json", "Print one JSON object with all findings, under diagnostics, and nothing else."),
    ),
    examples=(
        ("stoffel check *.stfl *.stflb", "check files"),
        ("stoffel check --json hello.stfl", "for editors"),
    ),
    run=run,
)
