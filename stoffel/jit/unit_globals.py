"""The globals that the units of a machine begin with: flags that they poll, classes, and what they call."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from stoffel.compiler.analysis.facts import CLASS, KIND_RANGES, RAW
from stoffel.compiler.emission import global_names
from stoffel.isa.scalars import I64_MAX
from stoffel.model.operations import OPERATIONS, overflow
from stoffel.model.values import Array, Closure, Object, Shape, Value
from stoffel.runtime.builtins.equality import has_element
from stoffel.runtime.frames import Captures

if TYPE_CHECKING:
    from stoffel.model.foreign import ForeignFunction
    from stoffel.runtime.frames import ActivationRecord
    from stoffel.runtime.state import VMState

STRETCH: Final = 2048
"""Rounds that a loop counts before it looks for attention, which takes as long as a few of them."""


def initial_globals(state: VMState) -> dict[str, Any]:
    """Return the globals of the units of a machine before there are any units."""
    namespace: dict[str, Any] = {
        # Units need none of them: they are for what people ask a debugger that stands in one.
        "__builtins__": vars(builtins),
        global_names.ATTENTION: False,
        global_names.LIMIT: 0,
        global_names.STRETCH: STRETCH,
        global_names.OVERFLOW: _raise_overflow,
        "len": len,
        global_names.RANGE: range,
        "str": str,
        "fmod": math.fmod,
        global_names.HAS_ELEMENT: has_element,
        global_names.SLICE: _slicer(state),
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


def direct_calls(function: ForeignFunction, state: VMState) -> dict[str, Callable[..., Value]]:
    """Return what calls a builtin with each number of arguments that it declares, by global name.

    Arguments come one by one and go on so: packing them into a list, counting and unpacking them again takes longer
    than most builtins do.
    """
    call, fail = function.direct, function.fail
    assert call is not None

    def none() -> Value:
        try:
            return call(state)
        except Exception as error:
            fail(state, error)

    def one(first: Value) -> Value:
        try:
            return call(state, first)
        except Exception as error:
            fail(state, error)

    def two(first: Value, second: Value) -> Value:
        try:
            return call(state, first, second)
        except Exception as error:
            fail(state, error)

    def three(first: Value, second: Value, third: Value) -> Value:
        try:
            return call(state, first, second, third)
        except Exception as error:
            fail(state, error)

    def more(*arguments: Value) -> Value:
        try:
            return call(state, *arguments)
        except Exception as error:
            fail(state, error)

    declared = 0 if function.declaration is None else len(function.declaration.parameters)
    calls: list[Callable[..., Value]] = [none, one, two, three, *[more] * max(declared - 3, 0)]
    return {
        global_names.direct_name(function.name, given): calls[given]
        for given in range(declared + 1)
        if function.takes(given)
    }


def _slicer(state: VMState) -> Callable[[Array, int, int], Array]:
    next_id = state.objects.next_id

    def slice_of_array(array: Array, start: int, stop: int) -> Array:
        # The largest integer stands for no bound at all: as the end of any list it is that anyway.
        items = array.items[None if start == I64_MAX else start : stop]
        result = Array()
        result.id = next_id()
        result.items = items
        result.extra = None
        return result

    return slice_of_array


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


class Watcher(Protocol):
    """Keeps the records of the calling function that were shown during the call of a foreign function in progress."""

    shown: list[ActivationRecord] | None


def caller_of(function: ForeignFunction, state: VMState, watcher: Watcher) -> Callable[..., Value]:
    """Return what units call for a foreign function; *watcher* tells which records it was shown, if it may be."""
    call = function.call

    def run(*arguments: Value) -> Value:
        try:
            return call(state, list(arguments))
        except Exception as error:
            function.fail(state, error)

    def run_watched(*arguments: Value) -> Value:
        given = list(arguments)
        outer = watcher.shown
        shown = watcher.shown = []
        try:
            return call(state, given)
        except BaseException as error:
            # As the interpreter does: the arguments are put back, in the records that the host may have kept.
            for record in shown:
                record.stack = given
            if isinstance(error, Exception):
                function.fail(state, error)
            raise
        finally:
            watcher.shown = outer

    return run if function.quiet else run_watched
