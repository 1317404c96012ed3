"""The meaning of each value operation: pure functions of values, free of frames and registers.

The interpreter calls them, translators open some inline and call the rest, constant folding and tests use them as the
oracle. All raise VMError of kind Operand with the machine's exact text.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence, Set
from typing import Final, NoReturn

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import I64_MAX, I64_MIN, INTEGER_KINDS
from stoffel.isa.table import OPERATION_NAMES, complete
from stoffel.model.tables import field
from stoffel.model.text import diagnostic
from stoffel.model.values import Object, Operand

Operation = Callable[..., Operand]

_SHIFT_LIMIT: Final = (1 << 32) - 1
"""Largest shift amount that has a number of its own in error texts; a U64 amount above I64 reports it too."""

_new_integer: Final = int.__new__
"""Makes a value of any integer type of a number that is known to fit."""

_FLOAT_EXACT: Final = 1 << 53
"""Integers up to this magnitude are exact as Float."""
_NUMBERS: Final = frozenset({*INTEGER_KINDS, float})
_ORDERED: Final = _NUMBERS | {str, bool}


def type_error(name: str) -> VMError:
    """Return the error for operand types that *name* does not take."""
    return VMError(f"Type error in {name} operation", ErrorKind.VALUE)


def overflow(name: str) -> VMError:
    """Return the error for an integer result outside the type's range."""
    return VMError(f"Integer overflow in {name} operation", ErrorKind.VALUE)


def _fit(kind: type, result: int, name: str) -> Operand:
    """Return *result* as a value of the integer type *kind*; raise if it is out of range."""
    row = INTEGER_KINDS[kind]
    if not row.minimum <= result <= row.maximum:
        raise overflow(name)
    return result if kind is int else _new_integer(kind, result)


def _floats(left: Operand, right: Operand) -> tuple[float, float] | None:
    """Return the operands as floats if one is Float and the other Float or I64, else None."""
    a, b = type(left), type(right)
    if (a is float and b in (float, int)) or (a is int and b is float):
        return float(left), float(right)
    return None


def _refuse(name: str, left: Operand, right: Operand) -> NoReturn:
    """Raise the error for operands that *name* does not take; an Object that says it is a share needs an engine."""
    for operand in (left, right):
        if type(operand) is Object and name != "MOD" and field(operand, "__type") == "Share":
            raise VMError("MPC engine not configured", ErrorKind.MPC)
    raise type_error(name)


def add(left: Operand, right: Operand) -> Operand:
    """Checked sum of one integer type, IEEE sum of floats, or two strings joined."""
    kind = type(left)
    if kind is type(right):
        if kind is int:
            result = left + right
            if I64_MIN <= result <= I64_MAX:
                return result
            raise overflow("ADD")
        if kind is float or kind is str:
            return left + right
        if kind in INTEGER_KINDS:
            return _fit(kind, left + right, "ADD")
    pair = _floats(left, right)
    if pair is None:
        _refuse("ADD", left, right)
    return pair[0] + pair[1]


def subtract(left: Operand, right: Operand) -> Operand:
    """Checked difference of one integer type, or IEEE difference."""
    kind = type(left)
    if kind is type(right):
        if kind is float:
            return left - right
        if kind in INTEGER_KINDS:
            return _fit(kind, left - right, "SUB")
    pair = _floats(left, right)
    if pair is None:
        _refuse("SUB", left, right)
    return pair[0] - pair[1]


def multiply(left: Operand, right: Operand) -> Operand:
    """Checked product of one integer type, or IEEE product."""
    kind = type(left)
    if kind is type(right):
        if kind is float:
            return left * right
        if kind in INTEGER_KINDS:
            return _fit(kind, left * right, "MUL")
    pair = _floats(left, right)
    if pair is None:
        _refuse("MUL", left, right)
    return pair[0] * pair[1]


def divide(left: Operand, right: Operand) -> Operand:
    """Quotient truncated towards zero for integers, IEEE quotient for floats; a zero divisor is an error for both."""
    kind = type(left)
    if kind is int is type(right) and left >= 0 < right:
        return left // right
    if kind is type(right) and kind in INTEGER_KINDS:
        if right == 0:
            raise VMError("Division by zero", ErrorKind.VALUE)
        quotient = abs(left) // abs(right)
        return _fit(kind, -quotient if (left < 0) != (right < 0) else quotient, "DIV")
    pair = _floats(left, right)
    if pair is None:
        _refuse("DIV", left, right)
    if pair[1] == 0.0:
        raise VMError("Division by zero", ErrorKind.VALUE)
    return pair[0] / pair[1]


