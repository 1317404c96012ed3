"""Closures and upvalues: create_closure, call_closure, get_upvalue, set_upvalue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.errors import VMError
from stoffel.model.builtins.basics import CLOSURES
from stoffel.model.foreign import CallbackError
from stoffel.model.values import Closure, Value, type_name
from stoffel.runtime.builtins.registry import Family
from stoffel.runtime.calls import enter_closure, find_upvalue
from stoffel.runtime.events import ClosureCreated, UpvalueRead, UpvalueWrite

if TYPE_CHECKING:
    from stoffel.runtime.frames import ActivationRecord
    from stoffel.runtime.state import VMState

FAMILY = Family(*CLOSURES)


@FAMILY.builtin("create_closure")
def create_closure(state: VMState, function: Value, *names: Value) -> Closure:
    """Capture the named variables, looked up through the active records; the function is not checked."""
    if type(function) is not str:
        raise CallbackError("First argument must be a string")
    upvalues = []
    for name in names:
        if type(name) is not str:
            raise CallbackError("Upvalue names must be strings")
        found, value = find_upvalue(state, name)
        if not found:
            raise VMError(f"Could not find upvalue {name} when creating closure")
        upvalues.append((name, value))
    closure = Closure(function, tuple(upvalues))
    if ClosureCreated in state.wanted:
        state.fire(ClosureCreated(function, closure.upvalues))
    return closure


@FAMILY.builtin("call_closure")
def call_closure(state: VMState, closure: Value, *arguments: Value) -> None:
    """Push the record that runs *closure*: the loop continues in it, and its result goes to the caller's register 0."""
    if type(closure) is not Closure:
        raise VMError(f"First argument must be a closure, but got {type_name(closure)}")
    enter_closure(state, closure, list(arguments))


def _current(state: VMState) -> ActivationRecord:
    frames = state.frames
    if len(frames) <= state.base:
        raise VMError("No active activation record")
    return frames[-1]


@FAMILY.builtin("get_upvalue")
def get_upvalue(state: VMState, name: Value) -> Value:
    """Return the current record's upvalue of that name (the last one)."""
    if type(name) is not str:
        raise CallbackError("Upvalue name must be a string")
    for entry in reversed(_current(state).upvalues):
        if entry[0] == name:
            if UpvalueRead in state.wanted:
                state.fire(UpvalueRead(name, entry[1]))
            return entry[1]
    raise VMError(f"Upvalue '{name}' not found")


@FAMILY.builtin("set_upvalue")
def set_upvalue(state: VMState, name: Value, value: Value) -> None:
    """Change the current record's upvalue (the last of that name), and write back to the closure it runs."""
    if type(name) is not str:
        raise CallbackError("Upvalue name must be a string")
    frame = _current(state)
    for index in range(len(frame.upvalues) - 1, -1, -1):
        if frame.upvalues[index][0] == name:
            previous = frame.upvalues[index][1]
            frame.upvalues[index] = (name, value)
            break
    else:
        raise VMError(f"Upvalue '{name}' not found for writing")
    if UpvalueWrite in state.wanted:
        state.fire(UpvalueWrite(name, previous, value))
    if frame.closure is not None:
        write_back(state, frame.closure, name, value)


def write_back(state: VMState, closure: Closure, name: str, value: Value) -> None:
    """Replace *closure*, in every active record's closure and registers, by one with the new state.

    Comparison is by identity: argument stacks, spill slots, locals, upvalues and tables keep the old closure. The first
    upvalue of that name changes (the record itself changed its last).
    """
    upvalues = list(closure.upvalues)
    for index, (upvalue, _) in enumerate(upvalues):
        if upvalue == name:
            upvalues[index] = (name, value)
            break
    replace(state, closure, Closure(closure.function, tuple(upvalues)))


def replace(state: VMState, closure: Closure, updated: Closure) -> None:
    """Put *updated* in the place of *closure* in every active record's closure and registers."""
    for frame in state.frames:
        if frame.closure is closure:
            frame.closure = updated
        registers = frame.registers
        for index, held in enumerate(registers):
            if held is closure:
                registers[index] = updated


FUNCTIONS: Final = FAMILY.complete(__name__)
