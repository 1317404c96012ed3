"""What generated programs are made of: instructions by shape, literal values, and registers by what they hold."""

from __future__ import annotations

from typing import Final

from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.table import ROWS, Flow, OperandKind
from tests.edges import NAN

BINARY: Final = tuple(
    row.name
    for row in ROWS
    if row.operation and [o.kind for o in row.operands] == [OperandKind.TARGET, OperandKind.SOURCE, OperandKind.SOURCE]
)
UNARY: Final = tuple(
    row.name
    for row in ROWS
    if row.operation and [o.kind for o in row.operands] == [OperandKind.TARGET, OperandKind.SOURCE]
)
COMPARE: Final = next(row.name for row in ROWS if row.operation and row.operands[0].kind is OperandKind.SOURCE)
BRANCHES: Final = tuple(row.name for row in ROWS if row.is_branch)
JUMP: Final = next(row.name for row in ROWS if row.flow is Flow.JUMP and not row.is_branch)
PLAIN: Final = tuple(row for row in ROWS if row.flow is Flow.NEXT and row.name not in ("PUSHARG", "ADD"))
"""Rows that a wild instruction may be of: those that neither jump nor grow anything."""

KINDS: Final = tuple(INTEGER_KINDS)
"""Classes of the integer widths."""
FLOATS: Final = (
    0.0,
    -0.0,
    1.5,
    -2.25,
    0.5,
    3.0,
    1e308,
    -1e308,
    5e-324,
    float("inf"),
    float("-inf"),
    NAN,
    1e16,
)
STRINGS: Final = ("", "a", "b", "x1", "é", "__type", "p0", "key")
ACTIONS: Final = ("enable", "disable", "register", "unregister", "look", "call", "fail", "count", "value")
"""What the foreign function ``act`` does at the calls that a case plans."""

# Registers by what they hold. Strings are only ever in X, so that a sum of two others cannot double a string.
SCRATCH: Final = 0
INTEGERS: Final = (1, 2, 3)
FLOATING: Final = (4, 5)
ANYTHING: Final = (6, 7)
ARRAYS: Final = (8,)
OBJECTS: Final = (9,)
CLOSURES: Final = (10, 11)
BOOLEANS: Final = (12,)
TEMPORARY: Final = (13, 14)
FIRST_COUNTER: Final = 15
