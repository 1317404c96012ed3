"""What the commands write: text to standard output, one clear line (and the stack of VM calls) to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final, TextIO

from stoffel.errors import VMError, backtrace_lines, escaped

SHOWN_CHARACTERS: Final = 2000
"""Longest message shown in full; a message may quote a string of any length."""
_RED: Final = "\x1b[1;31m"
_BOLD: Final = "\x1b[1m"
_PLAIN: Final = "\x1b[0m"
_WIPE: Final = "\r\x1b[K"
_SHORT: Final = 50
_QUIET: Final = 1.0
"""Seconds of work that nothing is said of."""


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


def has_colours(stream: TextIO | None = None) -> bool:
    """Tell whether *stream* (standard error) shows colours: a terminal does unless the usual variables say otherwise.

    ``NO_COLOR`` says no whatever else is said, ``FORCE_COLOR`` and ``CLICOLOR_FORCE`` say yes.
    """
    said = os.environ.get
    if said("NO_COLOR"):
        return False
    if said("FORCE_COLOR") or said("CLICOLOR_FORCE", "0") != "0":
        return True
    return is_terminal(stream or sys.stderr) and said("CLICOLOR") != "0" and said("TERM") != "dumb"


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether somebody looks at *stream*."""
    return stream is not None and not stream.closed and stream.isatty()


def complain_failure(error: VMError, *more: str) -> None:
    """Write the page of a failed run to standard error: its text, the calls, and the lines *more*."""
    head, calls = f"stoffel: {one_line(error)}", call_stack(error)
    if has_colours():
        head = f"{_RED}{head}{_PLAIN}"
        innermost = next((place for place, line in enumerate(calls) if not line.startswith(" ")), len(calls)) - 1
        calls = [
            f"{_BOLD if place == innermost else _RED}{line}{_PLAIN}"
            if place == innermost or not line.startswith(" ")
            else line
            for place, line in enumerate(calls)
        ]
    complain(head, *calls, *more)


class Progress:
    """Tells how far long work is on standard error, if that is a terminal and the work takes longer than a second.

    Used with ``with``, which wipes the line away in the end; *what* is done with each of *total* pieces.
    """

    def __init__(self, what: str, total: int) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self._from = monotonic() + _QUIET
        self._shown = False

    def __enter__(self) -> Progress:
        return self

    def step(self, name: str) -> None:
        """Say that the next piece, called *name*, begins."""
        self.done += 1
        if is_terminal(sys.stderr) and monotonic() >= self._from:
            self._shown = True
            self._write(f"{_WIPE}{self.what} {self.done} of {self.total}: {escaped(name)[:_SHORT]}")

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._write(_WIPE)

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


def one_line(text: object) -> str:
    """Return *text* fit for one line of a terminal: control characters escaped, much too long ones cut."""
    line = str(text)
    if len(line) > SHOWN_CHARACTERS:
        half = SHOWN_CHARACTERS // 2
        line = f"{line[:half]} ...({len(line) - 2 * half} more characters)... {line[-half:]}"
    return escaped(line)


def shown_lines(text: str) -> list[str]:
    """Return the lines of a listing fit for a terminal: control characters but tabs escaped."""
    return ["\t".join(map(escaped, line.split("\t"))) for line in text.split("\n")]


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
