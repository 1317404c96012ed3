"""Listings of units: what Python's own tools (tracebacks, debuggers, profilers) show as the source of compiled code.

Each unit is its own file for them, whose name belongs to no other unit of the process and whose lines are the unit's
lines. A listing lasts as long as the code object, which a traceback keeps alive.
"""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from itertools import count
from types import CodeType
from typing import overload
from weakref import finalize

from stoffel.compiler.emission.deopt_points import Line
from stoffel.compiler.flow.spliced import Splice

_next_number = count(1).__next__


def listing_name(function: str) -> str:
    """Return a file name for a unit of the VM function *function*."""
    return f"<stoffel:{function}:{_next_number()}>"


class Listing(Sequence[str]):
    """The lines of a unit as text, each written when it is asked for: hardly any of them ever is."""

    __slots__ = ("_indices", "_splice")

    def __init__(self, splice: Splice, lines: Sequence[Line]) -> None:
        self._splice = splice
        self._indices = [line.index for line in lines]

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, position: int) -> str: ...

    @overload
    def __getitem__(self, position: slice) -> list[str]: ...

    def __getitem__(self, position: int | slice) -> str | list[str]:
        if isinstance(position, slice):
            return [self._text(index) for index in self._indices[position]]
        return self._text(self._indices[position])

    def _text(self, index: int) -> str:
        return f"{self._splice.text(index)}\n"


def register_listing(code: CodeType, splice: Splice, lines: Sequence[Line]) -> None:
    """Let Python's tools find the lines of *code*, which runs what is in *splice*, under its file name."""
    name = code.co_filename
    # Without a modification time linecache never looks for a file of that name, nor at the size of the listing.
    linecache.cache[name] = (0, None, Listing(splice, lines), name)  # type: ignore[assignment]
    finalize(code, linecache.cache.pop, name, None).atexit = False
