"""Every error that Stoffel raises, under one root.

The class tells the consequence (a bad file, bad assembly, a failed run), attributes carry the values, and the text
says what, where and what to do. Nothing of ours is imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

SHOWN_LINES: Final = 8
"""Lines shown at each end of a long backtrace."""
_LONGEST_COMPARED: Final = 64
_MOST_COMPARED: Final = 1000


class ErrorKind(StrEnum):
    """The coarse class of a machine error; compares equal to its own name (``error.kind == "Runtime"``)."""

    ACTIVATION = "Activation"
    """There is no activation record where one is needed: no error of this machine has this kind."""
    CLIENT_INPUT = "ClientInput"
    """An input that a client would send is not there."""
    FOREIGN_FUNCTION = "ForeignFunction"
    """A foreign function, a builtin or one of the host, has failed."""
    FOREIGN_OBJECT = "ForeignObject"
    """A handle is of no object of this machine, or the object is in use."""
    FUNCTION = "Function"
    """A function is not well formed: the machine refuses to load it."""
    HOOK = "Hook"
    """A hook has failed."""
    LIMIT = "Limit"
    """The run exceeded one of its limits, or was interrupted."""
    MESSAGE = "Message"
    """A value cannot become text or a Python value, or a line cannot be written."""
    MPC = "Mpc"
    """An operation needs an engine for secret computation, or gets no bytes for one."""
    REGISTRATION = "Registration"
    """A name is registered already."""
    RUNTIME = "Runtime"
    """A run cannot go on: an unknown function, a wrong number of arguments, calls that are too deep, no memory."""
    STORAGE = "Storage"
    """The storage of the machine has failed, or refuses a value."""
    TABLE_MEMORY = "TableMemory"
    """A table does not exist, is of another sort, or would grow too long."""
    VALUE = "Value"
    """An operation does not take these values: their types, a range, a division by zero."""


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


class Diagnostic(NamedTuple):
    """One finding about a source.

    *severity* is ``"error"``, ``"warning"`` or ``"fatal"`` (a limit of this compiler), *code* ``"E001"`` (syntax),
    ``"E101"`` (types), ``"E201"`` (meaning) or ``"E901"`` (a limit). *file*, *line* and *column* say where; *line* is
    0 if the finding has no place. *help* says what to do, empty if there is nothing to say.
    """

    severity: str
    code: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    help: str = ""

    def as_data(self) -> dict[str, Any]:
        """Return the diagnostic as a mapping for JSON; without a place it has no file, line and column."""
        found: dict[str, Any] = {"severity": self.severity, "code": self.code, "message": self.message}
        if self.line:
            found |= {"file": self.file, "line": self.line, "column": self.column}
        if self.help:
            found["help"] = self.help
        return found

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else ""
        return f"{place}{self.severity}[{self.code}]: {self.message}"


class CompileError(StoffelError, ValueError):
    """A StoffelLang source does not compile. *diagnostics* are the findings.

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


class BacktraceFrame(NamedTuple):
    """One call of a failed run: where it was. ``text`` is the instruction, "" if it is not known."""

    function: str
    instruction: int
    text: str = ""
    file: str | None = None
    line: int | None = None


