"""Files that the commands read and write: content tells what a file is, and output is written whole or not at all."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from stoffel.cli.options import UsageError
from stoffel.errors import AssemblyError, LoadError, SaveError
from stoffel.isa.layout import MAGIC

if TYPE_CHECKING:
    from typing import BinaryIO

    from stoffel.isa.program import Program

STANDARD: Final = "-"
"""The operand that means standard input or standard output."""
LANGUAGE_EXTENSION: Final = ".stfl"
"""How the names of StoffelLang sources end."""
MAX_BINARY: Final = 1 << 30
"""Most bytes of a ``.stflb`` file that are read."""
MAX_TEXT: Final = 1 << 28
"""Most bytes of text assembly that are read."""
_PROBE: Final = 1 << 16
_PIECE: Final = 1 << 20
_NEITHER: Final = "neither a .stflb program (it does not begin with the bytes STFL) nor text assembly"


class Source:
    """The bytes of an input and the *name* by which errors call it."""

    __slots__ = ("name", "data")

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.data = data

    @property
    def is_binary(self) -> bool:
        """True for ``.stflb`` content, False for text."""
        return self.data.startswith(MAGIC)

    @property
    def is_language(self) -> bool:
        """True for StoffelLang, which only the name of its file tells."""
        return self.name.endswith(LANGUAGE_EXTENSION) and not self.is_binary


def program_name(path: str) -> str:
    """Return what errors call the input *path*."""
    return "<stdin>" if path == STANDARD else path


def read_source(path: str) -> Source:
    """Return the content of *path*, of standard input for ``-``. Raises LoadError (category ``"io"``).

    Raises UsageError for an empty name.
    """
    if not path:
        raise UsageError("the name of a file is empty")
    name = program_name(path)
    if path == STANDARD:
        if sys.stdin is None:
            raise LoadError("standard input is closed", category="io", path=name)
        try:
            return Source(name, _read(sys.stdin.buffer, name))
        except OSError as error:
            raise LoadError(f"cannot read: {error.strerror or error}", category="io", path=name) from None
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - pathlib costs start-up time
            return Source(name, _read(file, name))
    except OSError as error:
        raise LoadError(f"cannot read: {error.strerror or error}", category="io", path=name) from None


def _read(file: BinaryIO, name: str) -> bytes:
    """Read everything, but not without end: neither /dev/zero nor an endless pipe must be swallowed."""
    data = file.read(_PROBE) or b""
    binary = data.startswith(MAGIC)
    if b"\0" in data and not binary:
        raise LoadError(_NEITHER, category="magic", offset=0, path=name)
    limit = MAX_BINARY if binary else MAX_TEXT
    pieces = [data]
    size = len(data)
    while data and size <= limit:
        data = file.read(_PIECE) or b""
        pieces.append(data)
        size += len(data)
    if size > limit:
        sort = "a .stflb program" if binary else "text assembly"
        raise LoadError(f"longer than {limit >> 20} MiB, too long for {sort}", category="io", offset=limit, path=name)
    return b"".join(pieces)


def decode(source: Source, cache: str | None = None) -> Program:
    """Return the program in *source*: ``.stflb`` if it begins with the magic bytes, text assembly otherwise.

    A file whose name ends with ``.stfl`` is StoffelLang, and compiled;
    *cache* is the directory for that, as ``--cache`` names it. Raises LoadError, AssemblyError or CompileError.
    A file *named* ``.stflb`` without the magic bytes is told so unless
    it assembles to something.
    """
    if source.is_binary:
        from stoffel.isa.reader import read

        return read(source.data, path=source.name)
    if source.is_language:
        from stoffel.cli.compiled import compiled

        return compiled(source.name, source.data, cache)
    try:
        program = assemble_source(source)
    except AssemblyError:
        if source.name.endswith(".stflb"):
            raise LoadError(_NEITHER, category="magic", offset=0, path=source.name) from None
        raise
    if not program.functions and source.name.endswith(".stflb"):
        raise LoadError(_NEITHER, category="magic", offset=0, path=source.name)
    return program


def assemble_source(source: Source) -> Program:
    """Return the program in the text assembly of *source*. Raises AssemblyError."""
    from stoffel.isa.assembler import assemble

    return assemble(source.data, path=source.name)


def read_program(path: str) -> Program:
    """Return the program in the file *path* (``-`` is standard input). Errors as :func:`decode`."""
    return decode(read_source(path))


def check_output(path: str, source: str) -> None:
    """Raise SaveError if writing *path* would replace the file *source* that it is made from.

    Raises UsageError for an empty name.
    """
    if not path:
        raise UsageError("the name of the file to write is empty")
    if STANDARD in (path, source):
        return
    try:
        same = os.path.samefile(path, source)  # noqa: PTH121 - pathlib costs start-up time
    except OSError:
        return
    if same:
        raise SaveError(f"{path}: is the input file; give another name with -o")
