"""THE instruction table: one row per instruction, and everything else is derived from it.

Assembler, disassembler, binary codec, verifier, interpreter, both compilers, program generators and the manual read
these rows. A back end passes its own mapping through :func:`complete`, which fails at import, by name, when one is
unknown, or missing where there is no default that is right for every instruction.

Notation of the formulas: ``R[x]`` is register x, ``S[n]`` spill slot n, ``stack`` the argument stack of the current
activation record (``stack[-1]`` its top), ``flag`` the compare flag (-1 less, 0 equal, 1 greater), ``pc`` the index of
the next instruction. ``A``, ``B``, ``C`` are the operands in the order in which they are written.

Notes: (1) the constant is interned per function, so ``LDI r, -0.0`` after ``LDI r, 0.0`` in one function loads 0.0;
(2) CALL takes the whole argument stack; a VM function's result arrives in R[0] when it returns; (3) running past the
last instruction behaves as RET of register 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final, NamedTuple, TypeVar

from stoffel.isa.flags import FLAGS


class OperandKind(Enum):
    """What an operand is: how it is written, encoded, checked, and what it does to a register."""

    TARGET = "target register"
    SOURCE = "source register"
    OFFSET = "argument stack offset"
    CONSTANT = "constant"
    SLOT = "spill slot"
    LABEL = "label"
    FUNCTION = "function name"

    @property
    def is_register(self) -> bool:
        """True for operands that name a register."""
        return self in (OperandKind.TARGET, OperandKind.SOURCE)

    @property
    def is_name(self) -> bool:
        """True for operands written as a string in every occurrence."""
        return self in (OperandKind.LABEL, OperandKind.FUNCTION)


class Flow(Enum):
    """Where control goes after an instruction."""

    NEXT = "next"
    JUMP = "jump"
    CALL = "call"
    RETURN = "return"


class Place(Enum):
    """State besides the operands that an instruction touches."""

    FLAG = "compare flag"
    STACK = "argument stack"
    SPILL = "spill slots"
    RESULT = "register 0"


class Events(Enum):
    """Which hook events an instruction fires between its Before and After events."""

    NONE = "none"
    WRITE = "RegisterWrite of the target"
    READ_WRITE = "RegisterRead of the source, RegisterWrite of the target"
    PUSH = "StackPush"
    CALL = "those of the call"
    RETURN = "those of the return"


class Operand(NamedTuple):
    """One operand of a row: its kind, and the words by which errors call it (after the instruction's name)."""

    kind: OperandKind
    label: str


class Op(NamedTuple):
    """One row of the table."""

    name: str
    code: int
    """Opcode byte in ``.stflb``."""
    operands: tuple[Operand, ...]
    formula: str
    operation: str = ""
    """Name of the pure function in ``runtime.operations`` that gives the meaning; empty when there is none."""
    flow: Flow = Flow.NEXT
    taken_on: frozenset[int] = frozenset()
    """Values of the compare flag on which a jump is taken."""
    reads: frozenset[Place] = frozenset()
    writes: frozenset[Place] = frozenset()
    may_fail: bool = False
    """True if executing it can end the run with an error."""
    events: Events = Events.NONE
    summary: str = ""
    """One sentence for the manual."""

    @property
    def is_branch(self) -> bool:
        """True for a jump that may also fall through."""
        return self.flow is Flow.JUMP and self.taken_on != FLAGS

    def position(self, kind: OperandKind) -> int | None:
        """Return the index of the first operand of *kind*, or None."""
        for index, operand in enumerate(self.operands):
            if operand.kind is kind:
                return index
        return None


_TARGET = Operand(OperandKind.TARGET, "target register")
_LEFT = Operand(OperandKind.SOURCE, "left register")
_RIGHT = Operand(OperandKind.SOURCE, "right register")
_SOURCE = Operand(OperandKind.SOURCE, "source register")
_REGISTER_IN = Operand(OperandKind.SOURCE, "register")
_REGISTER_OUT = Operand(OperandKind.TARGET, "register")
_OFFSET = Operand(OperandKind.OFFSET, "stack offset")
_CONSTANT = Operand(OperandKind.CONSTANT, "constant index")
_SLOT = Operand(OperandKind.SLOT, "slot")
_LABEL = Operand(OperandKind.LABEL, "label length")
_FUNCTION = Operand(OperandKind.FUNCTION, "function name length")


def _places(*places: Place) -> frozenset[Place]:
    return frozenset(places)


def _binary(name: str, code: int, formula: str, summary: str) -> Op:
    return Op(
        name,
        code,
        (_TARGET, _LEFT, _RIGHT),
        formula,
        operation=name,
        may_fail=True,
        events=Events.WRITE,
        summary=summary,
    )


def _jump(name: str, code: int, formula: str, taken_on: frozenset[int], summary: str) -> Op:
    reads = _places() if taken_on == FLAGS else _places(Place.FLAG)
    return Op(name, code, (_LABEL,), formula, flow=Flow.JUMP, taken_on=taken_on, reads=reads, summary=summary)


ROWS: Final[tuple[Op, ...]] = (
    Op(
        "LD",
        0x00,
        (_REGISTER_OUT, _OFFSET),
        "R[A] := stack[-1 + B]",
        reads=_places(Place.STACK),
        may_fail=True,
        events=Events.WRITE,
        summary="Read an argument-stack entry without popping it; offset 0 is the top, -1 the one below.",
    ),
    Op(
        "LDI",
        0x01,
        (_REGISTER_OUT, _CONSTANT),
        "R[A] := B (1)",
        events=Events.WRITE,
        summary="Load a constant.",
    ),
    Op(
        "MOV",
        0x02,
        (_TARGET, _SOURCE),
        "R[A] := R[B]",
        events=Events.READ_WRITE,
        summary="Copy a register; tables are shared, not copied.",
    ),
    _binary(
        "ADD", 0x03, "R[A] := R[B] + R[C]", "Checked sum of two integers of one type, of floats, or two strings joined."
    ),
    _binary("SUB", 0x04, "R[A] := R[B] - R[C]", "Checked difference."),
    _binary("MUL", 0x05, "R[A] := R[B] * R[C]", "Checked product."),
    _binary("DIV", 0x06, "R[A] := R[B] / R[C]", "Quotient, truncated towards zero for integers."),
    _binary("MOD", 0x07, "R[A] := R[B] % R[C]", "Remainder with the sign of the dividend."),
    _binary("AND", 0x08, "R[A] := R[B] & R[C]", "Bitwise and of one integer type, or logical and."),
    _binary("OR", 0x09, "R[A] := R[B] | R[C]", "Bitwise or of one integer type, or logical or."),
    _binary("XOR", 0x0A, "R[A] := R[B] ^ R[C]", "Bitwise exclusive or of one integer type, or logical."),
    Op(
        "NOT",
        0x0B,
        (_TARGET, _SOURCE),
        "R[A] := ~R[B]",
        operation="NOT",
        may_fail=True,
        events=Events.WRITE,
        summary="Bitwise complement within the width, or logical not.",
    ),
    _binary("SHL", 0x0C, "R[A] := R[B] << R[C]", "Shift left; bits shifted out are lost. Both operands have one type."),
    _binary(
        "SHR", 0x0D, "R[A] := R[B] >> R[C]", "Shift right, arithmetic for signed types, logical for unsigned ones."
    ),
    _jump("JMP", 0x0E, "pc := A", FLAGS, "Jump."),
    _jump("JMPEQ", 0x0F, "if flag == 0: pc := A", frozenset({0}), "Jump if the last comparison was equal."),
    _jump("JMPNEQ", 0x10, "if flag != 0: pc := A", frozenset({-1, 1}), "Jump if it was not equal."),
    Op(
        "CALL",
        0x11,
        (_FUNCTION,),
        "R[0] := A(*stack); stack := [] (2)",
        flow=Flow.CALL,
        reads=_places(Place.STACK),
        writes=_places(Place.STACK, Place.RESULT),
        may_fail=True,
        events=Events.CALL,
        summary="Call a VM function, foreign function or method with the whole argument stack.",
    ),
    Op(
        "RET",
        0x12,
        (_REGISTER_IN,),
        "return R[A] (3)",
        flow=Flow.RETURN,
        events=Events.RETURN,
        summary="Return a register's value to the caller's register 0.",
    ),
    Op(
        "PUSHARG",
        0x13,
        (_REGISTER_IN,),
        "stack := stack + [R[A]]",
        reads=_places(Place.STACK),
        writes=_places(Place.STACK),
        events=Events.PUSH,
        summary="Push a register onto the argument stack.",
    ),
    Op(
        "CMP",
        0x14,
        (_LEFT, _RIGHT),
        "flag := order(R[A], R[B])",
        operation="CMP",
        writes=_places(Place.FLAG),
        may_fail=True,
        summary="Compare two numbers, strings or Bools; anything else is an error.",
    ),
    _jump("JMPLT", 0x15, "if flag < 0: pc := A", frozenset({-1}), "Jump if it was less."),
    _jump("JMPGT", 0x16, "if flag > 0: pc := A", frozenset({1}), "Jump if it was greater."),
    Op("NOP", 0x17, (), "", summary="Do nothing."),
    Op(
        "LDS",
        0x18,
        (_REGISTER_OUT, _SLOT),
        "R[A] := S[B]",
        reads=_places(Place.SPILL),
        summary="Load a spill slot; Unit if it was never stored.",
    ),
    Op(
        "STS",
        0x19,
        (_SLOT, _REGISTER_IN),
        "S[A] := R[B]",
        writes=_places(Place.SPILL),
        summary="Store a register in a spill slot.",
    ),
)

BY_NAME: Final[dict[str, Op]] = {row.name: row for row in ROWS}
BY_CODE: Final[dict[int, Op]] = {row.code: row for row in ROWS}

OPERATION_NAMES: Final = tuple(row.operation for row in ROWS if row.operation)
"""Names of the operations of values."""

Entry = TypeVar("Entry")


def complete(
    entries: Mapping[str, Entry], wanted: Iterable[str], who: str, *, default: Entry | None = None
) -> dict[str, Entry]:
    """Return *entries* as a dict in the order of *wanted*; *default*, if there is one, stands for what is missing.

    Raises LookupError at import, naming the back end *who* and the names, if an entry is missing or unknown.
    """
    names = dict.fromkeys(wanted)
    missing = [name for name in names if name not in entries] if default is None else []
    unknown = [name for name in entries if name not in names]
    if missing or unknown:
        raise LookupError(f"{who}: missing {missing}, unknown {unknown}")
    return {name: entries.get(name, default) for name in names}  # type: ignore[misc]
