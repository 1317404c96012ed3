"""Table memory: the exact rules of arrays and objects, and the store that hands out ids.

Arrays follow the reference machine: a write below index 32 fills the gap before it with Unit, a write further out
leaves the gap *absent* (reading it is an error in ``get_field``, Unit in operations over all elements). Keys that are
not I64 indexes are kept beside the elements and do not count in the length.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Final

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import I64_MAX
from stoffel.model import elements as typed_storage
from stoffel.model.values import (
    Array,
    DanglingArray,
    DanglingObject,
    Object,
    Operand,
    SparseArray,
    TypedArray,
    Value,
    key_of,
    new_array,
    new_object,
    value_of,
)

DENSE_START: Final = 32
"""Indexes below this are filled with Unit when a later one is written."""

ENUMERABLE: Final = 1 << 26
"""Longest array whose elements are all enumerated: a list of as many integers takes 2.5 GB of memory."""


class _Absent:
    """The type of :data:`ABSENT`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""What a lookup returns when nothing is stored under the key."""


class ObjectStore:
    """Creates tables and numbers them: one counter for objects and arrays, from 1, never reused."""

    __slots__ = ("next_id",)

    def __init__(self) -> None:
        self.next_id = count(1).__next__

    def create_object(self) -> Object:
        """Return a new empty object."""
        return new_object(self.next_id())

    def create_array(self, items: list[Value] | None = None) -> Array:
        """Return a new array that takes over the list *items* (empty if None)."""
        return new_array(self.next_id(), [] if items is None else items)


def require(table: Object | Array) -> None:
    """Raise VMError (kind TableMemory) if *table* is a handle without a table."""
    if type(table) is DanglingArray:
        raise VMError(f"Array with ID {table.id} not found", ErrorKind.TABLE_MEMORY)
    if type(table) is DanglingObject:
        raise VMError(f"Object with ID {table.id} not found", ErrorKind.TABLE_MEMORY)


def dangling(table: Object | Array) -> Object | Array:
    """Return a handle with the id of *table* that leads nowhere."""
    if isinstance(table, Array):
        return DanglingArray(table.id)
    return DanglingObject(table.id)


def length(array: Array) -> int:
    """Return the number of elements."""
    if type(array) is Array:
        return len(array.items)
    if type(array) is TypedArray:
        return len(array.buffer)
    require(array)
    return array.length


def lookup(array: Array, key: Operand) -> Operand:
    """Return what is stored under *key* exactly, or :data:`ABSENT`."""
    items: Sequence[Value]
    if type(array) is Array:
        items = array.items
    elif type(array) is TypedArray:
        if type(key) is int and 0 <= key < len(array.buffer):
            return typed_storage.read(array, key)
        items = ()
    else:
        require(array)
        items = array.prefix
    if type(key) is int and 0 <= key < len(items):
        return items[key]
    if array.extra is None:
        return ABSENT
    return array.extra.get(key_of(key), ABSENT)


def element(array: Array, index: int) -> Operand:
    """Return the element at *index* of 0 to length-1; absent gaps are Unit."""
    value = lookup(array, index)
    return None if value is ABSENT else value


def store(array: Array, key: Value, value: Value) -> None:
    """Store *value* under *key*; an I64 index at or past the end grows the array.

    Raises VMError (kind TableMemory) if the length would exceed the I64 range; nothing is changed then.
    """
    if type(array) is not Array:
        require(array)
    if type(key) is int and key >= 0:
        if type(array) is TypedArray and typed_storage.write(array, key, value):
            return
        items = array.items if type(array) is Array else array.prefix
        if key < len(items):
            items[key] = value
        elif key == len(items) and type(array) is Array:
            items.append(value)
        else:
            _store_past_items(array, key, value)
        return
    if array.extra is None:
        array.extra = {}
    array.extra[key_of(key)] = value


def _store_past_items(array: Array, key: int, value: Value) -> None:
    if key >= I64_MAX:
        raise VMError(f"Array length {key + 1} exceeds VM integer range", ErrorKind.TABLE_MEMORY)
    sparse = type(array) is SparseArray
    items = array.prefix if sparse else array.items
    if key < DENSE_START:
        # Below DENSE_START nothing is ever absent between stored elements, sparse or not.
        items.extend([None] * (key - len(items)))
        items.append(value)
        if sparse:
            array.length = max(array.length, key + 1)
        return
    if not sparse:
        array.length = len(items)
        array.prefix = items
        del array.items
        array.__class__ = SparseArray
    if array.extra is None:
        array.extra = {}
    array.extra[key] = value
    array.length = max(array.length, key + 1)


def push(array: Array, values: list[Value]) -> int:
    """Append *values* and return the new length."""
    if type(array) is Array:
        array.items.extend(values)
        return len(array.items)
    if type(array) is TypedArray:
        return typed_storage.push(array, values)
    require(array)
    for value in values:
        if array.length >= I64_MAX:
            raise VMError("Array length overflow while pushing values", ErrorKind.TABLE_MEMORY)
        store(array, array.length, value)
    return array.length


def elements(array: Array) -> list[Operand]:
    """Return a new list of all elements, absent gaps as Unit.

    Raises VMError (kind TableMemory) for an array too long to enumerate.
    """
    if type(array) is Array:
        return array.items.copy()
    if type(array) is TypedArray:
        return typed_storage.to_list(array)
    require(array)
    if array.length > ENUMERABLE:
        raise VMError(f"Array length {array.length} is too large to enumerate", ErrorKind.TABLE_MEMORY)
    extra = array.extra or {}
    start = array.prefix
    return start + [extra.get(index) for index in range(len(start), array.length)]


def replace(array: Array, items: list[Value]) -> None:
    """Make *items* (taken over) the elements, without gaps; entries under other keys survive."""
    require(array)
    if type(array) is SparseArray:
        others = {key: value for key, value in (array.extra or {}).items() if not _is_index(key)}
        array.extra = others or None
        array.__class__ = Array  # type: ignore[assignment]  # narrowed to SparseArray above
    array.items = items


def _is_index(key: object) -> bool:
    return type(key) is int and key >= 0


def entries(table: Object | Array, limit: int | None = None) -> list[tuple[Value, Value]]:
    """Return the stored ``(key, value)`` pairs, at most *limit*: indexes in order, then other keys."""
    require(table)
    pairs: list[tuple[Value, Value]] = []
    if isinstance(table, Array):
        pairs.extend(enumerate(table.prefix if type(table) is SparseArray else elements(table)))
        extra = table.extra or {}
        pairs.extend((key, extra[key]) for key in sorted(key for key in extra if _is_index(key)))
        pairs.extend((value_of(key), value) for key, value in extra.items() if not _is_index(key))
    else:
        pairs.extend((value_of(key), value) for key, value in table.fields.items())
    return pairs if limit is None else pairs[:limit]


def field(table: Object, key: Operand) -> Operand:
    """Return the value under *key* of an object, or :data:`ABSENT`."""
    if type(table) is not Object:
        require(table)
    return table.fields.get(key_of(key), ABSENT)


def set_field(table: Object, key: Value, value: Value) -> None:
    """Store *value* under *key* of an object; an equal key that is there already is kept."""
    if type(table) is not Object:
        require(table)
    table.fields[key_of(key)] = value
