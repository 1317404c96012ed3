"""Builtins that build and change whole arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.isa.scalars import I64_MAX, I64_MIN
from stoffel.model import tables
from stoffel.model.builtins.arrays import ARRAYS
from stoffel.model.foreign import CallbackError
from stoffel.model.values import Array, Operand, TypedArray, Value, type_name
from stoffel.runtime.builtins import arguments as args
from stoffel.runtime.builtins import pieces
from stoffel.runtime.builtins.registry import Family

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

FAMILY = Family(*ARRAYS)


@FAMILY.builtin("extend")
def extend(state: VMState, array: Value, values: Value) -> None:
    """Append all elements of the second array to the first."""
    table = args.array(array)
    source = args.array(values, args.SECOND_ARRAY)
    args.checked_length(tables.length(source))
    if type(table) is Array or type(table) is TypedArray:
        args.checked_length(tables.length(table) + tables.length(source))
    added = pieces.elements(source, state.look_up)
    if type(table) is Array:
        pieces.extend(table.items, added, state.look_up)
    else:
        tables.push(table, added)


@FAMILY.builtin("array_concat")
def array_concat(state: VMState, left: Value, right: Value) -> Array:
    """Return a new array of the elements of both."""
    start = args.array(left)
    end = args.array(right, args.SECOND_ARRAY)
    args.checked_length(tables.length(start) + tables.length(end))
    items = pieces.elements(start, state.look_up)
    pieces.extend(items, pieces.elements(end, state.look_up), state.look_up)
    return state.objects.create_array(items)


@FAMILY.builtin("array_repeat")
def array_repeat(state: VMState, array: Value, count: Value) -> Array:
    """Return a new array of the elements repeated *count* times."""
    times = max(0, args.integer(count, "repeat count"))
    table = args.array(array)
    args.checked_length(tables.length(table) * times)
    items = pieces.elements(table, state.look_up) if times else []
    return state.objects.create_array(pieces.repeated(items, times, state.look_up))


@FAMILY.builtin("copy")
def copy(state: VMState, array: Value) -> Array:
    """Return a new array of the same elements."""
    return state.objects.create_array(pieces.elements(args.array(array), state.look_up))


@FAMILY.builtin("pop")
def pop(_state: VMState, array: Value, *index: Value) -> Operand:
    """Remove and return the last element, or the one at *index*."""
    table = args.array(array)
    length = tables.length(table)
    if length == 0:
        raise CallbackError("pop from empty list")
    place = args.position(args.integer(index[0], "index"), length) if index else length - 1
    return _take(table, place)


@FAMILY.builtin("delete")
def delete(_state: VMState, array: Value, index: Value) -> None:
    """Remove the element at *index*."""
    table = args.array(array)
    length = tables.length(table)
    _take(table, args.position(args.integer(index, "index"), length))


def _take(table: Array, place: int) -> Operand:
    if type(table) is Array or type(table) is TypedArray:
        return table.items.pop(place)
    items = tables.elements(table)
    taken = items.pop(place)
    tables.replace(table, items)
    return taken


@FAMILY.builtin("insert")
def insert(_state: VMState, array: Value, index: Value, value: Value) -> None:
    """Insert *value* before *index*; out-of-range indexes mean the start or the end."""
    table = args.array(array)
    place = args.integer(index, "index")
    if type(table) is Array or type(table) is TypedArray:
        table.items.insert(place, value)
        return
    items = tables.elements(table)
    items.insert(place, value)
    tables.replace(table, items)


@FAMILY.builtin("clear")
def clear(_state: VMState, array: Value) -> None:
    """Remove all elements; entries under other keys stay."""
    tables.replace(args.array(array), [])


@FAMILY.builtin("reverse")
def reverse(state: VMState, array: Value) -> None:
    """Reverse the elements in place."""
    table = args.array(array)
    if type(table) is Array or type(table) is TypedArray:
        pieces.reverse(table.items, state.look_up)
        return
    items = tables.elements(table)
    items.reverse()
    tables.replace(table, items)


@FAMILY.builtin("range")
def range_(state: VMState, start: Value, stop: Value, step: Value = 1) -> Array:
    """Return a new array of the integers from *start* up (or down) to *stop*, exclusive, every *step*."""
    first = args.integer(start, "range start")
    end = args.integer(stop, "range stop")
    stride = args.integer(step, "range step")
    if stride == 0:
        raise CallbackError("range step argument must not be zero")
    # len(range(...)) fails beyond the C integer range; this is the same number.
    count = max(0, -((first - end) // stride))
    if count > tables.ENUMERABLE:
        raise CallbackError(f"range is too long: {count} elements")
    if count and not I64_MIN <= first + count * stride <= I64_MAX:
        # The reference machine computes the element after the last one, too, and has taken an id for the array by then.
        state.objects.next_id()
        raise CallbackError("range value overflowed i64")
    if count <= pieces.PIECE:
        return state.objects.create_array(list(range(first, end, stride)))
    numbers: list[Value] = []
    pieces.extend(numbers, range(first, end, stride), state.look_up)
    return state.objects.create_array(numbers)


@FAMILY.builtin("slice")
def slice_(state: VMState, value: Operand, start: Operand, stop: Operand, step: Operand = 1) -> Operand:
    """Return a new array or string of the elements that Python's ``value[start:stop:step]`` selects."""
    if type(value) is not str and not isinstance(value, Array):
        raise CallbackError(f"slice requires a list or string, found {type_name(value)}")
    if not args.is_integer(step):
        raise CallbackError(f"slice step must be an integer, found {type_name(step)}")
    if step == 0:
        raise CallbackError("slice step cannot be zero")
    selection = slice(_slice_bound(start, "start"), _slice_bound(stop, "stop"), int(step))
    if not isinstance(value, Array):
        return value[selection]
    if type(value) is Array or type(value) is TypedArray:
        selected: list[Value] = value.items
        if len(selected) <= pieces.PIECE:
            return state.objects.create_array(selected[selection])
        chosen: list[Value] = []
        indexes = range(len(selected))[selection]
        for place in range(0, len(indexes), pieces.PIECE):
            state.look_up()
            part = indexes[place : place + pieces.PIECE]
            chosen += selected[slice(part.start, part.stop if part.stop >= 0 else None, part.step)]
        return state.objects.create_array(chosen)
    indexes = range(*selection.indices(tables.length(value)))
    # len() of a range beyond the C integer range fails, its last element can be computed.
    count = 0 if not indexes else (indexes[-1] - indexes.start) // indexes.step + 1
    args.checked_length(count)
    return state.objects.create_array([tables.element(value, place) for place in indexes])


def _slice_bound(bound: Operand, name: str) -> int | None:
    if bound is None or (type(bound) is int and bound == I64_MAX):
        return None
    if not args.is_integer(bound):
        raise CallbackError(f"slice {name} must be an integer, found {type_name(bound)}")
    return int(bound)


FUNCTIONS: Final = FAMILY.complete(__name__)
