"""``stoffel fmt``: StoffelLang sources in the one layout."""

from __future__ import annotations

from typing import Final

from stoffel.cli import report, status
from stoffel.cli.files import LANGUAGE_EXTENSION, STANDARD, read_source
from stoffel.cli.options import Command, Option, Parsed, UsageError


def run(parsed: Parsed) -> int:
    """Format every file; returns the exit status of the worst."""
    return max(_format(path, only_check="--check" in parsed.options) for path in parsed.operands)


def _format(path: str, *, only_check: bool) -> int:
    from stoffel.errors import LoadError
    from stoffel.isa.writer import write_file
    from stoffel.lang.diagnostics import Failure, render
    from stoffel.lang.formatting import FormatError, format_source
    from stoffel.lang.source import Source

    if path != STANDARD and not path.endswith(LANGUAGE_EXTENSION):
        raise UsageError(f"sources are named *{LANGUAGE_EXTENSION}, and {report.one_line(path)} is not")
    data = read_source(path).data
    try:
        source = Source(data.decode(), "" if path == STANDARD else path)
    except UnicodeDecodeError as problem:
        message = "is not valid UTF-8, which sources are"
        raise LoadError(message, category="data", offset=problem.start, path=path) from None
    try:
        text = format_source(source)
    except (FormatError, Failure) as problem:
        found = problem.diagnostics if isinstance(problem, FormatError) else [problem.diagnostic]
        report.complain(*render(found, {source.file: source.lines()}, colour=report.has_colours()))
        return status.BAD_FILE
    formatted = text.encode()
    if only_check:
        if formatted != data:
            report.complain(f"stoffel: {report.one_line(path)}: is not formatted")
            return status.FAILED
    elif path == STANDARD:
        report.put_bytes(formatted)
    elif formatted != data:
        write_file(path, formatted)
    return status.OK


COMMAND: Final = Command(
    name="fmt",
    summary="Bring StoffelLang sources into the one layout, in place.",
    operands=("FILE...",),
    options=(Option("--check", "Write nothing; status 1 if a file is not formatted."),),
    details="Only spaces, blank lines and comments change. - formats standard input to standard output.",
    examples=(
        ("stoffel fmt *.stfl", "format files in place"),
        ("stoffel fmt --check *.stfl", "for CI: say which files are not formatted"),
    ),
    run=run,
)
