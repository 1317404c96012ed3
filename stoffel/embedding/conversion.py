"""Between Python's own containers and the machine's tables, for hosts: foreign results, annotated functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import U8
from stoffel.model import tables
from stoffel.model.values import Array, Object, Value, check_value, value_of

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

NESTING_LIMIT: Final = 100
"""Levels of Python containers, or of tables, that are converted; a cycle is reported as too deep."""


def to_value(state: VMState, item: object, what: str, depth: int = 0) -> Value:
    """Return *item* as a machine value; lists and tuples become arrays, dicts objects, bytes arrays of U8.

    Raises VMError (kind Message) naming *what* if that is not possible.
    """
    kind = type(item)
    if kind in (list, tuple, dict, bytes, bytearray):
        if depth >= NESTING_LIMIT:
            raise VMError(f"{what}: nested more than {NESTING_LIMIT} levels deep", ErrorKind.MESSAGE)
        if isinstance(item, dict):
            return to_object(state, item, what, depth + 1)
        if isinstance(item, bytes | bytearray):
            return state.objects.create_array([U8(byte) for byte in item])
        if isinstance(item, list | tuple):
            return to_array(state, item, what, depth + 1)
    return check_value(item, what)


def to_array(state: VMState, items: Iterable[object], what: str = "element", depth: int = 0) -> Array:
    """Return a new array of *items*, each converted."""
    array = state.objects.create_array()
    array.items = [to_value(state, item, what, depth) for item in items]
    return array


def to_object(state: VMState, fields: Mapping[Any, object], what: str = "field", depth: int = 0) -> Object:
    """Return a new object with *fields*, keys and values converted, in their order."""
    result = state.objects.create_object()
    for key, item in fields.items():
        tables.set_field(result, to_value(state, key, what, depth), to_value(state, item, what, depth))
    return result


def to_bytes(array: Value) -> bytes:
    """Return a byte array as bytes; raises VMError (kind Mpc, as the reference says) for anything else."""
    if not isinstance(array, Array):
        raise VMError("Expected byte array", ErrorKind.MPC)
    items = tables.elements(array)
    for index, item in enumerate(items):
        if type(item) is not U8:
            raise VMError(f"Expected U8 at index {index}", ErrorKind.MPC)
    return bytes(items)


def to_python(value: Value, depth: int = 0) -> Any:
    """Return *value* with arrays as lists and objects as dicts, all the way down; scalars and handles as they are.

    Raises VMError (kind Message) for tables nested too deeply, cycles included, and for keys that Python would merge.
    """
    if depth >= NESTING_LIMIT:
        raise VMError(f"the table is nested more than {NESTING_LIMIT} levels deep", ErrorKind.MESSAGE)
    if isinstance(value, Array):
        return [to_python(item, depth + 1) for item in tables.elements(value)]
    if isinstance(value, Object):
        tables.require(value)
        result = {value_of(key): to_python(item, depth + 1) for key, item in value.fields.items()}
        if len(result) != len(value.fields):
            raise VMError("the object has keys that are equal to Python, such as 1 and 1.0", ErrorKind.MESSAGE)
        return result
    return value
