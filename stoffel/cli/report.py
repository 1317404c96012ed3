"""What the commands write: text to standard output, one clear line (and the stack of VM calls) to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Sequence
from typing import Final, TextIO

from stoffel.errors import VMError, backtrace_lines, escaped

SHOWN_CHARACTERS: Final = 2000
"""Longest message shown in full; a message may quote a string of any length."""


class OutputError(Exception):
    """Standard output cannot be written (its reader going away is BrokenPipeError, and stays that)."""


def put(text: str) -> None:
    """Write *text* to standard output; raise OutputError, or BrokenPipeError when the reader has gone away."""
    with _output() as stdout:
        stdout.write(text)


def put_bytes(data: bytes) -> None:
    """Write *data* to standard output at once; errors as :func:`put`."""
    with _output() as stdout:
        stdout.flush()
        stdout.buffer.write(data)
        stdout.buffer.flush()


def flush() -> None:
    """Hand everything written so far to the system; errors as :func:`put`."""
    with _output() as stdout:
        stdout.flush()


class _output:  # noqa: N801 - read as a statement: `with _output() as stdout`
    """Standard output, with its failures told in the words of this module."""

    def __enter__(self) -> TextIO:
        if sys.stdout is None:
            raise OutputError("cannot write standard output: it is closed")
        return sys.stdout

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise OutputError(f"cannot write standard output: {error.strerror or error}") from None


def complain(*lines: str) -> None:
    """Write *lines* to standard error; a failure of that is passed over, there being nobody to tell."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write("".join(line + "\n" for line in lines))
        sys.stderr.flush()
    except OSError:
        return


def has_colours() -> bool:
    """Tell whether standard error shows colours: a terminal does unless the usual variables say otherwise."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") != "0":
        return True
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("CLICOLOR") != "0"


def one_line(text: object) -> str:
    """Return *text* fit for one line of a terminal: control characters escaped, much too long ones cut."""
    line = str(text)
    if len(line) > SHOWN_CHARACTERS:
        half = SHOWN_CHARACTERS // 2
        line = f"{line[:half]} ...({len(line) - 2 * half} more characters)... {line[-half:]}"
    return escaped(line)


def count(number: int, noun: str) -> str:
    """Return ``"1 function"``, ``"2 functions"``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def table(rows: Sequence[Sequence[str]], left: Container[int] = (0,)) -> list[str]:
    """Return *rows* as lines in columns; the columns *left* begin on one line, the others end on one."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if position in left else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return lines


def call_stack(error: VMError) -> list[str]:
    """Return where *error* was raised as lines: its calls, innermost last, and what it comes from in the same way."""
    lines = backtrace_lines(error)
    cause = error.__cause__
    while cause is not None:
        if isinstance(cause, VMError):
            if cause.stack:
                lines += [f"because of: {one_line(cause)}", *backtrace_lines(cause)]
        elif place := _place_in_python(cause):
            lines.append(f"because of: {type(cause).__name__}: {one_line(cause)}    {one_line(place)}")
        cause = cause.__cause__
    return lines


def _place_in_python(error: BaseException) -> str:
    """Return ``file:line`` of the Python code that raised *error*, "" if that is code of this package."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "stoffel":
        return ""
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
