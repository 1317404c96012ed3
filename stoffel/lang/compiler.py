"""The door of the compiler: source text or a file in, a program out."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from stoffel.errors import CompileError, LoadError
from stoffel.isa.program import Program
from stoffel.lang.diagnostics import INTERNAL, error, render
from stoffel.lang.modules import Loader, Problems, link
from stoffel.lang.source import Source

EXTENSION: Final = ".stfl"
"""How names of source files end."""
_RECURSION: Final = 60_000
"""Python calls that the compiler may nest: several for each of the parser's levels of nesting."""


@contextmanager
def room() -> Iterator[None]:
    """Let Python nest deeply enough for what the parser lets pass; these calls take no C stack.

    Nor does Python look for garbage meanwhile: trees are made of tuples, which are never part of a cycle.
    """
    before = sys.getrecursionlimit()
    collects = gc.isenabled()
    sys.setrecursionlimit(max(before, _RECURSION))
    gc.disable()
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
        if collects:
            gc.enable()


def compile_source(source: Source, loader: Loader | None = None) -> Program:
    """Return the program of *source* and of what it imports. Raises CompileError."""
    loader = loader or Loader()
    if source.path:
        identity = os.path.realpath(source.path)
        loader.chain.append((identity, source.file.removesuffix(EXTENSION)))
    with room():
        try:
            checked = loader.load(source)
            found = loader.errors or loader.late
            if not found:
                return link(checked, loader)
        except Problems as problems:
            found = [*loader.errors, *problems.diagnostics]
        except RecursionError:
            found = [error(INTERNAL, "expression is nested too deeply", None, "Use variables for its parts")]

    def rendered(colour: bool) -> list[str]:
        return render(found, {name: one.lines() for name, one in loader.sources.items()}, colour=colour)

    raise CompileError(found, rendered)


def compile_bytes(data: bytes, path: str, loader: Loader | None = None) -> Program:
    """Return the program of *data*, what the file *path* holds. Raises CompileError, and LoadError if it is no text.

    A *loader* of the caller's tells afterwards which files were imported.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as problem:
        message = "is not valid UTF-8, which sources are"
        raise LoadError(message, category="data", offset=problem.start, path=path) from None
    return compile_source(Source(text, path), loader)


def compile_file(path: str) -> Program:
    """Return the program of the file *path*. Raises CompileError, or LoadError if the file cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs start-up time
            data = file.read()
    except OSError as problem:
        raise LoadError(f"cannot read: {problem.strerror or problem}", category="io", path=path) from None
    return compile_bytes(data, path)


def compile(path_or_text: str | os.PathLike[str]) -> Program:  # noqa: A001 - `stoffel.compile`
    """Return the program of a StoffelLang source.

    A path (a ``PathLike``, or a string that ends with ``.stfl`` and has one line) is read; any other string is the
    source itself. Raises CompileError, whose ``diagnostics`` say what is wrong and where, and LoadError if a file
    cannot be read.
    """
    if not isinstance(path_or_text, str):
        return compile_file(os.fspath(path_or_text))
    if path_or_text.endswith(EXTENSION) and "\n" not in path_or_text:
        return compile_file(path_or_text)
    return compile_source(Source(path_or_text))
