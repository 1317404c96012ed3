"""Instruction: one row of the table with its operands. Immutable."""

from __future__ import annotations

from typing import Any

from stoffel.isa.scalars import constant_key
from stoffel.isa.table import BY_NAME, Op, OperandKind


class Instruction:
    """One symbolic instruction: a row of the table and its operands.

    ``Instruction("ADD", 0, 1, 2)``, ``Instruction("LDI", 0, "text")``, ``Instruction("JMP", "end")``. Registers and
    slots are plain ints, constants are values, labels and functions are strings. Raises ValueError or TypeError for an
    unknown name, a wrong number of operands or an operand of the wrong kind.
    """

    __slots__ = ("op", "operands")

    op: Op
    operands: tuple[Any, ...]

    def __init__(self, name: str, *operands: Any) -> None:
        op = BY_NAME.get(name)
        if op is None:
            raise ValueError(f"unknown instruction {name!r}; the instructions are {', '.join(BY_NAME)}")
        if len(operands) != len(op.operands):
            wanted = ", ".join(operand.kind.value for operand in op.operands) or "none"
            raise ValueError(f"{name} takes {len(op.operands)} operands ({wanted}), not {len(operands)}")
        for operand, value in zip(op.operands, operands, strict=True):
            _check_operand(name, operand.kind, value)
        object.__setattr__(self, "op", op)
        object.__setattr__(self, "operands", operands)

    @classmethod
    def _from_trusted(cls, op: Op, operands: tuple[Any, ...]) -> Instruction:
        self = object.__new__(cls)
        _put_op(self, op)
        _put_operands(self, operands)
        return self

    @property
    def name(self) -> str:
        """The instruction's name."""
        return self.op.name

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("instructions are immutable")

    def _key(self) -> tuple[Any, ...]:
        return (self.op.code, *map(constant_key, self.operands))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Instruction):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return Instruction, (self.op.name, *self.operands)

    def __repr__(self) -> str:
        return f"Instruction({', '.join(map(repr, (self.op.name, *self.operands)))})"

    def __str__(self) -> str:
        """The instruction as assembly text."""
        from stoffel.isa.operand_text import format_instruction

        return format_instruction(self.op, self.operands)


# Bound once, because a file may hold millions of instructions: half the time of object.__setattr__ with a name.
_put_op = Instruction.__dict__["op"].__set__
_put_operands = Instruction.__dict__["operands"].__set__


def _check_operand(name: str, kind: OperandKind, value: object) -> None:
    if kind is OperandKind.CONSTANT:
        return
    if kind.is_name:
        if not isinstance(value, str):
            raise TypeError(f"{name}: the {kind.value} must be a str, not {type(value).__name__} {value!r}")
        return
    if type(value) is not int:
        raise TypeError(f"{name}: the {kind.value} must be an int, not {type(value).__name__} {value!r}")
    if kind is OperandKind.OFFSET:
        if not -(1 << 31) <= value < 1 << 31:
            raise ValueError(f"{name}: the {kind.value} {value} does not fit 32 signed bits")
    elif value < 0:
        raise ValueError(f"{name}: the {kind.value} must not be negative: {value}")
