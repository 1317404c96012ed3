"""Activation records from suspended compiled frames: what a site says about the Python locals of its frame."""

from __future__ import annotations

import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

from stoffel.compiler import names
from stoffel.compiler.places import FRAME_PARAMETERS
from stoffel.compiler.safepoints import Site, Unit, boxed, flag_at, value_at
from stoffel.runtime.frames import NO_UPVALUES, ActivationRecord
from stoffel.runtime.values import Closure, Value

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState


def records_of(state: VMState, unit: Unit, site: Site, frame: FrameType) -> list[ActivationRecord]:
    """Return the activation records that a compiled frame stands for, innermost first: inlined calls have one."""
    variables = frame.f_locals
    code = unit.function
    layout = unit.layout
    values = [None if spot is None else value_at(spot, variables) for spot in site.spots]
    if unit.arguments[: len(FRAME_PARAMETERS)] == FRAME_PARAMETERS:
        arguments, upvalues, closure = (variables[name] for name in FRAME_PARAMETERS)
    else:
        arguments = [variables[names.argument_name(index)] for index in range(len(code.parameters))]
        for position, raw in unit.raw_arguments.items():
            arguments[position] = boxed(arguments[position], raw)
        upvalues, closure = NO_UPVALUES, variables.get(names.CLOSURE_LOCAL)
    if unit.captured is not None:
        upvalues = list(closure.upvalues)
    for value in (closure, *arguments, *values):
        if type(value) is Closure:
            value.shared = True
    records = []
    stack: list[Value] = values[layout.stack :]
    flag: Any = flag_at(site.flag, variables)
    resume = site.resume
    inlined = layout.splice.at(resume)
    while inlined is not None:
        runs = values[inlined.closure] if inlined.closure >= 0 else None
        bound = values[inlined.bound : inlined.flag]
        captured = NO_UPVALUES if runs is None else list(runs.upvalues)
        record = ActivationRecord(state, inlined.code, bound, captured, runs)
        record.registers = values[inlined.first : inlined.bound]
        record.stack, record.flag = stack, flag
        record.jump(resume - inlined.base)
        records.append(record)
        # Around it is the caller, suspended in its CALL.
        stack, flag, resume, inlined = [], values[inlined.flag], inlined.call + 1, inlined.outer
    record = ActivationRecord(state, code, arguments, upvalues, closure)
    record.registers = values[: code.register_count]
    if layout.slots:
        record.spill = {slot: values[place] for slot, place in layout.slots.items()}
    record.stack, record.flag = stack, flag
    record.jump(resume)
    return [*records, record]


def is_of(error: BaseException, frame: FrameType) -> bool:
    """Return whether *error* was raised by an instruction of *frame* itself, not by something that it called."""
    trace = error.__traceback__
    return trace is not None and trace.tb_frame is frame and trace.tb_next is None


def captured_by(frame: ActivationRecord) -> tuple[str, ...] | None:
    """Return the upvalue names of the closure that *frame* runs, if its state and that of the record are the same."""
    closure = frame.closure
    if closure is None or len(closure.upvalues) != len(frame.upvalues):
        return None
    captured = closure.shape[1]
    same = all(
        mine[0] == other[0] and mine[1] is other[1]
        for mine, other in zip(closure.upvalues, frame.upvalues, strict=True)
    )
    return captured if same and len(set(captured)) == len(captured) else None


def private_closures(frame: ActivationRecord) -> list[Closure]:
    """Return the closures that nothing but registers of *frame* (and its own reference) holds, marked as not shared."""
    found: list[Closure] = []
    registers = frame.registers
    for item in registers:
        if type(item) is Closure and not any(item is other for other in found):
            held = sum(1 for other in registers if other is item) + (frame.closure is item)
            # The loop's variable and the argument of getrefcount hold it too.
            if sys.getrefcount(item) == held + 2:
                item.shared = False
                found.append(item)
    return found
