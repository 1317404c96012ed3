"""Listings of units: what Python's own tools (tracebacks, debuggers, profilers) show as the source of compiled code.

Each unit is its own file for them, whose name belongs to no other unit of the process and whose lines are the unit's
lines. A listing lasts as long as the code object, which a traceback keeps alive.
"""

from __future__ import annotations

import linecache
from itertools import count
from types import CodeType
from weakref import finalize

from stoffel.compiler.safepoints import Line

_next_number = count(1).__next__


def listing_name(function: str) -> str:
    """Return a file name for a unit of the VM function *function*."""
    return f"<stoffel:{function}:{_next_number()}>"


def register_listing(code: CodeType, lines: list[Line]) -> None:
    """Let Python's tools find the lines of *code* under its file name."""
    name = code.co_filename
    listing = [f"{line.text}\n" for line in lines]
    # Without a modification time linecache never looks for a file of that name.
    linecache.cache[name] = (sum(map(len, listing)), None, listing, name)
    finalize(code, linecache.cache.pop, name, None).atexit = False
