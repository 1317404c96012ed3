"""Every builtin of the machine, in order of registration."""

from __future__ import annotations

from typing import Final

from stoffel.model.foreign import ForeignFunction
from stoffel.runtime.builtins import (
    access,
    byte_arrays,
    closures,
    curve_points,
    equality,
    lists,
    local_storage,
    mpc,
    printing,
    sorting,
)

STANDARD_LIBRARY: Final[tuple[ForeignFunction, ...]] = (
    *access.FAMILY.functions,
    *lists.FAMILY.functions,
    *equality.FAMILY.functions,
    *sorting.FAMILY.functions,
    *printing.FAMILY.functions,
    *closures.FAMILY.functions,
    *local_storage.FAMILY.functions,
)
"""The clear standard library."""

MPC_BUILTINS: Final[tuple[ForeignFunction, ...]] = (
    *mpc.SHARES.functions,
    *mpc.FAMILY.functions,
    *byte_arrays.FAMILY.functions,
    *curve_points.FAMILY.functions,
)
"""Byte and crypto helpers, and what needs an MPC engine or its clients."""

METHODS: Final[tuple[tuple[str, str, str], ...]] = mpc.METHODS
"""Built-in methods as ``(receiver type, method, canonical function name)``."""
