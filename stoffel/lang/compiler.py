"""The door of the compiler: source text or a file in, a program out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from stoffel.errors import LoadError, StoffelError
from stoffel.isa.program import Program
from stoffel.lang.diagnostics import INTERNAL, Diagnostic, error, render
from stoffel.lang.modules import Loader, Problems, link, read_file
from stoffel.lang.source import Source

EXTENSION: Final = ".stfl"
"""How names of source files end."""
_RECURSION: Final = 60_000
"""Python calls that the compiler may nest: several for each of the parser's levels of nesting."""


class CompileError(StoffelError, ValueError):
    """A source does not compile. *diagnostics* are the findings, *rendered* are they as lines for people."""

    def __init__(self, diagnostics: list[Diagnostic], sources: dict[str, Source]) -> None:
        first = diagnostics[0]
        more = len(diagnostics) - 1
        super().__init__(f"{first}{f' (and {more} more)' if more else ''}")
        self.diagnostics = tuple(diagnostics)
        self._sources = sources

    def rendered(self, *, colour: bool = False) -> list[str]:
        """Return the diagnostics as lines: message, place, the source around it with a caret, help."""
        return render(self.diagnostics, {name: one.lines() for name, one in self._sources.items()}, colour=colour)


@contextmanager
def _deep_recursion() -> Iterator[None]:
    """Let Python nest deeply enough for what the parser lets pass; these calls take no C stack."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def compile_source(source: Source, loader: Loader | None = None) -> Program:
    """Return the program of *source* and of what it imports. Raises CompileError."""
    loader = loader or Loader()
    if source.path:
        identity = os.path.realpath(source.path)
        loader.chain.append((identity, source.file.removesuffix(EXTENSION)))
    with _deep_recursion():
        try:
            checked = loader.load(source)
            found = loader.errors or loader.late
            if not found:
                return link(checked, loader)
        except Problems as problems:
            found = [*loader.errors, *problems.diagnostics]
        except RecursionError:
            found = [error(INTERNAL, "expression is nested too deeply", None, "Use variables for its parts")]
    raise CompileError(found, loader.sources)


def compile_file(path: str) -> Program:
    """Return the program of the file *path*. Raises CompileError, or LoadError if the file cannot be read."""
    try:
        text = read_file(path)
    except UnicodeDecodeError:
        raise LoadError("is not valid UTF-8, which sources are", category="data", path=path) from None
    except OSError as problem:
        raise LoadError(f"cannot read: {problem.strerror or problem}", category="io", path=path) from None
    return compile_source(Source(text, path))


def compile(path_or_text: str | os.PathLike[str]) -> Program:  # noqa: A001 - `stoffel.compile`
    """Return the program of a StoffelLang source.

    A path (a ``PathLike``, or a string that ends with ``.stfl`` and has one line) is read; any other string is the
    source itself. Raises CompileError, whose ``diagnostics`` say what is wrong and where, and LoadError if a file cannot
    be read.
    """
    if not isinstance(path_or_text, str):
        return compile_file(os.fspath(path_or_text))
    if path_or_text.endswith(EXTENSION) and "\n" not in path_or_text:
        return compile_file(path_or_text)
    return compile_source(Source(path_or_text))
