"""What goes wrong while code is compiled fails no run: it is said once, and the function runs as before."""

from __future__ import annotations

from stoffel.compiler.refusal import Refusal
from stoffel.notices import say_once

forgiven = True
"""False has such errors raised: the test suite is to see them."""


def refusal_for(error: Exception, function: str | None = None) -> Refusal:
    """Return what *error*, which is none that compiling raises by design, means for *function*: it is not compiled."""
    if not forgiven:
        raise error
    sentence = f"compiling it failed: {type(error).__name__}: {' '.join(str(error).split())}"
    say_once(f"something was not compiled, and runs as before ({type(error).__name__}: {error})")
    return Refusal(sentence, function)
