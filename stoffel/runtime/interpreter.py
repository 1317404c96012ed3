"""The reference interpreter: loops over the same steps, without hooks, with events of calls, and with those of all.

Records are explicit, so VM recursion costs no host recursion. Control returns to the outer part of a loop whenever a
step says :data:`~stoffel.runtime.steps.SWITCH`: after a call, a return, or when attention is asked for at a safepoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stoffel.errors import VMError
from stoffel.isa.instruction import Instruction
from stoffel.isa.table import Events, OperandKind
from stoffel.model.code import Code
from stoffel.runtime.calls import leave
from stoffel.runtime.events import (
    AfterInstructionExecute,
    BeforeInstructionExecute,
    RegisterRead,
    RegisterWrite,
    StackPush,
)
from stoffel.runtime.frames import ActivationRecord
from stoffel.runtime.steps import bind

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

Code.bind = staticmethod(bind)


def run_plain(state: VMState) -> None:
    """Run without events until the entry returns or a safepoint asks for attention."""
    frames = state.records
    base = state.base
    while len(frames) > base and not state.attention:
        frame = frames[-1]
        registers = frame.registers
        cursor = frame.cursor
        for step in cursor:
            target = step(registers, frame)
            if target is not None:
                if target < 0:
                    break
                cursor.__setstate__(target)  # type: ignore[attr-defined]
        else:
            leave(frame, registers[0])


def run_watched(state: VMState) -> None:
    """Run with the events of calls, closures and tables, which the steps fire themselves, as :func:`run_plain` does."""
    frames = state.records
    base = state.base
    while len(frames) > base and not state.attention:
        frame = frames[-1]
        registers = frame.registers
        cursor = frame.cursor
        if frame.code.source is None:
            for _ in cursor:
                raise VMError(f"Instruction index {frame.next_instruction - 1} out of bounds")
        for step in cursor:
            target = step(registers, frame)
            if target is not None:
                if target < 0:
                    break
                cursor.__setstate__(target)  # type: ignore[attr-defined]
        else:
            leave(frame, registers[0])
    if len(frames) == base:
        state.cursor = None


def run_hooked(state: VMState) -> None:
    """Run with events until the entry returns or a safepoint asks for attention."""
    frames = state.records
    base = state.base
    budget = state.counting
    if budget is not None:
        from stoffel.runtime import metering
    while len(frames) > base and not state.attention:
        frame = frames[-1]
        steps = frame.code.single if budget is None else metering.metered(frame.code)
        for _ in frame.cursor if budget is None else metering.ticking(budget, frame):
            index = frame.next_instruction - 1
            source = frame.code.source
            if source is None:
                raise VMError(f"Instruction index {index} out of bounds")
            target = _observed(state, frame, index, source[index], steps[index])
            if target is not None:
                if target < 0:
                    break
                frame.jump(target)
        else:
            if budget is not None:
                metering.ended(budget, frame)
            leave(frame, frame.registers[0])
    if len(frames) == base:
        state.cursor = None


def _observed(
    state: VMState, frame: ActivationRecord, index: int, instruction: Instruction, step: object
) -> int | None:
    """Execute one instruction between its events."""
    registers = frame.registers
    row = instruction.op
    operands = instruction.operands
    state.cursor = (frame.code.name, index)
    wanted = state.wanted
    if BeforeInstructionExecute in wanted:
        state.fire(BeforeInstructionExecute(instruction))

    if row.events is Events.RETURN and len(state.records) - 1 == state.base:
        # The entry's own return fires nothing else, and its record still exists while After fires.
        if AfterInstructionExecute in wanted:
            state.fire(AfterInstructionExecute(instruction))
        return step(registers, frame)  # type: ignore[operator, no-any-return]

    register = operands[0] if row.operands and row.operands[0].kind is OperandKind.TARGET else None
    previous = None if register is None else registers[register]
    read = registers[operands[1]] if row.events is Events.READ_WRITE else None

    target: int | None = step(registers, frame)  # type: ignore[operator]

    if row.events is Events.READ_WRITE:
        state.fire(RegisterRead(operands[1], read))
    if row.events in (Events.WRITE, Events.READ_WRITE):
        state.fire(RegisterWrite(operands[0], previous, registers[operands[0]]))
    elif row.events is Events.PUSH:
        state.fire(StackPush(registers[operands[0]]))
    if AfterInstructionExecute in state.wanted:
        state.fire(AfterInstructionExecute(instruction))
    return target