def modulo(left: Operand, right: Operand) -> Operand:
    """Remainder with the sign of the dividend; C ``fmod`` for floats, infinity modulo anything is NaN."""
    kind = type(left)
    if kind is int is type(right) and left >= 0 < right:
        return left % right
    if kind is type(right) and kind in INTEGER_KINDS:
        if right == 0:
            raise VMError("Modulo by zero", ErrorKind.VALUE)
        if right == -1 and left == INTEGER_KINDS[kind].minimum:
            raise overflow("MOD")
        remainder = abs(left) % abs(right)
        return _fit(kind, -remainder if left < 0 else remainder, "MOD")
    pair = _floats(left, right)
    if pair is None:
        _refuse("MOD", left, right)
    if pair[1] == 0.0:
        raise VMError("Modulo by zero", ErrorKind.VALUE)
    if math.isinf(pair[0]):
        # As the C library does it, where Python raises: sign and payload of a NaN are the host's.
        product = pair[0] * pair[1]
        return product / product
    return math.fmod(*pair)


def _bitwise(name: str, combine: Callable[[int, int], int]) -> Operation:
    def operation(left: Operand, right: Operand) -> Operand:
        kind = type(left)
        if kind is type(right):
            if kind is bool or kind is int:
                return combine(left, right)
            if kind in INTEGER_KINDS:
                return _new_integer(kind, combine(left, right))
        raise type_error(name)

    operation.__name__ = operation.__qualname__ = f"bitwise_{name.lower()}"
    operation.__doc__ = f"{name} of two values of one integer type, or of two Bools."
    return operation


bitwise_and = _bitwise("AND", operator.and_)
bitwise_or = _bitwise("OR", operator.or_)
bitwise_xor = _bitwise("XOR", operator.xor)


def invert(operand: Operand) -> Operand:
    """Complement within the width for integers, negation for Bool."""
    kind = type(operand)
    if kind is bool:
        return not operand
    row = INTEGER_KINDS.get(kind)
    if row is None:
        raise type_error("NOT")
    result = ~int(operand) if row.signed else int(operand) ^ row.maximum
    return result if kind is int else _new_integer(kind, result)


def _shift_error(name: str, left: Operand, right: Operand) -> VMError:
    """Return the error, in the machine's order, of a shift whose operands or amount do not do."""
    if type(left) is not type(right) or type(left) not in INTEGER_KINDS:
        return type_error(name)
    amount = int(right)
    if amount > I64_MAX:
        return VMError(f"Shift amount {_SHIFT_LIMIT} out of range in {name} operation", ErrorKind.VALUE)
    if not 0 <= amount <= _SHIFT_LIMIT:
        return VMError(f"Invalid shift amount {amount} in {name} operation", ErrorKind.VALUE)
    return VMError(f"Shift amount {amount} out of range in {name} operation", ErrorKind.VALUE)


_WIDTHS: Final = {kind: (row.bits, row.maximum - row.minimum, row.maximum) for kind, row in INTEGER_KINDS.items()}
"""Bits, mask and largest value, by integer type."""


def shift_left(left: Operand, right: Operand) -> Operand:
    """Shift left within the width; bits shifted out are lost, the sign bit may change."""
    kind = type(left)
    width = _WIDTHS.get(kind)
    if width is None or kind is not type(right) or not 0 <= right < width[0]:
        raise _shift_error("SHL", left, right)
    _, mask, maximum = width
    result = (left << right) & mask
    if result > maximum:
        result -= mask + 1
    return result if kind is int else _new_integer(kind, result)


def shift_right(left: Operand, right: Operand) -> Operand:
    """Shift right: arithmetic for signed types, logical for unsigned ones."""
    kind = type(left)
    width = _WIDTHS.get(kind)
    if width is None or kind is not type(right) or not 0 <= right < width[0]:
        raise _shift_error("SHR", left, right)
    result = left >> right
    return result if kind is int else _new_integer(kind, result)


def compare(left: Operand, right: Operand) -> int:
    """Return the order of two values as -1, 0 or 1.

    Numbers compare mathematically whatever their types, strings by code points, Bools false before true. NaN and all
    other combinations are errors, two Units and an array with itself included.
    """
    a, b = type(left), type(right)
    if (a is b and a in _ORDERED) or (a in _NUMBERS and b in _NUMBERS):
        if left == right:
            return 0
        if left < right:
            return -1
        if left > right:
            return 1
    raise VMError(f"Cannot compare {diagnostic(left)} and {diagnostic(right)}", ErrorKind.VALUE)


def order_matters(items: Sequence[Operand], kinds: Set[type]) -> bool:
    """Return whether numbers of *kinds* have to be sorted by insertion, as the reference machine does.

    Integers that round to one Float are ordered among themselves and equal to it, so the order of them all is not
    transitive: another algorithm gives another result.
    """
    return (
        float in kinds
        and len(kinds) > 1
        and any(type(item) is not float and abs(item) > _FLOAT_EXACT for item in items)
    )


OPERATIONS: Final[dict[str, Operation]] = complete(
    {
        "ADD": add,
        "SUB": subtract,
        "MUL": multiply,
        "DIV": divide,
        "MOD": modulo,
        "AND": bitwise_and,
        "OR": bitwise_or,
        "XOR": bitwise_xor,
        "NOT": invert,
        "SHL": shift_left,
        "SHR": shift_right,
        "CMP": compare,
    },
    OPERATION_NAMES,
    __name__,
)
"""The pure function of every row of the instruction table that names one."""
