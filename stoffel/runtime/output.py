"""Output sinks: where ``print`` writes its lines."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from stoffel.errors import ErrorKind, VMError

Sink = Callable[[str], Any]


def open_sink(output: Any) -> Callable[[str], None]:
    """Return a function that writes one line to *output*.

    *output* is None (standard output, looked up at each write), an object with a ``write`` method (each line is
    written with its newline) or a callable that takes the line without one. A failure becomes VMError ``VM output
    write failed: REASON``; a closed pipe (BrokenPipeError) is left to the host, whose convention it is. Raises
    TypeError for anything else.
    """
    if output is None:

        def write(line: str) -> None:
            sys.stdout.write(line + "\n")

    elif hasattr(output, "write"):

        def write(line: str) -> None:
            output.write(line + "\n")

    elif callable(output):
        write = output
    else:
        raise TypeError(f"output must be None, a file or a callable taking a line, not {type(output).__name__}")

    def guarded(line: str) -> None:
        try:
            write(line)
        except (BrokenPipeError, VMError):
            raise
        except Exception as error:
            raise VMError(f"VM output write failed: {error}", ErrorKind.MESSAGE) from error

    return guarded
