"""Every error that Stoffel raises, under one root.

The class tells the consequence (a bad file, bad assembly, a failed run), attributes carry the values, and the text
says what, where and what to do. Nothing of ours is imported here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stoffel.lang.diagnostics import Diagnostic


class ErrorKind(StrEnum):
    """The coarse class of a machine error; compares equal to its own name (``error.kind == "Runtime"``)."""

    ACTIVATION = "Activation"
    CLIENT_INPUT = "ClientInput"
    FOREIGN_FUNCTION = "ForeignFunction"
    FOREIGN_OBJECT = "ForeignObject"
    FUNCTION = "Function"
    HOOK = "Hook"
    MESSAGE = "Message"
    MPC = "Mpc"
    REGISTRATION = "Registration"
    RUNTIME = "Runtime"
    STORAGE = "Storage"
    TABLE_MEMORY = "TableMemory"
    VALUE = "Value"


class StoffelError(Exception):
    """Root of all errors raised by this package."""


class LoadError(StoffelError, ValueError):
    """A ``.stflb`` file (or bytes) cannot be read.

    *category* is ``"io"`` (missing file, unreadable file, end of data inside a field), ``"magic"``, ``"version"`` or
    ``"data"``; *path* names the file when there is one; *offset* is the byte position where reading stopped, or None.
    ``message`` is the bare message without the path.
    """

    def __init__(self, message: str, *, category: str, offset: int | None = None, path: str | None = None) -> None:
        super().__init__(message if path is None else f"{path}: {message}")
        self.message = message
        self.category = category
        self.offset = offset
        self.path = path


class SaveError(StoffelError, ValueError):
    """A program cannot be written: a field does not fit its format, or the file system refused."""


class AssemblyError(StoffelError, ValueError):
    """Text assembly is wrong. *line* and *column* count from 1; *path* is the file's name or ``"<assembly>"``."""

    def __init__(self, message: str, *, path: str = "<assembly>", line: int = 0, column: int = 0) -> None:
        super().__init__(f"{path}:{line}:{column}: {message}")
        self.message = message
        self.path = path
        self.line = line
        self.column = column


class CompileError(StoffelError, ValueError):
    """A StoffelLang source does not compile. *diagnostics* are the findings (see ``stoffel.lang.diagnostics``).

    :meth:`rendered` shows them for people.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic], render: Callable[[bool], list[str]]) -> None:
        more = len(diagnostics) - 1
        super().__init__(f"{diagnostics[0]}{f' (and {more} more)' if more else ''}")
        self.diagnostics = tuple(diagnostics)
        self._render = render

    def rendered(self, *, colour: bool = False) -> list[str]:
        """Return the diagnostics as lines: message, place, the source around it with a caret, help."""
        return self._render(colour)


class VMError(StoffelError, RuntimeError):
    """A machine operation failed: a program run, a registration, a table access by the host.

    ``str(error)`` is exactly the text that the machine defines for the failure. *kind* is its coarse class.
    *function* and *instruction* (0-based index) say where a program run failed, None outside a run. *stack* is the
    stack of VM calls at that moment, oldest first, as ``(function, instruction)`` pairs. *inner_kind* is the kind of
    the error that a foreign function passed on, when it came from a machine service.
    """

    def __init__(self, text: str, kind: ErrorKind = ErrorKind.RUNTIME, *, inner_kind: ErrorKind | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.inner_kind = inner_kind
        self.function: str | None = None
        self.instruction: int | None = None
        self.stack: tuple[tuple[str, int], ...] = ()
