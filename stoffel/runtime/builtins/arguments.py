"""Checks and conversions of builtin arguments, with the texts that several builtins share."""

from __future__ import annotations

from stoffel.isa.scalars import I64_MAX, INTEGER_KINDS
from stoffel.model import tables
from stoffel.model.foreign import CallbackError
from stoffel.model.values import Array, Operand, Value

FIRST_ARRAY = "First argument must be an array"
SECOND_ARRAY = "Second argument must be an array"


def array(value: Value, otherwise: str = FIRST_ARRAY) -> Array:
    """Return *value* if it is an array; raise CallbackError with the text *otherwise* if not."""
    if isinstance(value, Array):
        return value
    raise CallbackError(otherwise)


def is_integer(value: Value) -> bool:
    """Tell whether *value* is an integer of any width (Bool is none)."""
    return type(value) in INTEGER_KINDS


def integer(value: Operand, name: str) -> int:
    """Return an integer of any width as I64; raise CallbackError naming the parameter *name* if that cannot be."""
    if type(value) not in INTEGER_KINDS:
        raise CallbackError(f"{name} must be an integer")
    if value > I64_MAX:
        raise CallbackError(f"{name} exceeds i64 range")
    return int(value)


def position(index: int, length: int) -> int:
    """Return *index*, counted from the end if negative; raise CallbackError if no element is there."""
    if index < 0:
        index += length
    if not 0 <= index < length:
        raise CallbackError("list index out of range")
    return index


def checked_length(length: int) -> int:
    """Return *length* if an array of so many stored elements fits in memory; raise CallbackError if not."""
    if length > tables.ENUMERABLE:
        raise CallbackError(f"array is too long: {length} elements")
    return length
