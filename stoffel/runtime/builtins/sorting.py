"""The ``sort`` builtin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.model import tables
from stoffel.model.builtins.arrays import SORTING
from stoffel.model.foreign import CallbackError
from stoffel.model.operations import order_matters
from stoffel.model.values import Array, Operand, TypedArray, type_name
from stoffel.runtime.builtins import arguments as args
from stoffel.runtime.builtins import pieces
from stoffel.runtime.builtins.registry import Family

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

FAMILY = Family(*SORTING)

_CLASSES: Final[dict[type, str]] = {
    **dict.fromkeys(INTEGER_KINDS, "number"),
    float: "number",
    str: "text",
    bool: "truth",
}
"""Which types can be compared with each other when sorting."""


@FAMILY.builtin("sort")
def sort(state: VMState, array: Operand) -> None:
    """Sort the elements in place: stable, ascending; the array is unchanged if that fails."""
    table = args.array(array)
    if type(table) is Array or type(table) is TypedArray:
        items: list[Operand] = table.items
        ordered = _sorted(items, state.look_up)
        if ordered is not None:
            tables.replace(table, ordered)
            pieces.drop(items, state.look_up)
        return
    items = tables.elements(table)
    tables.replace(table, _sorted(items, state.look_up) or items)


def _sorted(items: list[Operand], look_up: pieces.LookUp) -> list[Operand] | None:
    """Sort *items* in place and return None, or leave them as they are and return a sorted list."""
    if len(items) < 2:
        return None
    kinds = set(map(type, items))
    if len({_CLASSES.get(kind) for kind in kinds}) > 1 or None in map(_CLASSES.get, kinds):
        raise _first_failure(items)
    if float in kinds:
        if any(item != item for item in items):
            raise _first_failure(items)
        if order_matters(items, kinds):
            ordered = items.copy()
            _insertion_sort(ordered, look_up)
            return ordered
    return pieces.in_order(items, look_up)


def _insertion_sort(items: list[Operand], look_up: pieces.LookUp) -> None:
    """Sort by the comparisons of the reference machine, and in their order; see :func:`order_matters`."""
    for index in range(1, len(items)):
        if not index % 16:
            look_up()
        item = items[index]
        place = index
        while place and _compare(item, items[place - 1]) < 0:
            place -= 1
        items.insert(place, items.pop(index))


def _compare(left: Operand, right: Operand) -> int:
    """Order two numbers; with a Float on either side both are taken as Float."""
    if type(left) is float or type(right) is float:
        left, right = float(left), float(right)
    return int(left > right) - int(left < right)


def _first_failure(items: list[Operand]) -> CallbackError:
    """Return the error of an insertion sort: the element inserted meets the greatest of those before it."""
    greatest = items[0]
    for item in items[1:]:
        if _CLASSES.get(type(item)) != _CLASSES.get(type(greatest)) or type(item) not in _CLASSES:
            return CallbackError(f"list sort does not support comparing {type_name(item)} and {type_name(greatest)}")
        if item != item or greatest != greatest:
            return CallbackError("list sort does not support NaN values")
        if item >= greatest:
            greatest = item
    raise AssertionError("the elements can be sorted")


FUNCTIONS: Final = FAMILY.complete(__name__)
