"""Activation records from suspended compiled frames: what a site says about the Python locals of its frame."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from time import perf_counter
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from stoffel.compiler.analysis.facts import ARRAY, CLASS, CLOSURE, OBJECT, kind_of
from stoffel.compiler.analysis.layout import FRAME_PARAMETERS
from stoffel.compiler.emission import global_names
from stoffel.compiler.emission.deopt_points import (
    AFTER,
    BEFORE,
    BOUNDS,
    DEPTH,
    DURING,
    ENTRY,
    HANDOVER,
    LOOP,
    NEXT,
    TAKEN,
    Known,
    Line,
    Site,
    Spot,
    Unit,
    boxed,
    flag_at,
    value_at,
)
from stoffel.compiler.refusal import Refusal
from stoffel.errors import VMError
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.table import Flow, OperandKind
from stoffel.jit.events import Exit
from stoffel.model.foreign import out_of_memory
from stoffel.model.values import TYPE_NAMES, Closure, Operand, Value
from stoffel.runtime.backtrace import note, positions
from stoffel.runtime.frames import NO_UPVALUES, ActivationRecord, Captures

if TYPE_CHECKING:
    from stoffel.compiler.flow.decoding import Layout
    from stoffel.isa.instruction import Instruction
    from stoffel.jit.code_cache import Units
    from stoffel.jit.policy.looks import Looks
    from stoffel.runtime.state import VMState


REASONS: Final = {
    BEFORE: "a guess failed",
    BOUNDS: "a guess failed",
    AFTER: "attention after a foreign call",
    TAKEN: "attention at a loop",
    NEXT: "attention at a loop",
    LOOP: "attention at a loop",
    ENTRY: "attention at function entry",
    DEPTH: "call depth",
    HANDOVER: "an instruction that the interpreter executes",
}
"""Why compiled code is left, by the kind of exit."""

POLLS: Final = frozenset({AFTER, TAKEN, NEXT, ENTRY, LOOP})
"""Ways of leaving that follow a poll for attention."""


class Left(BaseException):
    """Compiled code was left: its records are on the machine's stack. Never seen outside the compiled tier."""


def records_of(state: VMState, unit: Unit, site: Site, frame: FrameType) -> list[ActivationRecord]:
    """Return the activation records that a compiled frame stands for, innermost first: inlined calls have one."""
    variables = frame.f_locals
    code = unit.function
    layout = unit.layout
    values = [None if spot is None else value_at(spot, variables) for spot in site.spots]
    arguments, upvalues, closure = _own(unit, variables)
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


def snapshot_of(
    units: Units, looks: Looks, chain: Iterable[tuple[FrameType, Unit, Line]]
) -> tuple[list[ActivationRecord], bool]:
    """Return the records of suspended compiled frames, given innermost first, oldest first, and whether all are exact.

    A signal handler can have interrupted the innermost in the middle of an instruction: its registers are not known,
    and Unit in its records.
    """
    began = perf_counter()
    records: list[ActivationRecord] = []
    exact = True
    for frame, unit, line in chain:
        site = line.sites.get(DURING)
        exact = exact and site is not None
        if site is None:
            records.extend(_interrupted_records(units.state, unit, line, frame))
        else:
            records.extend(records_of(units.state, unit, site, frame))
    if records and looks.are_too_many(perf_counter() - began) and records[0].code not in units.environment.refusals:
        units.refuse(records[0].code, Refusal("the host looks at its records too often", records[0].code.name))
        units.state.ask_attention()
    records.reverse()
    return records, exact


def _interrupted_records(state: VMState, unit: Unit, line: Line, frame: FrameType) -> list[ActivationRecord]:
    """Return the records of a frame that is in the middle of *line*, innermost first; registers are not known there."""
    try:
        arguments, upvalues, closure = _own(unit, frame.f_locals)
    except KeyError:
        # It has not begun.
        arguments, upvalues, closure = [None] * unit.function.arity, NO_UPVALUES, None
    records: list[ActivationRecord] = []
    for code, index in unit.positions(line.index):
        bound = [None] * code.arity if records else arguments
        record = ActivationRecord(state, code, list(bound), NO_UPVALUES if records else upvalues, closure)
        record.jump(min(index + 1, len(code.function.instructions)))
        records.append(record)
        closure = None
    records.reverse()
    return records


