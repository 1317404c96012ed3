"""In which form each operation is written, by the kinds of its operands, and the kinds that its result can have."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from stoffel.compiler.analysis.facts import ANY, BOOL, FLOAT, I64, INTEGERS, NUMBERS, STRING
from stoffel.isa.table import OPERATION_NAMES, complete

ORDERABLE: Final = (STRING, BOOL)
"""Kinds besides the numbers that compare with themselves."""


class Forms(NamedTuple):
    """Forms of one operation, "" for kinds of operands for which it is called and its result is not known.

    Where there is a form, the result has the kind of the operands, or the operation fails.
    """

    integers: str = ""
    """For operands of one integer kind."""
    floats: str = ""
    """For two Floats, or a Float and an I64; the result is a Float."""
    strings: str = ""
    booleans: str = ""
    commutes: bool = False
    """Whether the forms do not mind which operand comes first, the form for strings excepted."""


OPERATION_FORMS: Final[dict[str, Forms]] = complete(
    {
        "ADD": Forms("integer", "float", strings="string", commutes=True),
        "SUB": Forms("integer", "float"),
        "MUL": Forms("integer", "float", commutes=True),
        "DIV": Forms("division", "float"),
        "MOD": Forms("division", "float"),
        "AND": Forms("integer", booleans="boolean", commutes=True),
        "OR": Forms("integer", booleans="boolean", commutes=True),
        "XOR": Forms("integer", booleans="boolean", commutes=True),
        "NOT": Forms("integer", booleans="boolean"),
        "SHL": Forms("integer"),
        "SHR": Forms("integer"),
    },
    OPERATION_NAMES,
    __name__,
    default=Forms(),
)
"""An operation that is not here is called, whatever its operands are. The forms of CMP are those of comparisons."""


@cache
def native_form(operation: str, a: int, b: int) -> str:
    """Return the form in which *operation* is written out for two single kinds, "" if it is called instead.

    An operation with one operand is given its kind twice.
    """
    if operation == "CMP":
        if (a & INTEGERS and b & INTEGERS) or (a == b and a in ORDERABLE):
            return "compare"
        return "compare_float" if a & NUMBERS and b & NUMBERS else ""
    forms = OPERATION_FORMS[operation]
    if a == b and a & INTEGERS:
        return forms.integers
    if FLOAT in (a, b) and a in (FLOAT, I64) and b in (FLOAT, I64):
        return forms.floats
    if a == b == STRING:
        return forms.strings
    return forms.booleans if a == b == BOOL else ""


def result_kinds(operation: str, a: int, b: int) -> int:
    """Return the kinds that the result can have where the operands have one of the kinds *a* and one of *b*."""
    forms = OPERATION_FORMS[operation]
    same = a & b
    result = same & INTEGERS if forms.integers else 0
    if forms.floats and (a | b) & FLOAT and a & (FLOAT | I64) and b & (FLOAT | I64):
        result |= FLOAT
    if forms.strings:
        result |= same & STRING
    if forms.booleans:
        result |= same & BOOL
    return result or ANY
