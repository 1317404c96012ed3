"""Deep equality of arrays, and the searches built on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import NoneType
from typing import TYPE_CHECKING, Final

from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.model import tables
from stoffel.model.builtins.arrays import SEARCHES
from stoffel.model.foreign import CallbackError
from stoffel.model.values import Array, Operand, same, type_name
from stoffel.runtime.builtins import arguments as args
from stoffel.runtime.builtins import pieces
from stoffel.runtime.builtins.registry import Family

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

FAMILY = Family(*SEARCHES)

_PLAIN: Final = frozenset({*INTEGER_KINDS, float, str, bool, NoneType})
"""Types whose values are the same if and only if they are equal, but for NaN."""

Watch = Callable[..., None]
"""Told of elements, 0 if none, that are about to be looked at; ends the work by raising."""


def _unwatched(elements: int = 0) -> None:
    """Look at nothing."""


PAIR: Final = 64
"""Elements that comparing two arrays counts as, besides those that they have."""
LEVELS: Final = 64
"""Nested array levels that are compared; what differs only by handle below them counts as unequal."""


def deep_equal(left: Operand, right: Operand, watch: Watch = _unwatched) -> bool:
    """Compare arrays element by element, up to :data:`LEVELS` deep, everything else structurally.

    *watch* is told how many elements of nested arrays are about to be compared, and may end that.

    Raises VMError (kind TableMemory) for a dangling handle or an array too long to enumerate.
    """
    if not isinstance(left, Array) or not isinstance(right, Array):
        return same(left, right)
    # Arrays may share parts or contain themselves, so a pair is compared again only if it turns up deeper than before:
    # the work stays proportional to the number of pairs, where plain recursion could double at each level.
    deepest: dict[tuple[int, int], int] = {}
    pending = [(left, right, 1)]
    while pending:
        one, other, level = pending.pop()
        if one is other:
            continue
        if level > LEVELS:
            return False
        if deepest.get((id(one), id(other)), 0) >= level:
            continue
        deepest[id(one), id(other)] = level
        watch(PAIR + tables.length(one))
        if tables.length(one) != tables.length(other):
            return False
        for index, (item, counterpart) in enumerate(zip(tables.elements(one), tables.elements(other), strict=True)):
            if not index % pieces.RUN:
                watch(0)
            if type(item) is str and len(item) > PAIR and type(counterpart) is str and item is not counterpart:
                watch(min(len(item), len(counterpart)))
            if isinstance(item, Array) and isinstance(counterpart, Array):
                pending.append((item, counterpart, level + 1))
            elif not same(item, counterpart):
                return False
    return True


def positions(
    items: list[Operand], value: Operand, start: int = 0, stop: int | None = None, watch: Watch = _unwatched
) -> Iterator[int]:
    """Yield each index of *start* to *stop* - 1 (default: all) whose element equals *value*.

    *watch* is as in :func:`deep_equal`.
    """
    end = len(items) if stop is None else stop
    if isinstance(value, Array):
        for index in range(start, end):
            watch(0)
            if deep_equal(items[index], value, watch):
                yield index
        return
    kind = type(value)
    if kind in _PLAIN and value == value:
        # Whatever is the same is equal to Python, too: its own search passes over the rest.
        found = pieces.find(items, value, start, end, watch)
        while found >= 0:
            if type(items[found]) is kind:
                yield found
            found = pieces.find(items, value, found + 1, end, watch)
        return
    for index in range(start, end):
        if not index % pieces.RUN:
            watch(0)
        item = items[index]
        if type(item) is kind and same(item, value):
            yield index


def has_element(array: Array, value: Operand, watch: Watch = _unwatched) -> bool:
    """Tell whether an element of *array* equals *value*; *watch* is as in :func:`deep_equal`."""
    items = _searched(array)
    kind = type(value)
    if kind in _PLAIN and len(items) <= pieces.PIECE and value in items and type(items[items.index(value)]) is kind:
        # The commonest case first: the first that is equal to Python, too. NaN is equal to none.
        return True
    return next(positions(items, value, watch=watch), None) is not None


def _searched(table: Array) -> list[Operand]:
    """Return the elements of *table*, which must not be changed."""
    return table.items if type(table) is Array else tables.elements(table)


@FAMILY.builtin("array_equals")
def array_equals(state: VMState, left: Operand, right: Operand) -> bool:
    """Tell whether two arrays are deeply equal."""
    return deep_equal(args.array(left), args.array(right, args.SECOND_ARRAY), state.look_up)


@FAMILY.builtin("count")
def count(state: VMState, array: Operand, value: Operand) -> int:
    """Return how many elements equal *value*."""
    items = _searched(args.array(array))
    return sum(1 for _ in positions(items, value, watch=state.look_up))


@FAMILY.builtin("index")
def index(state: VMState, array: Operand, value: Operand, start: Operand = 0, *rest: Operand) -> int:
    """Return the first index of *start* to *stop* - 1 whose element equals *value*."""
    table = args.array(array)
    length = tables.length(table)
    begin = _bound(start, length)
    end = _bound(rest[0], length) if rest else length
    for found in positions(_searched(table), value, begin, end, state.look_up):
        return found
    raise CallbackError("value is not in list")


def _bound(bound: Operand, length: int) -> int:
    if not args.is_integer(bound):
        raise CallbackError(f"index bound must be an integer, found {type_name(bound)}")
    return min(max(bound + length if bound < 0 else int(bound), 0), length)


@FAMILY.builtin("remove")
def remove(state: VMState, array: Operand, value: Operand) -> None:
    """Remove the first element that equals *value*."""
    table = args.array(array)
    items = tables.elements(table)
    for found in positions(items, value, watch=state.look_up):
        del items[found]
        tables.replace(table, items)
        return
    raise CallbackError("value is not in list")


@FAMILY.builtin("contains")
def contains(state: VMState, container: Operand, value: Operand) -> bool:
    """Tell whether a string contains a substring, an array an equal element, an object a key."""
    if type(container) is str:
        if type(value) is not str:
            raise CallbackError("'in' on a string requires a string operand")
        return pieces.holds(container, value, state.look_up)
    if isinstance(container, Array):
        return has_element(container, value, state.look_up)
    if type_name(container) == "object":
        return tables.field(container, value) is not tables.ABSENT
    raise CallbackError(f"'in' requires a list, dict, or string container, found {type_name(container)}")


FUNCTIONS: Final = FAMILY.complete(__name__)
