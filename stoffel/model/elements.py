"""Typed storage of arrays: elements of one numeric kind in a flat buffer that machine code can work on.

An array gets such storage from :func:`specialise` and loses it when anything else than single elements of its kind is
read or written, or when ordinary code has read and written so many of them that its list would have paid. Nothing is
lost either way: integers keep their width, Floats all their bits. Nobody but the runtime can tell the storage.
"""

from __future__ import annotations

from array import array as Buffer  # noqa: N812 - `array` is what this module's functions are given
from operator import countOf
from typing import Any, Final

from stoffel.isa.scalars import INTEGER_KINDS, U64
from stoffel.model.values import LENT, Array, Operand, TypedArray, Value, in_use, machine_values

FORMATS: Final[dict[type, str]] = {
    **dict.fromkeys(INTEGER_KINDS, "q"),
    U64: "Q",
    float: "d",
    bool: "b",
}
"""The kinds that have typed storage, by Python class, and the format of their elements (a typecode of ``array``):
64 bits for every integer width, so that machine code needs one way of loading, and a byte of 0 or 1 for a Bool."""

_SIZES: Final = {kind: Buffer(letter).itemsize for kind, letter in FORMATS.items()}


def specialise(array: Array, wanted: type | None = None) -> type | None:
    """Give *array* typed storage if all its elements are of one kind in :data:`FORMATS`; return the kind.

    An array without elements gets the kind *wanted*. Returns None, and changes nothing, for an array that cannot have
    typed storage: with gaps, with elements of other or of several kinds, without elements if nothing is wanted.
    """
    if type(array) is TypedArray:
        if array.allowance >= LENT:
            return array.kind
        array.allowance = len(array.buffer)
        if array.buffer or wanted is None or wanted is array.kind:
            return array.kind
        array.generalise()
    if type(array) is not Array:
        return None
    items: list[Any] = array.items
    kind = type(items[0]) if items else wanted
    if kind not in FORMATS or countOf(map(type, items), kind) != len(items):
        return None
    # Bytes are the fastest way into a buffer of bytes; 0 and 1 are the same in both.
    buffer = Buffer(FORMATS[kind], bytes(items) if kind is bool else items)
    allowance = len(buffer)
    changing: Any = array
    # Nothing is called between the first step and the last, so no signal and no other thread sees half of it.
    changing.__class__ = TypedArray
    changing.buffer = buffer
    changing.kind = kind
    changing.allowance = allowance
    return kind


def typed(identity: int, kind: type, buffer: Buffer[Any]) -> TypedArray:
    """Return a new array with typed storage that takes over *buffer*, which has the format of *kind*."""
    return TypedArray(identity, kind, buffer)


def replace_buffer(array: Array, address: int, count: int) -> None:
    """Make *count* elements at *address* in native memory, in the format of its kind, the elements of a TypedArray."""
    from ctypes import string_at

    assert type(array) is TypedArray
    # A new buffer: the old one may be where the elements are, or in use by somebody who has its address.
    array.buffer = Buffer(FORMATS[array.kind], string_at(address, count * _SIZES[array.kind]))
    if array.allowance < LENT:
        array.allowance = count


# Lending


def lend(array: TypedArray) -> bool:
    """Have the buffer stay what and where it is until :func:`give_back`; return False if it has been lent already."""
    if array.allowance >= LENT:
        return False
    array.allowance = LENT << 1
    return True


def give_back(array: TypedArray) -> None:
    """Let ordinary code do everything with *array* again."""
    if type(array) is TypedArray:
        array.allowance = len(array.buffer)


# Ordinary access


def _stays_typed(array: TypedArray, accesses: int) -> bool:
    """Count accesses by ordinary code; return False, the array being ordinary now, if its list pays from here on.

    What was spent is then proportional to what the change costs (the ski rental argument).
    """
    array.allowance -= accesses
    if array.allowance >= 0:
        return True
    array.generalise()
    return False


def read(array: TypedArray, index: int) -> Operand:
    """Return the element at *index* of 0 to length-1."""
    if not _stays_typed(array, 1):
        return array.items[index]
    value = array.buffer[index]
    kind = array.kind
    if kind is int or kind is float:
        return value
    return value == 1 if kind is bool else int.__new__(kind, value)


def write(array: TypedArray, index: int, value: Value) -> bool:
    """Store *value* at *index* of 0 to length; return False, the array being ordinary now, if that cannot be."""
    if array.allowance >= LENT:
        raise in_use()
    buffer = array.buffer
    if type(value) is not array.kind or index > len(buffer):
        array.generalise()
        return False
    if not _stays_typed(array, 1):
        return False
    if index == len(buffer):
        buffer.append(value)
    else:
        buffer[index] = value
    return True


def push(array: TypedArray, values: list[Value]) -> int:
    """Append *values* and return the new length."""
    if array.allowance >= LENT:
        raise in_use()
    if countOf(map(type, values), array.kind) == len(values) and _stays_typed(array, len(values)):
        array.buffer.extend(values)
        return len(array.buffer)
    items = array.items
    items.extend(values)
    return len(items)


def to_list(array: TypedArray) -> list[Value]:
    """Return the elements as a new list."""
    if _stays_typed(array, len(array.buffer)):
        return machine_values(array.kind, array.buffer)
    return array.items.copy()
