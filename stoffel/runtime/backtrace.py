"""Where a run failed, noted on its error: the stack of calls, and the values that the failing instruction read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from stoffel.errors import BacktraceFrame, VMError, escaped
from stoffel.isa.table import Flow, OperandKind
from stoffel.model.code import Code
from stoffel.model.text import diagnostic
from stoffel.model.values import Value

if TYPE_CHECKING:
    from stoffel.runtime.frames import ActivationRecord

SHOWN_CHARACTERS: Final = 40
"""Characters of a string operand that are shown."""


class Describer:
    """Describes the places of a program by its *functions*."""

    __slots__ = ("_functions",)

    def __init__(self, functions: Mapping[str, object]) -> None:
        self._functions = functions

    def __call__(self, function: str, index: int) -> BacktraceFrame:
        code = self._functions.get(function)
        if type(code) is not Code:
            return BacktraceFrame(function, index)
        instructions = code.function.instructions
        text = str(instructions[index]) if code.source is not None and 0 <= index < len(instructions) else ""
        table = code.function.line_table
        line = None if table is None else table.line_of(index)
        return BacktraceFrame(function, index, text, None if table is None or line is None else table.file, line)


def note(
    error: VMError, functions: Mapping[str, object], stack: Sequence[tuple[Code, int]], values: Sequence[Value] | None
) -> None:
    """Note on *error* that the run was at *stack*, oldest call first.

    *values* are those that the innermost instruction has read: of its registers, in order, or the arguments of a CALL;
    None if they are not known.
    """
    error.stack = tuple([(code.name, index) for code, index in stack])
    error.function, error.instruction = error.stack[-1]
    error.describe = Describer(functions)
    code, index = stack[-1]
    if values is not None and code.source is not None and 0 <= index < len(code.function.instructions):
        shown = [*map(shown_value, values)]
        names = sources(code, index)
        # A register that is read twice is told once.
        named = dict(zip(names, shown, strict=False)).items() if names else (("", value) for value in shown)
        error.operands = tuple(named)


def note_records(error: VMError, functions: Mapping[str, object], records: Sequence[ActivationRecord]) -> None:
    """Note on *error* that the innermost of *records* has failed in the interpreter."""
    frame = records[-1]
    index = max(frame.next_instruction - 1, 0)
    note(error, functions, positions(records), values_read(frame.code, index, frame.registers, frame.stack))


def positions(records: Sequence[ActivationRecord]) -> list[tuple[Code, int]]:
    """Return the functions that *records* run, each with the index of the instruction it is at."""
    return [(frame.code, max(frame.next_instruction - 1, 0)) for frame in records]


def values_read(code: Code, index: int, registers: Sequence[Any], stack: Sequence[Any]) -> list[Value]:
    """Return what the instruction at *index* of *code* reads: of registers and, a CALL, of the argument stack."""
    instructions = code.function.instructions
    if not 0 <= index < len(instructions):
        return []
    instruction = instructions[index]
    if instruction.op.flow is Flow.CALL:
        return list(stack)
    pairs = zip(instruction.op.operands, instruction.operands, strict=True)
    return [registers[value] for operand, value in pairs if operand.kind is OperandKind.SOURCE]


def sources(code: Code, index: int) -> list[str]:
    """Return what the registers are called that the instruction at *index* reads: variables by their names."""
    instruction = code.function.instructions[index]
    table = code.function.line_table
    variables: Mapping[int, str] = {} if table is None else table.variables
    pairs = zip(instruction.op.operands, instruction.operands, strict=True)
    return [variables.get(value, f"r{value}") for operand, value in pairs if operand.kind is OperandKind.SOURCE]


def shown_value(value: Value) -> str:
    """Return *value* as reports show it: like :func:`.diagnostic`, a long string cut, nothing that a terminal obeys."""
    if type(value) is str and len(value) > SHOWN_CHARACTERS:
        return f'"{escaped(value[:SHOWN_CHARACTERS])}"... ({len(value)} characters)'
    return escaped(diagnostic(value))
