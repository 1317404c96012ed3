"""The names by which units know the machine: their globals and their own parameters."""

from __future__ import annotations

from typing import Final

from stoffel.compiler.analysis.facts import CLASS
from stoffel.isa.scalars import INTEGER_KINDS

ROOM: Final = "room"
"""Parameter of every unit: how many more activation records compiled code may stack up."""
ATTENTION: Final = "attention"
"""Global Bool that is true when a safepoint has to be obeyed."""
LIMIT: Final = "entry limit"
"""Global int that the room is compared with at an entry: 0, or more than any room while attention is asked for."""
STRETCH: Final = "stretch"
"""Global int: rounds of a counted loop between two polls; 1 while attention is asked for."""
LEAVE: Final = "leave"
"""Global function that leaves compiled code; its argument is the way of leaving."""
RECOVER: Final = "recover"
"""Global function that is handed what an opened access raised."""
EMPTIED: Final = "emptied"
"""Global function that is handed what the load of a constant from a cell raised."""
OVERFLOW: Final = "overflow"
"""Global function that raises the overflow error of an operation."""


ARGUMENTS_LOCAL: Final = "arguments"
UPVALUES_LOCAL: Final = "upvalues"
CLOSURE_LOCAL: Final = "closure"
"""Parameters that hold parts of the activation record: its bound arguments, its upvalues, its closure (or Captures)."""
PUBLISH: Final = "publish"
"""Global function that notes that a closure is held by more than registers."""
NEW_CLOSURE: Final = "new_closure"
"""Global function that makes a closure from its shape and upvalues."""
CAPTURES: Final = "captures"
"""Global class that holds the upvalues of a plain call."""
FIND_UPVALUE: Final = "find_upvalue"
"""Global function that looks an upvalue of a plain call up in the records around."""
CALL_CLOSURE: Final = "call_closure"
"""Global function that calls any closure."""


HAS_ELEMENT: Final = "has_element"
"""Global function that tells whether an array has an element that is the same as a value."""
SLICE: Final = "slice_of_array"
"""Global function that makes an array of the elements from one index to another."""
RANGE: Final = "range"
"""Global class of the iterators that count loops."""


def iterator_name(head: int) -> str:
    """Return the local that holds the iterator of the loop whose head is block *head*."""
    return f"loop{head}"


def operation_name(operation: str) -> str:
    """Return the global that holds the pure function of an operation."""
    return f"operation {operation}"


def foreign_name(function: str) -> str:
    """Return the global that calls a foreign function."""
    return f"foreign {function}"


def direct_name(function: str, given: int) -> str:
    """Return the global that calls a builtin with *given* arguments, without looking how many they are."""
    return f"foreign {function} {given}"


def box_name(raw: int) -> str:
    """Return the global that puts a plain int into the class of the kind *raw*."""
    return f"box {INTEGER_KINDS[CLASS[raw]].name}"


def argument_name(index: int) -> str:
    """Return the local that holds argument *index* of a unit for calls; it is never written."""
    return f"a{index}"
