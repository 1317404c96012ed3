"""What the formulas of builtins (``work``, ``makes`` and ``grows`` of their rows) are written in, and their evaluation.

A formula is a Python expression over the parameters of its builtin, of which those that are not given are None, and
over the functions of this file. ``rest`` are the arguments beyond the parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.model import tables
from stoffel.model.operations import order_matters
from stoffel.model.text import display_pieces
from stoffel.model.values import Array, Object, Operand, SparseArray, TypedArray, Value

if TYPE_CHECKING:
    from stoffel.model.builtins.declaration import Builtin

Formula = Callable[..., Any]

_NUMBERS: Final = frozenset({*INTEGER_KINDS, float})
CHARACTERS_AS_ELEMENT: Final = 64
"""Characters of a string that count as much as one more element where strings are compared."""


def size(value: Operand) -> int:
    """Return the elements of an array, gaps included, the fields of an object or the characters of a string, else 0."""
    if type(value) is str:
        return len(value)
    if type(value) is Object:
        return len(value.fields)
    if type(value) in (Array, TypedArray, SparseArray):
        return tables.length(value)
    return 0


def weight(value: Operand) -> int:
    """Return what comparing with *value* counts: 1, and more for a long string."""
    return 1 + len(value) // CHARACTERS_AS_ELEMENT if type(value) is str else 1


def text(array: Operand) -> int:
    """Return the characters of all strings among the elements of *array*."""
    if type(array) is not Array or not any(type(item) is str for item in array.items):
        return 0
    return sum(len(item) for item in array.items if type(item) is str)


def stored(table: Value) -> int:
    """Return how many elements or fields *table* stores: what its limit is about."""
    if isinstance(table, Array):
        extra = 0 if table.extra is None else len(table.extra)
        if type(table) is SparseArray:
            return len(table.prefix) + extra
        return size(table) + extra
    return size(table)


def utf8(string: Operand) -> int:
    """Return the bytes that *string* has in UTF-8, 0 for anything else."""
    if type(string) is not str:
        return 0
    return len(string) if string.isascii() else len(string.encode())


def shown(value: Operand, *more: Operand) -> int:
    """Return the bytes that the display forms of the arguments have in UTF-8."""
    return sum(utf8(piece) for item in (value, *more) for piece in display_pieces(item))


def is_array(value: Value) -> bool:
    """Return whether *value* is an array."""
    return isinstance(value, Array)


def missing(table: Operand, key: Operand) -> bool:
    """Return whether nothing or Unit is stored in *table* under *key*."""
    if type(table) is Object:
        return tables.field(table, key) in (None, tables.ABSENT)
    if type(table) not in (Array, TypedArray, SparseArray):
        return False
    if type(key) in INTEGER_KINDS and key < 0:
        key = tables.length(table) + key
        return key >= 0 and tables.lookup(table, key) in (None, tables.ABSENT)
    return tables.lookup(table, key) in (None, tables.ABSENT)


def sorting(array: Operand) -> int:
    """Return what sorting counts: elements and characters of strings by the logarithm, or the square of the elements.

    The square is for numbers that have to be sorted by insertion.
    """
    if type(array) is not Array:
        length = size(array)
        return length * length.bit_length()
    items = array.items
    kinds = set(map(type, items))
    if kinds <= _NUMBERS and order_matters(items, kinds):
        return len(items) ** 2
    return (len(items) + text(array)) * len(items).bit_length()


def times(count: Operand) -> int:
    """Return *count*, or 0 for what is no integer above 0."""
    return max(int(count), 0) if type(count) in INTEGER_KINDS else 0


def steps(start: Operand, stop: Operand, step: Operand) -> int:
    """Return how many integers ``range`` counts."""
    stride = 1 if step is None else step
    if any(type(number) not in INTEGER_KINDS for number in (start, stop, stride)) or not stride:
        return 0
    return max(0, -((int(start) - int(stop)) // int(stride)))


def selected(value: Operand, start: Operand, stop: Operand, step: Operand) -> int:
    """Return how many elements or characters ``slice`` selects."""
    length = size(value)
    stride = 1 if step is None else step
    bounds = (start, stop)
    if type(value) is Object or type(stride) not in INTEGER_KINDS or not stride:
        return 0
    if any(bound is not None and type(bound) not in INTEGER_KINDS for bound in bounds):
        return 0
    first, end = [None if bound is None else int(bound) for bound in bounds]
    indexes = range(*slice(first, end, int(stride)).indices(length))
    return 0 if not indexes else (indexes[-1] - indexes.start) // indexes.step + 1


def added(table: Operand, key: Operand) -> int:
    """Return how many elements or fields storing under *key* adds to *table*."""
    if type(table) is Object:
        return int(key not in table.fields if type(key) is str else tables.field(table, key) is tables.ABSENT)
    if type(table) is Array and type(key) is int and key < len(table.items):
        return 0
    if type(table) not in (Array, TypedArray, SparseArray):
        return 0
    length = tables.length(table)
    if type(key) in INTEGER_KINDS and key < 0:
        return 0
    if type(key) is int and length <= key < tables.DENSE_START:
        return key + 1 - length
    return int(tables.lookup(table, key) is tables.ABSENT)


NAMES: Final[dict[str, Any]] = {
    function.__name__: function
    for function in (size, weight, utf8, shown, is_array, missing, sorting, times, steps, selected, added)
}


def no_cost(*_arguments: Value) -> int:
    """Return 0: the formula of most builtins."""
    return 0


class Costs:
    """The formulas of one builtin as functions of its arguments; of too few or wrong ones they are 0."""

    __slots__ = ("grows", "least", "makes", "text", "work")
    least: int
    """Arguments that the formulas need."""

    def __init__(self, row: Builtin) -> None:
        self.work = _function(row, row.work)
        self.text = _function(row, row.text)
        self.makes = None if row.makes is None else _function(row, row.makes)
        self.grows = _function(row, row.grows)
        self.least = sum(not parameter.optional for parameter in row.parameters)


def _function(row: Builtin, formula: str) -> Formula:
    if formula == "0":
        return no_cost
    names = [parameter.name for parameter in row.parameters]
    parameters = [
        f"{name}=None" if parameter.optional else name for name, parameter in zip(names, row.parameters, strict=True)
    ]
    return eval(f"lambda {', '.join([*parameters, '*rest'])}: {formula}", dict(NAMES))  # type: ignore[no-any-return]  # noqa: S307 - our own table


_KNOWN: Final[dict[str, Costs]] = {}


def costs_of(row: Builtin) -> Costs:
    """Return the formulas of *row*, ready to be called."""
    known = _KNOWN.get(row.name)
    if known is None:
        known = _KNOWN[row.name] = Costs(row)
    return known
