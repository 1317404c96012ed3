"""Values at which something changes, type by type: limits, signs, widths, what Floats can no longer tell apart."""

from __future__ import annotations

import struct
from math import inf
from typing import Any

from stoffel.isa.scalars import INTEGER_KINDS

NAN = inf * 0.0
"""The NaN that the host's operations make: of two that differ, CPython gives sometimes one, sometimes the other."""
FLOATS = (0.0, -0.0, 0.5, -0.5, 1.0, -1.5, 3.0, 2.0**53, 2.0**53 + 2, 2.0**63, -(2.0**63), 2.0**64, 1e308, -1e308)
FLOATS += (5e-324, -5e-324, 2.2250738585072014e-308, 9.223372036854775e18, 1.8446744073709550e19, inf, -inf, NAN)
BOOLS = (False, True)


def edges(cls: type) -> list[Any]:
    """Return the values of an integer type, float or bool at which something changes."""
    if cls is float:
        return [*FLOATS]
    if cls is bool:
        return [*BOOLS]
    kind = INTEGER_KINDS[cls]
    numbers = {kind.minimum, kind.minimum + 1, -1, 0, 1, 2, 3, kind.bits - 1, kind.bits, kind.maximum - 1, kind.maximum}
    root = 1 << (kind.bits // 2)
    numbers |= {root - 1, root, -root, kind.maximum // 2, kind.maximum // 2 + 1, 2**53 + 1, 2**63 - 1, 2**63}
    return [cls(number) for number in sorted(numbers) if kind.minimum <= number <= kind.maximum]


def bits_of(value: float) -> str:
    """Return all 64 bits of a Float: ``repr`` does not tell one NaN from another."""
    return struct.pack(">d", value).hex()
