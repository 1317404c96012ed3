"""Creating tables, reading and writing their fields, length and append: the hottest builtins.

These are called once per table access of a program, so they take the argument list as it is (no spreading) and start
with the common case, an array without gaps and an I64 index or an object and a string key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.model import tables
from stoffel.model.builtins.arrays import TABLES
from stoffel.model.builtins.table import BY_NAME
from stoffel.model.foreign import CallbackError
from stoffel.model.tables import ABSENT
from stoffel.model.values import Array, Object, Operand, type_name
from stoffel.runtime.builtins import arguments as args
from stoffel.runtime.builtins.registry import Family
from stoffel.runtime.events import ArrayElementRead, ArrayElementWrite, ObjectFieldRead, ObjectFieldWrite

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

FAMILY = Family(*TABLES)

_Direct = Callable[["VMState", list[Operand]], Operand]


def _direct(name: str) -> Callable[[_Direct], _Direct]:
    """Declare a builtin that receives the argument list itself and checks its arity."""

    def declare(implementation: _Direct) -> _Direct:
        FAMILY.add(name, implementation)
        return implementation

    return declare


def _wrong_number(name: str) -> CallbackError:
    return CallbackError(BY_NAME[name].too_few)


@_direct("create_object")
def create_object(state: VMState, arguments: list[Operand]) -> Object:  # noqa: ARG001 - arguments are ignored
    """Return a new empty object."""
    return state.objects.create_object()


@_direct("create_array")
def create_array(state: VMState, arguments: list[Operand]) -> Array:
    """Return a new empty array; a capacity hint as first argument has no effect."""
    if arguments:
        capacity = arguments[0]
        if type(capacity) not in INTEGER_KINDS or capacity < 0:
            raise VMError("array capacity must be a non-negative integer", ErrorKind.VALUE)
    return state.objects.create_array()


@_direct("get_field")
def get_field(state: VMState, arguments: list[Operand]) -> Operand:
    """Return the field of an object, the element of an array or the character of a string; Unit of anything else."""
    if len(arguments) < 2:
        raise _wrong_number("get_field")
    target = arguments[0]
    key = arguments[1]
    kind = type(target)
    if kind is Array:
        if type(key) is int and not state.watches_tables:
            items = target.items
            if -len(items) <= key < len(items):
                return items[key]
    elif kind is Object:
        value = target.fields.get(key) if type(key) is str else tables.field(target, key)
        if value is ABSENT:
            value = None
        if state.watches_tables:
            state.fire(ObjectFieldRead(target, key, value))
        return value
    return _get_field(state, target, key)


def _get_field(state: VMState, target: Operand, key: Operand) -> Operand:
    if isinstance(target, Array):
        key = array_key(target, key)
        value = tables.lookup(target, key)
        if value is ABSENT:
            if args.is_integer(key) and key >= 0:
                raise _out_of_range(key, target)
            value = None
        if state.watches_tables:
            state.fire(ArrayElementRead(target, key, value))
        return value
    if type(target) is str:
        return _character(target, key)
    if isinstance(target, Object):
        tables.require(target)
    return None


def _character(text: str, key: Operand) -> str:
    if not args.is_integer(key):
        raise CallbackError(f"string index must be an integer, found {type_name(key)}")
    if not -len(text) <= key < len(text):
        raise CallbackError(f"string index {int(key)} out of range (length {len(text)})")
    return text[key]


def array_key(array: Array, key: Operand) -> Operand:
    """Return *key* normalised for *array*: a negative integer of any width counts from the end.

    Raises CallbackError for a negative integer below minus the length.
    """
    if type(key) not in INTEGER_KINDS or key >= 0:
        return key
    index = tables.length(array) + key
    if index < 0:
        raise _out_of_range(key, array)
    return index


def _out_of_range(key: int, array: Array) -> CallbackError:
    return CallbackError(f"array index {int(key)} out of range (length {tables.length(array)})")


@_direct("set_field")
def set_field(state: VMState, arguments: list[Operand]) -> None:
    """Store a value under a key of an object or array."""
    if len(arguments) < 3:
        raise _wrong_number("set_field")
    table = arguments[0]
    key = arguments[1]
    if not state.watches_tables:
        kind = type(table)
        if kind is Array:
            if type(key) is int:
                items = table.items
                length = len(items)
                if -length <= key < length:
                    items[key] = arguments[2]
                    return
                if key == length:
                    items.append(arguments[2])
                    return
        elif kind is Object and type(key) is str:
            table.fields[key] = arguments[2]
            return
    _set_field(state, table, key, arguments[2])


def _set_field(state: VMState, table: Operand, key: Operand, value: Operand) -> None:
    if isinstance(table, Array):
        key = array_key(table, key)
        previous = tables.lookup(table, key) if state.watches_tables else None
        tables.store(table, key, value)
        if state.watches_tables:
            state.fire(ArrayElementWrite(table, key, None if previous is ABSENT else previous, value))
    elif isinstance(table, Object):
        previous = tables.field(table, key) if state.watches_tables else None
        tables.set_field(table, key, value)
        if state.watches_tables:
            state.fire(ObjectFieldWrite(table, key, None if previous is ABSENT else previous, value))
    else:
        raise CallbackError("Expected object or array")


@_direct("get_or_create_array_field")
def get_or_create_array_field(state: VMState, arguments: list[Operand]) -> Object | Array:
    """Return the table under a key; where nothing or Unit is stored, store a new array there first."""
    if len(arguments) < 2:
        raise _wrong_number("get_or_create_array_field")
    table = arguments[0]
    key = arguments[1]
    if isinstance(table, Array):
        key = array_key(table, key)
        value = tables.lookup(table, key)
    elif isinstance(table, Object):
        value = tables.field(table, key)
    else:
        raise CallbackError("Expected object or array")
    if isinstance(value, Object | Array):
        return value
    if value is not None and value is not ABSENT:
        raise CallbackError("Cannot autovivify nested list through a non-list value")
    created = state.objects.create_array()
    if isinstance(table, Array):
        tables.store(table, key, created)
    else:
        tables.set_field(table, key, created)
    return created


def _declare_length(name: str) -> None:
    @_direct(name)
    def length(state: VMState, arguments: list[Operand]) -> int:  # noqa: ARG001 - the state is not needed
        if len(arguments) != 1:
            raise _wrong_number(name)
        value = arguments[0]
        kind = type(value)
        if kind is Array:
            return len(value.items)
        if kind is str:
            return len(value)
        if isinstance(value, Array):
            return tables.length(value)
        raise CallbackError("First argument must be an array or string")


_declare_length("array_length")
_declare_length("len")


def _push(name: str, arguments: list[Operand]) -> int:
    if len(arguments) < 2:
        raise _wrong_number(name)
    return tables.push(args.array(arguments[0]), arguments[1:])


@_direct("array_push")
def array_push(state: VMState, arguments: list[Operand]) -> int:  # noqa: ARG001 - the state is not needed
    """Append values and return the new length."""
    if len(arguments) == 2:
        array = arguments[0]
        if type(array) is Array:
            items = array.items
            items.append(arguments[1])
            return len(items)
    return _push("array_push", arguments)


@_direct("append")
def append(state: VMState, arguments: list[Operand]) -> None:  # noqa: ARG001 - the state is not needed
    """Append values."""
    if len(arguments) == 2:
        array = arguments[0]
        if type(array) is Array:
            array.items.append(arguments[1])
            return
    _push("append", arguments)


FUNCTIONS: Final = FAMILY.complete(__name__)
