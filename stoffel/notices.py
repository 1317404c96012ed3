"""Sentences about this computer and its settings that nothing fails for: said on standard error, once in a process."""

from __future__ import annotations

import sys
from contextlib import suppress

_said: set[str] = set()


def say_once(sentence: str) -> None:
    """Write ``stoffel: SENTENCE`` to standard error unless that was done; where there is none, nobody is told."""
    if sentence in _said:
        return
    _said.add(sentence)
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            sys.stderr.write(f"stoffel: {sentence}\n")
