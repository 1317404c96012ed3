"""What goes wrong while code is compiled fails no run: it is said once, and the function runs as before."""

from __future__ import annotations

import sys
from typing import Final

from stoffel.compiler.refusal import Refusal
from stoffel.notices import say_once

_OURS: Final = frozenset({"stoffel", "llvmlite", "bytecode", *sys.stdlib_module_names})
"""Packages in which compiling goes wrong, if it does."""

forgiven = True
"""False has such errors raised: the test suite is to see them."""


def refusal_for(error: Exception, function: str | None = None) -> Refusal:
    """Return what *error*, which is none that compiling raises by design, means for *function*: it is not compiled."""
    if not forgiven or not _is_of_compiling(error):
        raise error
    sentence = f"compiling it failed: {type(error).__name__}: {' '.join(str(error).split())}"
    say_once(f"something was not compiled, and runs as before ({type(error).__name__}: {error})")
    return Refusal(sentence, function)


def _is_of_compiling(error: Exception) -> bool:
    """Return whether *error* comes from a compiler and its libraries, not from a signal handler or another thread."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    places = [type(error).__module__] + ([] if trace is None else [str(trace.tb_frame.f_globals.get("__name__", ""))])
    return all(place.partition(".")[0] in _OURS for place in places)