class VMError(StoffelError, RuntimeError):
    """A machine operation failed: a program run, a registration, a table access by the host.

    ``str(error)`` is exactly the text that the machine defines for the failure. *kind* is its coarse class.
    *function* and *instruction* (0-based index) say where a program run failed, None outside a run. *stack* is the
    stack of VM calls at that moment, oldest first, as ``(function, instruction)`` pairs, and ``backtrace`` the same
    with the instructions and their places in the source. *operands* are the values that the failing instruction read,
    by register or variable, as text; the arguments of a CALL have no name. The notes of the exception tell all that,
    so Python's ordinary traceback shows it. *inner_kind* is the kind of the error that a foreign function passed on,
    when it came from a machine service.
    """

    def __init__(self, text: str, kind: ErrorKind = ErrorKind.RUNTIME, *, inner_kind: ErrorKind | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.inner_kind = inner_kind
        self.function: str | None = None
        self.instruction: int | None = None
        self.stack: tuple[tuple[str, int], ...] = ()
        self.operands: tuple[tuple[str, str], ...] = ()
        self.describe: Callable[[str, int], BacktraceFrame] = BacktraceFrame
        """Makes a frame of the backtrace from a pair of the stack; whoever notes the stack knows the program."""

    @property
    def backtrace(self) -> tuple[BacktraceFrame, ...]:
        """The stack of VM calls, oldest first, with instructions and places."""
        describe = self.describe
        return tuple([describe(function, index) for function, index in self.stack])

    @property
    def __notes__(self) -> list[str]:
        """What :meth:`add_note` adds, after the backtrace."""
        notes: list[str] | None = self.__dict__.get("notes")
        if notes is None:
            if not self.stack:
                raise AttributeError("__notes__")
            notes = self.__dict__["notes"] = ["\n".join(backtrace_lines(self))]
        return notes

    @__notes__.setter
    def __notes__(self, notes: list[str]) -> None:
        self.__dict__["notes"] = notes

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled is what is known, not the program that knows it.
        frames = {frame[:2]: frame for frame in self.backtrace}
        return VMError, (str(self), self.kind), {**self.__dict__, "describe": _Described(frames)}


class _Described:
    """Finds the frames of a backtrace that was described before."""

    def __init__(self, frames: dict[tuple[str, int], BacktraceFrame]) -> None:
        self.frames = frames

    def __call__(self, function: str, index: int) -> BacktraceFrame:
        return self.frames.get((function, index)) or BacktraceFrame(function, index)


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the name in *known* that is most like *word*, None if none is like it.

    Likeness is the ratio of :mod:`difflib`, at least *cutoff*. Very long names and very many are not compared: that
    takes quadratic time.
    """
    candidates = [name for name in known if len(name) <= _LONGEST_COMPARED]
    if len(word) > _LONGEST_COMPARED or len(candidates) > _MOST_COMPARED:
        return None
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, candidates, n=1, cutoff=cutoff)), None)


def escaped(text: str) -> str:
    """Return *text* with everything that a terminal would not show as a character written as an escape."""
    return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def backtrace_lines(error: VMError) -> list[str]:
    """Return the backtrace of *error* as lines, innermost call last, with the operands of the failing instruction."""
    return _lines(error.stack, error.describe, error.operands)


def frame_lines(calls: Sequence[BacktraceFrame]) -> list[str]:
    """Return *calls*, oldest first, in the same form."""
    return _lines(calls, lambda *frame: BacktraceFrame(*frame), ())


def _lines(
    stack: Sequence[tuple[Any, ...]], describe: Callable[..., BacktraceFrame], operands: Sequence[tuple[str, str]]
) -> list[str]:
    """Return a stack as lines.

    Calls at one place that follow each other are shown once, and of a long stack only both ends.
    """
    lines: list[str] = []
    position = 0
    while position < len(stack):
        place = stack[position]
        end = position + 1
        while end < len(stack) and stack[end] == place:
            end += 1
        if end == len(stack) and end - position > 1 and operands:
            end -= 1  # the innermost one has more to tell
        same = end - position
        line = _line(describe(*place), operands if end == len(stack) else ())
        lines += [line] * same if same < 3 else [line, f"  ... {same - 1} more"]
        position = end
    hidden = len(lines) - 2 * SHOWN_LINES
    if hidden > 1:
        lines[SHOWN_LINES:-SHOWN_LINES] = [f"  ... {hidden} more lines ..."]
    return lines


def _line(frame: BacktraceFrame, operands: Sequence[tuple[str, str]]) -> str:
    parts = [f"  at function {escaped(frame.function)}, instruction {frame.instruction}"]
    if frame.text:
        parts[0] += f": {escaped(frame.text)}"
    if operands:
        parts.append(", ".join([f"{escaped(name)} = {text}" if name else text for name, text in operands]))
    if frame.line is not None:
        parts.append(escaped(f"{frame.file}:{frame.line}"))
    return "    ".join(parts)
