"""``stoffel map``: a function over the rows of a Parquet or CSV file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.cli import report, status
from stoffel.cli.files import check_output, read_program
from stoffel.cli.options import Command, Option, Parsed, UsageError
from stoffel.errors import StoffelError

if TYPE_CHECKING:
    from stoffel.columns.files import Mapped
    from stoffel.isa.program import Program

_EXTRA: Final = "stoffel map needs pyarrow, which is not installed: pip install 'stoffel-vm[columns]'"


def run(parsed: Parsed) -> int:
    """Map a file; returns the exit status."""
    path, source, target = parsed.operands
    for name in (source, target):
        if not name.endswith((".parquet", ".csv")):
            raise UsageError(f"tables are named *.parquet or *.csv, and {report.one_line(name)} is not")
    check_output(target, source)
    check_output(target, path)
    program = read_program(path)
    done = _mapped(program, source, target, parsed)
    if done.failed and done.first is not None:
        failed = report.count(done.failed, "row")
        report.complain(f"stoffel: {failed} of {done.rows} failed, the first: {report.one_line(done.first)}")
    return status.OK


def _mapped(program: Program, source: str, target: str, parsed: Parsed) -> Mapped:
    try:
        from stoffel.columns.files import map_file
        from stoffel.columns.vectorized import Vectorized
    except ModuleNotFoundError as error:
        raise StoffelError(f"columns need NumPy, which is not installed: {error}") from None
    options = parsed.options
    entry = options.get("--entry", "main")
    strict = options.get("--errors", "raise") == "raise"
    try:
        score = Vectorized(program, entry, "collect", True, "auto")
    except ValueError as error:
        raise UsageError(str(error)) from None
    try:
        with report.Progress(f"{entry}: batch", 0) as progress:

            def step(done: int, total: int) -> None:
                progress.total = total
                progress.step(f"{source}, {done} done")

            column, replace = options.get("--as", entry), "--force" in options
            return map_file(score, source, target, column=column, strict=strict, replace=replace, step=step)
    except ModuleNotFoundError:
        raise StoffelError(_EXTRA) from None


COMMAND: Final = Command(
    name="map",
    summary="Run a function over the rows of a Parquet or CSV file.",
    operands=("FILE", "INPUT", "OUTPUT"),
    options=(
        Option("--entry", "Function to run; its parameters are the columns of their names (main).", value="NAME"),
        Option("--as", "Name of the column of results (that of the function).", value="COLUMN"),
        Option(
            "--errors",
            "What a row that fails does: raise ends the command, null makes its result null.",
            value="HOW",
            choices=("raise", "null"),
        ),
        Option("--force", "Replace an OUTPUT that exists."),
    ),
    examples=(
        ("stoffel map rules.stfl people.parquet scored.parquet --entry=score", "add the column score"),
        ("stoffel map rules.stfl people.csv scored.csv --entry=score --errors=null", "go on where a row fails"),
    ),
    run=run,
)