def _own(unit: Unit, variables: dict[str, Any]) -> tuple[list[Value], list[tuple[str, Value]], Closure | None]:
    """Return bound arguments, upvalues and closure of the record of the unit's own function."""
    if unit.has_frame:
        arguments, upvalues, closure = (variables[name] for name in FRAME_PARAMETERS)
    else:
        arguments = [variables[global_names.argument_name(index)] for index in range(len(unit.function.parameters))]
        for position, raw in unit.raw_arguments.items():
            arguments[position] = boxed(arguments[position], raw)
        upvalues, closure = NO_UPVALUES, variables.get(global_names.CLOSURE_LOCAL)
    if unit.captured is not None:
        upvalues = list(closure.upvalues)
    return arguments, upvalues, None if type(closure) is Captures else closure


def variable_at(unit: Unit, site: Site, frame: FrameType, name: str) -> tuple[bool, Value]:
    """Look *name* up as a plain call does, in the records that a compiled frame stands for, innermost first.

    The records are not made: they are many where calls are deep, and few have the name.
    """
    inlined = unit.layout.splice.at(site.resume)
    while inlined is not None:
        position = inlined.code.position_of(name)
        if position >= 0:
            spot = site.spots[inlined.bound + position]
            assert spot is not None
            return True, value_at(spot, frame.f_locals)
        if inlined.captured is not None and name in inlined.captured:
            spot = site.spots[inlined.closure]
            assert spot is not None
            closure = value_at(spot, frame.f_locals)
            assert type(closure) is Closure
            return True, closure.upvalues[inlined.captured.index(name)][1]
        inlined = inlined.outer
    position = unit.function.position_of(name)
    if position >= 0 or unit.has_frame or (unit.captured is not None and name in unit.captured):
        arguments, upvalues, _ = _own(unit, frame.f_locals)
        if position >= 0:
            return True, arguments[position]
        for upvalue, value in upvalues:
            if upvalue == name:
                return True, value
    return False, None


def is_of(error: BaseException, frame: FrameType) -> bool:
    """Return whether *error* was raised by an instruction of *frame* itself, not by something that it called."""
    trace = error.__traceback__
    return trace is not None and trace.tb_frame is frame and trace.tb_next is None


def captured_by(frame: ActivationRecord) -> tuple[str, ...] | None:
    """Return the names of the upvalues that compiled code can have for *frame*, None if there are none.

    Those of a closure it can have if they are alike in closure and record.
    """
    closure = frame.closure
    if closure is None:
        return tuple([name for name, _ in frame.upvalues]) or None
    if len(closure.upvalues) != len(frame.upvalues):
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


def kinds_of_sources(layout: Layout, instruction: Instruction, site: Site, frame: FrameType) -> list[int]:
    """Return the kinds of the values that an instruction at *site* reads, 0 where that is not known."""
    if instruction.op.flow is Flow.CALL:
        return _kinds_at(site.spots[layout.stack :], frame)
    pairs = zip(instruction.op.operands, instruction.operands, strict=True)
    spots = [site.spots[value] for operand, value in pairs if operand.kind is OperandKind.SOURCE]
    return _kinds_at(spots, frame)


def _kinds_at(spots: Sequence[Spot | None], frame: FrameType) -> list[int]:
    return [0 if spot is None else kind_of(value_at(spot, frame.f_locals)) for spot in spots]


