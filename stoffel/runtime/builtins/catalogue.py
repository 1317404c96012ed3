"""Every builtin of the machine, in order of registration."""

from __future__ import annotations

from typing import Final

from stoffel.model.builtins import basics, mpc, table
from stoffel.model.foreign import ForeignFunction
from stoffel.runtime.builtins import access, closures, equality, lists, printing, sorting
from stoffel.runtime.builtins.registry import later

_HERE: Final = "stoffel.runtime.builtins"

STANDARD_LIBRARY: Final[tuple[ForeignFunction, ...]] = (
    *access.FUNCTIONS,
    *lists.FUNCTIONS,
    *equality.FUNCTIONS,
    *sorting.FUNCTIONS,
    *printing.FUNCTIONS,
    *closures.FUNCTIONS,
    *[later(row, f"{_HERE}.local_storage") for row in basics.STORAGE],
)
"""The clear standard library."""

MPC_BUILTINS: Final[tuple[ForeignFunction, ...]] = (
    *[
        later(row, f"{_HERE}.mpc")
        for rows in (mpc.SHARING, mpc.MPC, mpc.CLIENTS, mpc.FIELD, mpc.BROADCAST, mpc.AVSS)
        for row in rows
    ],
    *[later(row, f"{_HERE}.byte_arrays") for row in mpc.HASHES],
    *[later(row, f"{_HERE}.curve_points") for row in mpc.CURVES],
)
"""Byte and crypto helpers, and what needs an MPC engine or its clients."""

METHODS: Final = table.METHODS
"""Built-in methods as ``(receiver type, method, canonical function name)``."""

table.complete({function.name: function for function in (*STANDARD_LIBRARY, *MPC_BUILTINS)}, None, f"{_HERE}.catalogue")
