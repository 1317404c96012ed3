"""Numbers of the ``.stflb`` layout that reader and writer share, beside the tables of instructions and types."""

from __future__ import annotations

from typing import Final

MAGIC: Final = b"STFL"
CURRENT_VERSION: Final = 9
"""Version of ``.stflb`` that is written unless another is asked for."""

MAX_COUNT: Final = 1_000_000
"""Most constants, functions, clients, and inputs or outputs of a client that are read."""
MAX_INSTRUCTIONS: Final = 8_000_000
"""Most instructions of a function that are read."""
MAX_STRING_BYTES: Final = 16_777_216
"""Longest string constant that is read."""

# First versions that have a part; versions between them differ in their number only.
MANIFEST_SINCE: Final = 2
BACKEND_SINCE: Final = 3
CURVE_SINCE: Final = 4
TYPES_SINCE: Final = 5
DEMAND_SINCE: Final = 8

# Tags of constants; those of integers are in the table of integer types.
UNIT_TAG: Final = 0
FLOAT_TAG: Final = 9
BOOL_TAG: Final = 10
STRING_TAG: Final = 11