def exit_of(unit: Unit, line: Line, way: int, frame: FrameType, reason: str, cause: str) -> Exit:
    """Return what is told of leaving *unit* at *line* in a *way*; *cause* is what has asked for attention."""
    code, index = unit.position(line.index)
    if way == BOUNDS:
        return Exit(code, index, reason, "integers within the bounds that were guessed", "one outside")
    if way != BEFORE or reason != REASONS[BEFORE]:
        return Exit(code, index, reason, cause=cause if reason.startswith("attention") else "")
    site = line.sites[way]
    instruction = unit.layout.splice.instructions[line.index]
    if instruction.op.flow is Flow.CALL:
        seen = _kinds_at(site.spots[unit.layout.stack :], frame)
        is_table = bool(seen) and bool(seen[0] & (OBJECT | ARRAY))
        expected = "a key of the table" if is_table else "a table" if seen and seen[0] != CLOSURE else "another closure"
        return Exit(code, index, reason, expected, f"({', '.join(map(kinds_text, seen))})")
    kinds = kinds_of_sources(unit.layout, instruction, site, frame)
    failed = [(kind, kinds[position]) for position, kind in line.guards if kinds[position] != kind]
    if not failed:
        return Exit(code, index, reason)
    texts = [(kinds_text(guessed), kinds_text(found)) for guessed, found in failed]
    return Exit(code, index, reason, *(" and ".join(column) for column in zip(*texts, strict=True)))


def exit_of_kernel(records: list[ActivationRecord]) -> Exit:
    """Return what is told of leaving a kernel whose records are given, innermost last."""
    record = records[-1]
    return Exit(record.code, record.next_instruction, "a kernel was left")


def kinds_text(kinds: int) -> str:
    """Return a set of kinds as text: ``int64 or float``."""
    return " or ".join(TYPE_NAMES[cls] for bit, cls in CLASS.items() if kinds & bit) or "unknown"


def innermost(error: BaseException) -> TracebackType:
    """Return where *error*, which has been raised, comes from."""
    trace = error.__traceback__
    assert trace is not None
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def placed(error: VMError | MemoryError, state: VMState, units: dict[CodeType, Unit]) -> VMError:
    """Return *error*, with a note where compiled code raised it: the records below, then the frames of its traceback.

    For a lack of memory it is the machine's own error.
    """
    failure = error if isinstance(error, VMError) else out_of_memory()
    if failure.function is not None:
        return failure
    stack = positions(state.records)
    values = None
    trace = error.__traceback__
    while trace is not None:
        unit = units.get(trace.tb_frame.f_code)
        if unit is not None:
            line = unit.line(trace.tb_lineno)
            stack.extend(unit.positions(line.index))
            values = _values_read(unit, line, trace.tb_frame)
        trace = trace.tb_next
    if stack:
        note(failure, state.functions, stack, values)
    return failure


def _values_read(unit: Unit, line: Line, frame: FrameType) -> list[Value] | None:
    """Return what the instruction of *line* has read, None if nothing tells any more."""
    variables = frame.f_locals
    values = []
    for spot in line.reads:
        if spot is None or (type(spot) is not Known and spot.name not in variables):
            return None
        values.append(value_at(spot, variables))
    too_large = [position for position, value in enumerate(values) if not _fits(value)]
    if not too_large:
        return values
    # A result that does not fit has taken the place of an operand before that was noticed.
    return _undone(unit.layout.splice.instructions[line.index].name, values, too_large)


def _fits(value: Operand) -> bool:
    row = INTEGER_KINDS.get(type(value))
    return row is None or row.minimum <= value <= row.maximum


def _undone(name: str, values: list[Operand], replaced: list[int]) -> list[Operand] | None:
    """Return the operands of a sum, difference or product in the place of some of which its result is."""
    result, kind = int(values[replaced[0]]), type(values[replaced[0]])
    if len(replaced) == 2:
        found = [result // 2] * 2 if name == "ADD" else None
    else:
        other = int(values[1 - replaced[0]])
        if name == "MUL":
            operand = result // other
        elif name == "ADD":
            operand = result - other
        else:
            operand = other - result if replaced[0] else result + other
        found = [other, operand] if replaced[0] else [operand, other]
    return None if found is None else [int.__new__(kind, value) for value in found]
