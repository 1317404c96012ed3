"""The Pythons whose bytecode the translator knows: looked at in every run, so apart from what assembles for them."""

from __future__ import annotations

import sys
from typing import Final

KNOWN_VERSIONS: Final = ((3, 11), (3, 12), (3, 13), (3, 14), (3, 15))


def is_cpython() -> bool:
    """Return whether this is CPython, of whatever version: then kernels, which are no bytecode, can be called."""
    return sys.implementation.name == "cpython"


def why_not() -> str | None:
    """Return why no code objects can be written for this Python, as a sentence, or None if they can."""
    if not is_cpython():
        return f"the translator writes CPython bytecode, and this is {sys.implementation.name}"
    if sys.version_info[:2] not in KNOWN_VERSIONS:
        known = ", ".join(f"{major}.{minor}" for major, minor in KNOWN_VERSIONS)
        version = ".".join(map(str, sys.version_info[:2]))
        return f"the translator knows the bytecode of CPython {known}, and this is {version}"
    if "free-threading" in sys.version:
        return "the translator writes code for one thread at a time, and this CPython is built without the global lock"
    return None
