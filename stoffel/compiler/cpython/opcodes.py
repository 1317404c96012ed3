"""How the instructions of the CPython that runs this differ from those of other versions."""

from __future__ import annotations

import sys
from opcode import opmap
from typing import Final

VERSION: Final = sys.version_info[:2]
OLD: Final = VERSION < (3, 12)
"""True for CPython 3.11, which has PRECALL, LOAD_METHOD and jumps with a direction in their names."""
ITERATOR: Final = 1 if VERSION < (3, 15) else 2
"""Places on the evaluation stack that a loop's iterator takes: since 3.15 it may be a sequence and an index."""

_COMPARE_SHIFT: Final = 0 if OLD else 4 if VERSION < (3, 13) else 5
_COMPARE_BITS: Final = (0, 0, 0, 0, 0, 0) if OLD else (2, 10, 8, 7, 4, 12)
"""For specialised comparisons since 3.12: 1 unordered, 2 less, 4 greater, 8 equal (CPython's compile.c)."""
_COMPARE_BOOL: Final = 16 if VERSION >= (3, 13) else 0
"""Since 3.13 a comparison must be told that its result is to be a bool."""
COMPARE: Final = {
    operator: index << _COMPARE_SHIFT | bits | _COMPARE_BOOL
    for index, (operator, bits) in enumerate(zip(("<", "<=", "==", "!=", ">", ">="), _COMPARE_BITS, strict=True))
}
"""Arguments of COMPARE_OP."""
BINARY: Final = {
    "ADD": 0,
    "AND": 1,
    "//": 2,
    "SHL": 3,
    "MUL": 5,
    "%": 6,
    "OR": 7,
    "SHR": 9,
    "SUB": 10,
    "/": 11,
    "XOR": 12,
}
"""Arguments of BINARY_OP (CPython's opcode.h)."""
SUBSCRIPT: Final = 26
"""The same for a subscript since 3.14, which has no instruction of its own for it."""
OPERATORS: Final = frozenset(BINARY)
"""What :meth:`Writer.binary` takes."""

IF_TRUE: Final = "POP_JUMP_FORWARD_IF_TRUE" if OLD else "POP_JUMP_IF_TRUE"
IF_FALSE: Final = "POP_JUMP_FORWARD_IF_FALSE" if OLD else "POP_JUMP_IF_FALSE"

LOAD_CONST: Final = opmap.get("LOAD_CONST")
LOADED: Final = {
    opmap[name]: name.count("LOAD_FAST")
    for name in (
        "LOAD_FAST",
        "LOAD_FAST_LOAD_FAST",
        "LOAD_FAST_BORROW",
        "LOAD_FAST_BORROW_LOAD_FAST_BORROW",
    )
    if name in opmap
}
"""How many locals the instructions push that do nothing else."""
BORROWED: Final = {
    opmap[name]: opmap[name.replace("LOAD_FAST", "LOAD_FAST_BORROW")]
    for name in ("LOAD_FAST", "LOAD_FAST_LOAD_FAST")
    if "LOAD_FAST_BORROW" in opmap
}
"""Since 3.14: what to write instead where the local keeps its value until it is taken off, and so can lend it."""
OWNED: Final = {borrowed: owned for owned, borrowed in BORROWED.items()}
PAIRS: Final = {
    (opmap[first], second): f"{first}_{second}"
    for first, second in (("LOAD_FAST", "LOAD_FAST"), ("STORE_FAST", "LOAD_FAST"), ("STORE_FAST", "STORE_FAST"))
    if f"{first}_{second}" in opmap
}
"""What CPython has one instruction for since 3.13, if both locals are among the first 16."""
