"""The two text forms of values: diagnostic (errors, results) and display (``print``, ``to_string``)."""

from __future__ import annotations

from itertools import islice
from typing import Final

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.model import tables
from stoffel.model.values import Array, Closure, Foreign, Object, Operand, Value, value_of

DISPLAY_DEPTH: Final = 3
"""Levels of tables that the display form expands."""
DISPLAY_ENTRIES: Final = 16
"""Elements or fields of one table that the display form shows."""


def float_text(value: float) -> str:
    """Return the shortest decimal digits that read back as *value*, positional, without a trailing ``.0``.

    Where two shortest candidates are equally near, the one of larger magnitude is taken; Python's ``repr`` (David Gay's
    algorithm) rounds such ties to even, so they are mended here.
    """
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    text = repr(value)
    sign = ""
    if text[0] == "-":
        sign, text = "-", text[1:]
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    point = len(whole) + (int(exponent) if exponent else 0)
    digits = whole + fraction
    if len(digits.strip("0")) >= 15:
        digits = _away_from_zero(digits, point, abs(value))
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}".rstrip("0").rstrip(".")
    if point >= len(digits):
        return sign + (digits + "0" * (point - len(digits))).lstrip("0").rjust(1, "0")
    whole, fraction = digits[:point].lstrip("0") or "0", digits[point:].rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole


def _away_from_zero(digits: str, point: int, value: float) -> str:
    """Return the digits one unit higher in the last place if *value* lies exactly half-way to them, else *digits*."""
    numerator, denominator = value.as_integer_ratio()
    scale = len(digits) - point
    if scale >= 0:
        numerator *= 10**scale
    else:
        denominator *= 10**-scale
    if 2 * numerator != (2 * int(digits) + 1) * denominator:
        return digits
    higher = str(int(digits) + 1).rjust(len(digits), "0")
    if len(higher) != len(digits) or float(f"0.{higher}e{point}") != value:
        return digits
    return higher


def diagnostic(value: Operand) -> str:
    """Return the form used in error messages and for results: ``5``, ``5u8``, ``1.5f64``, ``"text"``, ``Array(1)``."""
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is str:
        return f'"{value}"'
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        return float_text(value) + "f64"
    if value is None:
        return "()"
    if kind in INTEGER_KINDS:
        return f"{int(value)}{INTEGER_KINDS[kind].suffix}"
    if isinstance(value, Object | Array | Foreign | Closure):
        return repr(value)
    raise TypeError(f"{kind.__name__} {value!r} is not a machine value")


def display(value: Value) -> str:
    """Return the form that ``print`` shows: strings raw, tables expanded three levels deep.

    Raises VMError (kind TableMemory) for a handle to a table that does not exist.
    """
    if type(value) is str:
        return value
    if isinstance(value, Object | Array):
        return "".join(display_pieces(value))
    return diagnostic(value)


def display_pieces(value: Operand) -> list[str]:
    """Return the display form in pieces: strings in tables, which may be long and many times the same, as they are."""
    pieces: list[str] = []
    _display(pieces, value, DISPLAY_DEPTH, ())
    return pieces


def _display(pieces: list[str], value: Value, depth: int, outer: tuple[Object | Array, ...]) -> None:
    if type(value) is str:
        pieces.append(value)
    elif isinstance(value, Object | Array):
        _display_table(pieces, value, depth, outer)
    else:
        pieces.append(diagnostic(value))


def _display_table(pieces: list[str], table: Object | Array, depth: int, outer: tuple[Object | Array, ...]) -> None:
    if any(table is other for other in outer):
        pieces.append(f"{table!r} <cycle>")
        return
    tables.require(table)
    inner = (*outer, table)
    if isinstance(table, Array):
        count = tables.length(table)
        if depth == 0:
            pieces.append(f"[...{count} elements]")
            return
        opening, closing = "[", "]"
        separator = opening
        for index in range(min(count, DISPLAY_ENTRIES)):
            pieces.append(separator)
            _display(pieces, tables.element(table, index), depth - 1, inner)
            separator = ", "
    else:
        count = len(table.fields)
        if depth == 0:
            pieces.append(f"{{...{count} fields}}")
            return
        opening, closing = "{", "}"
        separator = opening
        for key, value in islice(table.fields.items(), DISPLAY_ENTRIES):
            pieces.append(separator)
            _display(pieces, value_of(key), 0, inner)
            pieces.append(": ")
            _display(pieces, value, depth - 1, inner)
            separator = ", "
    if not count:
        pieces.append(opening)
    if count > DISPLAY_ENTRIES:
        pieces.append(f", ...({count - DISPLAY_ENTRIES} more)")
    pieces.append(closing)


def output_error(reason: object) -> VMError:
    """Return the error for a failed write to the output sink."""
    return VMError(f"VM output write failed: {reason}", ErrorKind.MESSAGE)
