"""The Pythons whose bytecode the translator knows: looked at in every run, so apart from what assembles for them."""

from __future__ import annotations

import sys
from typing import Final

KNOWN_VERSIONS: Final = ((3, 11), (3, 12), (3, 13), (3, 14), (3, 15))


def why_not() -> str | None:
    """Return why this Python cannot run compiled code, as a sentence, or None if it can."""
    if sys.implementation.name != "cpython":
        return f"the translator writes CPython bytecode, and this is {sys.implementation.name}"
    if sys.version_info[:2] not in KNOWN_VERSIONS:
        known = ", ".join(f"{major}.{minor}" for major, minor in KNOWN_VERSIONS)
        version = ".".join(map(str, sys.version_info[:2]))
        return f"the translator knows the bytecode of CPython {known}, and this is {version}"
    return None
