"""Registration checks: what a function must satisfy before a machine takes it, and how large its frame is.

The machine calls :func:`verify` for each function that it registers. Softer findings about whole programs, for people
rather than for the machine, are in ``stoffel.isa.check``.
"""

from __future__ import annotations

from typing import Final

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.function import Function
from stoffel.isa.table import ROWS, OperandKind

FRAME_LIMIT: Final = 1_000_000
"""Most registers that one activation record may have. Ours: a file may name register 4294967295, and a frame of that
size for every call would exhaust memory."""

_WORD_MAX: Final = (1 << 64) - 1
_INDEX_MAX: Final = (1 << 32) - 1


class OperandPositions:
    """Where the operands of one instruction are, by kind; derived from a row of the table."""

    __slots__ = ("registers", "label", "slot")

    def __init__(self, registers: tuple[int, ...], label: int | None, slot: int | None) -> None:
        self.registers = registers
        self.label = label
        self.slot = slot


POSITIONS: Final = {
    row.code: OperandPositions(
        tuple(index for index, operand in enumerate(row.operands) if operand.kind.is_register),
        row.position(OperandKind.LABEL),
        row.position(OperandKind.SLOT),
    )
    for row in ROWS
}
"""Operand positions by opcode."""


def verify(function: Function) -> int:
    """Return the number of registers that a frame of *function* has, after the checks of registration.

    The number is the largest of the declared count, 1, the number of parameters and the highest register used plus 1.
    The first failing check raises VMError (kind Function unless said otherwise), in this order: a register that does
    not fit a machine word; a label past the end (used or not); a jump to an unknown label; a register or a spill slot
    beyond 32 bits (kind Runtime); a frame of more than FRAME_LIMIT registers.
    """
    instructions = function.instructions
    labels = function.labels
    names, highest, slots_fit = _operands_in_use(function)
    count = max(function.registers, 1, len(function.parameters), highest + 1)
    if highest >= _WORD_MAX:
        register = _first_register(function, _WORD_MAX)
        raise VMError(
            f"Function {function.name} references register r{register}, which cannot fit in a frame register count",
            ErrorKind.FUNCTION,
        )
    size = len(instructions)
    for label, target in labels.items():
        if target > size:
            raise VMError(
                f"Function {function.name} label '{label}' points past the instruction stream: {target} > {size}",
                ErrorKind.FUNCTION,
            )
    for name in names:
        if name not in labels:
            raise VMError(f"Function {function.name} references unknown label '{name}'", ErrorKind.FUNCTION)
    if highest > _INDEX_MAX or not slots_fit:
        _raise_lowering_error(function, count)
    if count > FRAME_LIMIT:
        raise VMError(
            f"Function {function.name} needs {count} registers, more than the {FRAME_LIMIT} that a frame may have",
            ErrorKind.FUNCTION,
        )
    return count


def _operands_in_use(function: Function) -> tuple[list[str], int, bool]:
    """Return jump labels in order of first use, the highest register (-1 if none), and whether slots fit 32 bits."""
    instructions = function.instructions
    highest_register = getattr(instructions, "highest_register", None)
    jump_labels = getattr(instructions, "jump_labels", None)
    if highest_register is not None and jump_labels is not None:
        # A view over encoded instructions: its operands are 32-bit fields, and it answers without decoding them all.
        return list(jump_labels()), highest_register(), True
    positions = POSITIONS
    names: dict[str, None] = {}
    highest = -1
    slots_fit = True
    for instruction in instructions:
        where = positions[instruction.op.code]
        operands = instruction.operands
        for index in where.registers:
            if operands[index] > highest:
                highest = operands[index]
        if where.label is not None:
            names[operands[where.label]] = None
        elif where.slot is not None and operands[where.slot] > _INDEX_MAX:
            slots_fit = False
    return list(names), highest, slots_fit


def _first_register(function: Function, least: int) -> int:
    for instruction in function.instructions:
        for index in POSITIONS[instruction.op.code].registers:
            if instruction.operands[index] >= least:
                return int(instruction.operands[index])
    raise AssertionError("the caller has seen such a register")


def _raise_lowering_error(function: Function, count: int) -> None:
    for instruction in function.instructions:
        for operand, value in zip(instruction.op.operands, instruction.operands, strict=True):
            if operand.kind.is_register and value > _INDEX_MAX:
                raise VMError(f"Register r{value} out of bounds for frame with {count} registers", ErrorKind.RUNTIME)
            if operand.kind is OperandKind.SLOT and value > _INDEX_MAX:
                raise VMError(f"Constant index {value} out of bounds", ErrorKind.RUNTIME)
