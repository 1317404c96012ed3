"""Calling and returning: name resolution, the calling convention, and the events of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stoffel.errors import ErrorKind, VMError
from stoffel.model.code import LARGE_FRAME, Code
from stoffel.model.foreign import ForeignFunction
from stoffel.model.values import Closure, Value
from stoffel.runtime.events import (
    AfterFunctionCall,
    BeforeFunctionCall,
    CallTarget,
    RegisterWrite,
    StackPop,
)
from stoffel.runtime.frames import NO_UPVALUES, ActivationRecord

if TYPE_CHECKING:
    from stoffel.runtime.frames import RunState

REGISTER_BUDGET = 1 << 27
"""Registers that a stack of frames as large as the one to be pushed may have in all (8 bytes each)."""


def call_function(frame: ActivationRecord, callee: Code) -> bool:
    """Call the VM function *callee* with the argument stack of *frame*.

    Return True if the loop must look at the stack of records (or at hooks).
    """
    state = frame.state
    arguments = frame.stack
    if callee.plain and len(arguments) == callee.arity and len(state.records) < state.max_call_depth:
        upvalues = NO_UPVALUES
    else:
        upvalues = prepare(state, callee, arguments)
    frame.stack = []
    tier = state.tier
    if state.hooked:
        if state.watches_calls:
            _announce(state, frame, arguments, "function", callee.name)
    elif tier.counts_heat:
        outcome = tier.call(frame, callee, arguments, upvalues)
        if outcome is not None:
            return outcome
    if tier.counts_heat and tier.statistics.counts_calls:
        tier.statistics.called(callee)
    state.records.append(ActivationRecord(state, callee, arguments, upvalues, None))
    return True


def call_foreign(frame: ActivationRecord, callee: ForeignFunction) -> bool:
    """Call a foreign function with the argument stack of *frame*; return as :func:`call_function` does."""
    state = frame.state
    arguments = frame.stack
    frame.stack = []
    if state.watches_calls:
        _announce(state, frame, arguments, "foreign", callee.name)
    try:
        result = callee.call(state, arguments)
    except BaseException as error:
        frame.stack = arguments
        callee.fail(state, error)
    if state.records[-1] is not frame:
        # call_closure has pushed a record: what it returned is not the result of the call.
        return True
    registers = frame.registers
    if state.watches_returns:
        previous = registers[0]
        registers[0] = result
        if state.watches_instructions:
            state.fire(RegisterWrite(0, previous, result))
        if AfterFunctionCall in state.wanted:
            state.fire(AfterFunctionCall(CallTarget("foreign", callee.name), result))
    else:
        registers[0] = result
    return state.attention


def _announce(state: RunState, frame: ActivationRecord, arguments: list[Value], sort: str, name: str) -> None:
    """Fire the events of taking the argument stack and of the call; put the stack back if a hook fails."""
    try:
        if StackPop in state.wanted:
            for value in reversed(arguments):
                state.fire(StackPop(value))
        if BeforeFunctionCall in state.wanted:
            state.fire(BeforeFunctionCall(CallTarget(sort, name), tuple(arguments)))
    except BaseException:
        frame.stack = arguments
        raise


def prepare(state: RunState, callee: Code, arguments: list[Value]) -> list[tuple[str, Value]]:
    """Check arity and depth of a plain call and return the upvalues that it captures from the active records."""
    check_arity(callee, len(arguments))
    upvalues = NO_UPVALUES
    if callee.upvalue_names:
        upvalues = []
        for name in callee.upvalue_names:
            found, value = find_upvalue(state, name)
            if not found:
                raise missing_upvalue(name)
            upvalues.append((name, value))
    check_depth(state, callee)
    return upvalues


def check_arity(callee: Code, given: int) -> None:
    """Raise VMError if *callee* does not take *given* arguments."""
    if given != len(callee.parameters):
        raise VMError(f"Function {callee.name} expects {len(callee.parameters)} arguments but got {given}")


def check_depth(state: RunState, callee: Code) -> None:
    """Raise VMError if one more record, for *callee*, would exceed the machine's limits."""
    depth = len(state.records)
    if depth >= state.max_call_depth:
        raise VMError(f"Call depth exceeds {state.max_call_depth}")
    if callee.register_count > LARGE_FRAME and depth * callee.register_count > REGISTER_BUDGET:
        raise VMError(f"Call depth exceeds {depth} with {callee.register_count} registers in each frame")


def missing_upvalue(name: str) -> VMError:
    """Return the error of a plain call whose callee declares an upvalue that no active record has."""
    return VMError(f"Could not find upvalue {name} when calling function")


def find_upvalue(state: RunState, name: str) -> tuple[bool, Value]:
    """Look *name* up through all active records; see :func:`find_in`."""
    return find_in(state.frames, name)


def find_in(frames: list[ActivationRecord], name: str) -> tuple[bool, Value]:
    """Look *name* up in records, innermost (last) first: in each its parameters, then its upvalues."""
    for frame in reversed(frames):
        found, value = frame.local(name)
        if found:
            return True, value
        for upvalue, value in frame.upvalues:
            if upvalue == name:
                return True, value
    return False, None


def enter_closure(state: RunState, closure: Closure, arguments: list[Value], *, announce: bool = True) -> None:
    """Push the record that runs *closure*; its declared upvalue names play no role.

    *announce* is False where the closure is the entry of a run: entries have no call events. Raises VMError if the
    function does not exist, is foreign, or takes another number of arguments.
    """
    callee = state.functions.get(closure.function)
    if callee is None:
        raise VMError(f"Function {closure.function} not found")
    if type(callee) is not Code:
        raise VMError(f"Cannot execute foreign function as closure: {closure.function}")
    check_arity(callee, len(arguments))
    check_depth(state, callee)
    if announce and BeforeFunctionCall in state.wanted:
        state.fire(BeforeFunctionCall(CallTarget("closure", callee.name), tuple(arguments)))
    if state.budget is not None:
        state.budget.record(callee)
    state.tier.closure_called(callee)
    state.records.append(ActivationRecord(state, callee, arguments, list(closure.upvalues), closure))


def leave(frame: ActivationRecord, value: Value) -> None:
    """Drop *frame*, the current record, and hand *value* to its caller, or to whoever started the run."""
    state = frame.state
    frames = state.records
    frames.pop()
    if len(frames) == state.base:
        state.result = value
        return
    caller = frames[-1]
    previous = caller.registers[0]
    caller.registers[0] = value
    if state.watches_returns:
        state.cursor = (caller.code.name, caller.next_instruction - 1)
        if state.watches_instructions:
            state.fire(RegisterWrite(0, previous, value))
        if AfterFunctionCall in state.wanted:
            sort = "function" if frame.closure is None else "closure"
            state.fire(AfterFunctionCall(CallTarget(sort, frame.code.name), value))


def entry(state: RunState, name: str, arguments: list[Value]) -> Code:
    """Return the VM function *name* as an entry point for *arguments*; raises VMError if it cannot be one."""
    callee = state.functions.get(name)
    if callee is None:
        raise VMError(f"Function {name} not found")
    if type(callee) is not Code:
        raise VMError(f"Cannot execute foreign function {name}")
    check_arity(callee, len(arguments))
    if callee.upvalue_names:
        names = ", ".join(f'"{upvalue}"' for upvalue in callee.upvalue_names)
        raise VMError(
            f"Cannot execute function {name} as an entry point because it requires captured upvalues: [{names}]",
            ErrorKind.RUNTIME,
        )
    check_depth(state, callee)
    state.tier.statistics.called(callee)
    return callee
