"""Long work on lists in pieces: between two of them the run may be told to end.

Python's own functions on lists take seconds for millions of elements, and nothing interrupts them. Each function here
is given *look_up*, which raises if the run has to end, and calls it every few milliseconds; short lists are left to
Python.
An interrupted reversal leaves all elements there, in some order; an interrupted sort has changed nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from operator import gt, le
from typing import Any, Final

from stoffel.model import tables
from stoffel.model.values import Array, Operand

LookUp = Callable[[], None]

PIECE: Final = 1 << 17
"""Elements that are copied, searched or made in one go."""
RUN: Final = 1 << 15
"""Elements that are sorted in one go, which takes longer."""


def elements(array: Array, look_up: LookUp) -> list[Operand]:
    """Return the elements of *array* as a new list, as :func:`stoffel.model.tables.elements` does."""
    if type(array) is Array and len(array.items) > PIECE:
        return copied(array.items, look_up)
    return tables.elements(array)


def copied(items: list[Operand], look_up: LookUp) -> list[Operand]:
    """Return a copy."""
    result: list[Operand] = []
    extend(result, items, look_up)
    return result


def extend(result: list[Operand], items: Sequence[Operand], look_up: LookUp) -> None:
    """Append *items*, which may be the same list, to *result*."""
    count = len(items)
    if count <= PIECE:
        result.extend(items)
        return
    for start in range(0, count, PIECE):
        look_up()
        result.extend(items[start : min(start + PIECE, count)])


def repeated(items: list[Operand], times: int, look_up: LookUp) -> list[Operand]:
    """Return *items* so many times."""
    if len(items) * times <= PIECE:
        return items * times
    result: list[Operand] = []
    if len(items) < PIECE:
        at_once = PIECE // max(len(items), 1)
        block = items * at_once
        for _ in range(times // at_once):
            look_up()
            result.extend(block)
        result.extend(items * (times % at_once))
        return result
    for _ in range(times):
        extend(result, items, look_up)
    return result


def reverse(items: list[Operand], look_up: LookUp) -> None:
    """Reverse *items* in place."""
    first, last = 0, len(items)
    while last - first > 2 * PIECE:
        look_up()
        front, back = items[first : first + PIECE], items[last - PIECE : last]
        front.reverse()
        back.reverse()
        items[first : first + PIECE] = back
        items[last - PIECE : last] = front
        first += PIECE
        last -= PIECE
    middle = items[first:last]
    middle.reverse()
    items[first:last] = middle


def find(items: list[Operand], value: Operand, start: int, stop: int, look_up: LookUp) -> int:
    """Return the first index from *start* up to *stop* of what is equal to *value* to Python, -1 if there is none."""
    while start < stop:
        end = min(start + PIECE, stop)
        try:
            return items.index(value, start, end)
        except ValueError:
            start = end
            look_up()
    return -1


def holds(text: str, part: str, look_up: LookUp) -> bool:
    """Return whether *part* is in *text*."""
    width = 16 * PIECE
    if len(text) <= width or len(part) > width:
        return part in text
    for start in range(0, len(text), width):
        look_up()
        if text.find(part, start, start + width + len(part) - 1) >= 0:
            return True
    return False


def in_order(items: list[Any], look_up: LookUp) -> list[Any] | None:
    """Sort *items*, which are comparable: stable, ascending.

    Returns None if that was done in place, else a new list: *items* are unchanged then, and so if *look_up* raises.
    """
    count = len(items)
    if count <= RUN:
        items.sort()
        return None
    if _holds_throughout(gt, items, look_up):
        result = copied(items, look_up)
        reverse(result, look_up)
        return result
    if _holds_throughout(le, items, look_up):
        return None
    result = []
    for start in range(0, count, RUN):
        look_up()
        result.extend(sorted(items[start : start + RUN]))
    width = RUN
    while width < count:
        for start in range(0, count - width, 2 * width):
            _merge(result, start, start + width, min(start + 2 * width, count), look_up)
        width *= 2
    return result


def drop(items: list[Any], look_up: LookUp) -> None:
    """Empty *items*, which nobody needs any more: freeing millions of elements takes long, too."""
    while len(items) > PIECE:
        look_up()
        del items[-PIECE:]


def _holds_throughout(relation: Callable[[Any, Any], bool], items: list[Any], look_up: LookUp) -> bool:
    """Return whether each element has *relation* to the next."""
    for start in range(0, len(items) - 1, RUN):
        look_up()
        piece = items[start : start + RUN + 1]
        if not all(map(relation, piece, piece[1:])):
            return False
    return True


def _merge(items: list[Any], start: int, middle: int, end: int, look_up: LookUp) -> None:
    """Merge two sorted stretches that follow each other, a piece of both at a time, which Python's sort merges."""
    if items[middle - 1] <= items[middle]:
        return
    left: list[Any] = []
    for place in range(start, middle, PIECE):
        look_up()
        left.extend(items[place : min(place + PIECE, middle)])
    # What has been merged never reaches what of the second stretch is still to come.
    at, first, second = start, 0, middle
    while first < len(left) and second < end:
        look_up()
        mine = min(first + RUN // 2, len(left))
        other = min(second + RUN // 2, end)
        # All that is not greater than the lesser of both last ones; of equal ones those on the left come first.
        if items[other - 1] < left[mine - 1]:
            mine = bisect_right(left, items[other - 1], first, mine)
        else:
            other = bisect_left(items, left[mine - 1], second, other)
        piece = left[first:mine] + items[second:other]
        piece.sort()
        items[at : at + len(piece)] = piece
        at += len(piece)
        first, second = mine, other
    for place in range(first, len(left), PIECE):
        look_up()
        piece = left[place : place + PIECE]
        items[at : at + len(piece)] = piece
        at += len(piece)
