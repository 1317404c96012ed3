"""What the commands write: text to standard output, one clear line (and the stack of VM calls) to standard error."""

from __future__ import annotations

import sys
from typing import Final

from stoffel.errors import VMError

SHOWN_CALLS: Final = 8
"""Calls shown at each end of a long stack of VM calls."""
SHOWN_CHARACTERS: Final = 2000
"""Longest message shown in full; a message may quote a string of any length."""


class OutputError(Exception):
    """Standard output cannot be written (its reader going away is BrokenPipeError, and stays that)."""


def put(text: str) -> None:
    """Write *text* to standard output; raise OutputError, or BrokenPipeError when the reader has gone away."""
    if sys.stdout is None:
        raise OutputError("cannot write standard output: it is closed")
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write standard output: {error.strerror or error}") from None


def put_bytes(data: bytes) -> None:
    """Write *data* to standard output; errors as :func:`put`."""
    flush()
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write standard output: {error.strerror or error}") from None


def flush() -> None:
    """Hand everything written so far to the system; errors as :func:`put`."""
    if sys.stdout is None:
        raise OutputError("cannot write standard output: it is closed")
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
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


def one_line(text: object) -> str:
    """Return *text* fit for one line of a terminal: control characters escaped, much too long ones cut."""
    line = str(text)
    if len(line) > SHOWN_CHARACTERS:
        half = SHOWN_CHARACTERS // 2
        line = f"{line[:half]} ...({len(line) - 2 * half} more characters)... {line[-half:]}"
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


def call_stack(error: VMError) -> list[str]:
    """Return the stack of VM calls of *error* as lines, innermost last; the middle of a long one is counted only."""
    calls = [f"  at function {one_line(function)}, instruction {index}" for function, index in error.stack]
    hidden = len(calls) - 2 * SHOWN_CALLS
    if hidden > 1:
        calls[SHOWN_CALLS:-SHOWN_CALLS] = [f"  ... {hidden} more calls ..."]
    return calls
