"""The globals that the units of a machine begin with: flags that they poll, classes, and what they call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from stoffel.compiler.analysis.facts import CLASS, KIND_RANGES, RAW
from stoffel.compiler.emission import global_names
from stoffel.model.operations import OPERATIONS, overflow
from stoffel.model.values import Array, Closure, Object, Shape, Value
from stoffel.runtime.frames import Captures

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

STRETCH: Final = 2048
"""Rounds that a loop counts before it looks for attention, which takes as long as a few of them."""


def initial_globals(state: VMState) -> dict[str, Any]:
    """Return the globals of the units of a machine before there are any units."""
    namespace: dict[str, Any] = {
        "__builtins__": {},
        global_names.ATTENTION: False,
        global_names.LIMIT: 0,
        global_names.STRETCH: STRETCH,
        global_names.OVERFLOW: _raise_overflow,
        "len": len,
        global_names.RANGE: range,
        "str": str,
        "fmod": math.fmod,
        "Array": Array,
        "Object": Object,
        "next_id": state.objects.next_id,
        "publish": _publish,
        "new_closure": _new_closure,
        global_names.CAPTURES: Captures,
    }
    for operation, function in OPERATIONS.items():
        namespace[global_names.operation_name(operation)] = function
    for raw in KIND_RANGES:
        if raw & RAW:
            namespace[global_names.box_name(raw)] = _boxer(CLASS[raw])
    return namespace


def _boxer(cls: type) -> Callable[[int], Value]:
    new = int.__new__

    def box(value: int) -> Value:
        return new(cls, value)

    return box


def _raise_overflow(operation: str) -> None:
    raise overflow(operation)


def _publish(value: Value) -> None:
    """Note that something other than a register may hold *value* from now on."""
    if type(value) is Closure:
        value.shared = True


def _new_closure(shape: Shape, upvalues: tuple[tuple[str, Value], ...]) -> Closure:
    """Return a new closure that only registers hold."""
    closure = Closure.__new__(Closure)
    closure.function = shape[0]
    closure.shape = shape
    closure.upvalues = upvalues
    closure.shared = False
    return closure
