"""Every builtin of the machine, in order of registration."""

from __future__ import annotations

from typing import Final

from stoffel.runtime.builtins import access, closures, equality, lists, printing, sorting
from stoffel.runtime.foreign import ForeignFunction

STANDARD_LIBRARY: Final[tuple[ForeignFunction, ...]] = (
    *access.FAMILY.functions,
    *lists.FAMILY.functions,
    *equality.FAMILY.functions,
    *sorting.FAMILY.functions,
    *printing.FAMILY.functions,
    *closures.FAMILY.functions,
)
"""The clear standard library."""

MPC_BUILTINS: Final[tuple[ForeignFunction, ...]] = ()
"""Byte and crypto helpers, and the builtins that need an MPC engine."""

METHODS: Final[tuple[tuple[str, str, str], ...]] = ()
"""Built-in methods as ``(receiver type, method, canonical function name)``."""
