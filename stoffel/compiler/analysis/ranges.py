"""Range analysis of single operations: interval arithmetic on the integer kinds, and what a comparison implies.

Intervals are exact Python ints, so the result of an operation is first computed without limits; what does not fit the
kind is what has to be checked at run time (Harrison, "Compiler analysis of the value ranges for variables", 1977).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Final

from stoffel.compiler.analysis.facts import KIND_RANGES, NOTHING, Fact
from stoffel.isa.table import OPERATION_NAMES, complete

Interval = tuple[int, int]


def _add(a: Fact, b: Fact) -> Interval:
    return a.low + b.low, a.high + b.high


def _subtract(a: Fact, b: Fact) -> Interval:
    return a.low - b.high, a.high - b.low


def _multiply(a: Fact, b: Fact) -> Interval:
    products = (a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high)
    return min(products), max(products)


def _divide(a: Fact, b: Fact) -> Interval:
    reach = max(abs(a.low), abs(a.high))
    if a.low >= 0 and b.low > 0:
        return a.low // b.high, a.high // b.low
    return -reach, reach


def _modulo(a: Fact, b: Fact) -> Interval:
    reach = max(abs(b.low), abs(b.high)) - 1
    low = 0 if a.low >= 0 else -min(reach, abs(a.low))
    high = 0 if a.high <= 0 else min(reach, a.high)
    return min(low, high), max(low, high)


def _and(a: Fact, b: Fact) -> Interval:
    if a.low >= 0 and b.low >= 0:
        return 0, min(a.high, b.high)
    if a.low >= 0:
        return 0, a.high
    if b.low >= 0:
        return 0, b.high
    return _bits(a, b)


def _or(a: Fact, b: Fact) -> Interval:
    if a.low >= 0 and b.low >= 0:
        return max(a.low, b.low), (1 << max(a.high.bit_length(), b.high.bit_length())) - 1
    return _bits(a, b)


def _xor(a: Fact, b: Fact) -> Interval:
    if a.low >= 0 and b.low >= 0:
        return 0, (1 << max(a.high.bit_length(), b.high.bit_length())) - 1
    return _bits(a, b)


def _bits(a: Fact, b: Fact) -> Interval:
    width = max(value.bit_length() for value in (a.low, a.high, b.low, b.high))
    return -(1 << width), (1 << width) - 1


def _complement(a: Fact, b: Fact) -> Interval:  # noqa: ARG001 - it has one operand
    return (~a.high, ~a.low) if KIND_RANGES[a.mask][0] < 0 else KIND_RANGES[a.mask]


def _shift_left(a: Fact, b: Fact) -> Interval:
    shifted = (a.low << b.low, a.low << b.high, a.high << b.low, a.high << b.high)
    return min(shifted), max(shifted)


def _shift_right(a: Fact, b: Fact) -> Interval:
    shifted = (a.low >> b.low, a.low >> b.high, a.high >> b.low, a.high >> b.high)
    return min(shifted), max(shifted)


def _whole_kind(a: Fact, b: Fact) -> Interval:  # noqa: ARG001 - as all intervals are called
    return KIND_RANGES[a.mask]


_INTERVALS: Final[dict[str, Callable[[Fact, Fact], Interval]]] = complete(
    {
        "ADD": _add,
        "SUB": _subtract,
        "MUL": _multiply,
        "DIV": _divide,
        "MOD": _modulo,
        "AND": _and,
        "OR": _or,
        "XOR": _xor,
        "NOT": _complement,
        "SHL": _shift_left,
        "SHR": _shift_right,
    },
    OPERATION_NAMES,
    __name__,
    default=_whole_kind,
)
"""Of an operation that is not here it is known only that its result fits the kind."""


def interval(operation: str, a: Fact, b: Fact) -> Interval:
    """Return the bounds of the mathematical result for two operands of one integer kind; one operand is given twice.

    The amount of a shift must be known to lie within the kind's width. Division and modulo are truncated; a zero
    divisor has no result and does not count.
    """
    return _INTERVALS[operation](a, b)


_ORDERS: Final = {
    possible: frozenset(order for order, can_be in zip((-1, 0, 1), possible, strict=True) if can_be)
    for possible in product((False, True), repeat=3)
}
"""Sets of orders, by whether less, equal and greater are in them."""


def possible_orders(a: Fact, b: Fact) -> frozenset[int]:
    """Return the outcomes that comparing two integers can have."""
    return _ORDERS[a.low < b.high, a.low <= b.high and b.low <= a.high, a.high > b.low]


def refine(a: Fact, b: Fact, outcomes: frozenset[int]) -> tuple[Fact, Fact] | None:
    """Return the facts of two compared integers, given that the comparison came out as one of *outcomes*.

    Returns None if that is impossible.
    """
    a_low, a_high, b_low, b_high = a.low, a.high, b.low, b.high
    if 1 not in outcomes:  # a <= b, or a < b
        strict = 0 if 0 in outcomes else 1
        if a_high > b_high - strict:
            a_high = b_high - strict
        if b_low < a_low + strict:
            b_low = a_low + strict
    if -1 not in outcomes:  # a >= b, or a > b
        strict = 0 if 0 in outcomes else 1
        if a_low < b_low + strict:
            a_low = b_low + strict
        if b_high > a_high - strict:
            b_high = a_high - strict
    if a_low > a_high or b_low > b_high:
        return None
    return _bounded(a, a_low, a_high), _bounded(b, b_low, b_high)


def _bounded(fact: Fact, low: int, high: int) -> Fact:
    if (low == fact.low and high == fact.high) or fact.constant is not NOTHING:
        return fact
    return Fact(fact.mask, low, high, NOTHING, fact.hint)


def checks(kind: int, bounds: Interval) -> tuple[bool, bool]:
    """Return whether a result within *bounds* can fall below, and rise above, what the kind holds."""
    least, greatest = KIND_RANGES[kind]
    return bounds[0] < least, bounds[1] > greatest


_SMALL: Final = 1 << 31


def guess(value: object, failures: int) -> Interval | None:
    """Return bounds to guess for an I64 that enters compiled code, with which hardly any result can overflow.

    *value* is one like it, NOTHING if none was seen; *failures* says how often such guesses failed in the function.
    """
    if failures > 1 or (type(value) is int and not -_SMALL <= value <= _SMALL):
        return None
    return (0 if failures == 0 and not (type(value) is int and value < 0) else -_SMALL), _SMALL
