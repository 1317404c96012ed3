"""What an instruction does to places, worked out once for each instruction from the row of the table.

What no sort describes is left to the interpreter, so that every row is compiled rightly.

The passes visit an instruction several times; going through its operands each time would be most of their work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stoffel.compiler.analysis.facts import of_constant
from stoffel.isa.table import ROWS, Flow, Op, OperandKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stoffel.compiler.flow.spliced import Splice
    from stoffel.isa.instruction import Instruction

NOTHING: Final = 0
"""Nothing happens to places."""
CONSTANT: Final = 1
"""``detail``, a fact, goes to ``target``."""
MOVE: Final = 2
"""The source goes to ``target``."""
OPERATION: Final = 3
"""The operation named ``detail`` is applied to the sources; its result goes to ``target`` (-1: to the flag)."""
PUSH: Final = 4
"""The source is pushed on the argument stack."""
PEEK: Final = 5
"""The entry of the argument stack at offset ``detail`` from the top goes to ``target``."""
CALL: Final = 6
"""The function named ``detail`` is called; its result goes to ``target``."""
RETURN: Final = 7
"""The source is returned."""
ENTER: Final = 8
"""The inlined call ``detail`` begins."""
GIVE: Final = 9
"""The inlined call ``detail`` ends; the first source goes to ``target``, the second holds the caller's flag."""
OTHER: Final = 10
"""Only the interpreter knows what the instruction, named ``detail``, does."""

_BY_FORMULA: Final = {
    "": NOTHING,
    "R[A] := B (1)": CONSTANT,
    "R[A] := R[B]": MOVE,
    "R[A] := S[B]": MOVE,
    "S[A] := R[B]": MOVE,
    "stack := stack + [R[A]]": PUSH,
    "R[A] := stack[-1 + B]": PEEK,
}
"""Sorts of the instructions without an operation or a flow of their own."""
_BY_FLOW: Final = {Flow.JUMP: NOTHING, Flow.CALL: CALL, Flow.RETURN: RETURN}
_OPERANDS: Final = (
    (OperandKind.TARGET, OperandKind.SOURCE),
    (OperandKind.TARGET, OperandKind.SOURCE, OperandKind.SOURCE),
)
"""Kinds of the operands of an operation whose result goes to a register."""
_DETAILS: Final = {CALL: OperandKind.FUNCTION, PEEK: OperandKind.OFFSET, CONSTANT: OperandKind.CONSTANT}
"""Kind of the operand that is the detail."""


class Step(NamedTuple):
    """One instruction in terms of places; ``sort`` is one of the constants above."""

    sort: int
    target: int
    sources: tuple[int, ...]
    detail: Any


Subject = tuple[int, str]
"""A field, as register of the object and name, or an upvalue of the running closure, as -1 and name."""


class Layout:
    """The numbering of places for one entry into one function."""

    __slots__ = (
        "_names",
        "first_unseen",
        "full",
        "registers",
        "slots",
        "splice",
        "stack",
        "steps",
        "unseen",
        "unseen_bits",
        "unseen_of",
    )

    def __init__(self, splice: Splice, slots: list[int], subjects: Sequence[Subject] = ()) -> None:
        self.splice = splice
        """The function with what is inlined into it."""
        self.registers = registers = splice.registers
        """Registers, with those of inlined calls."""
        self.slots = {slot: registers + index for index, slot in enumerate(slots)}
        self.first_unseen = registers + len(slots)
        self.unseen = {subject: self.first_unseen + index for index, subject in enumerate(subjects)}
        """Places that the interpreter does not have: what is remembered of fields and upvalues."""
        self.unseen_of: dict[int, list[int]] = {}
        """Those of fields, by the register that holds the object."""
        for (holder, _), place in self.unseen.items():
            self.unseen_of.setdefault(holder, []).append(place)
        self.full: Layout | None = None
        """The layout with such places too, once it has been asked for."""
        self.stack = self.first_unseen + len(subjects)
        self.unseen_bits = ((1 << len(subjects)) - 1) << (self.first_unseen + 1)
        """The same as a set of places (see ``stoffel.compiler.analysis.liveness``)."""
        self.steps: dict[int, Step] = {}
        """Instructions decoded so far, by index."""
        self._names: dict[int, str] = {}

    def hidden(self, index: int) -> int:
        """Return the set of places of which the interpreter sees nothing at instruction *index*."""
        splice = self.splice
        if not splice.inlined:
            return self.unseen_bits
        inlined = splice.at(index)
        end = splice.code.register_count if inlined is None else inlined.end
        return self.unseen_bits | (2 << self.registers) - (2 << end)

    def name(self, place: int) -> str:
        """Return the name of the Python local for *place*."""
        name = self._names.get(place)
        if name is None:
            if place < self.registers:
                name = f"r{place}"
            elif self.first_unseen <= place < self.stack:
                name = f"f{place - self.first_unseen}"
            elif place < self.stack:
                name = f"m{place - self.registers}"
            else:
                name = f"s{place - self.stack}"
            self._names[place] = name
        return name


class Shape(NamedTuple):
    """What holds for all instructions of one row: the sort, and the positions of operands (-1: none)."""

    sort: int
    target: int
    sources: tuple[int, ...]
    detail: int
    slot_is_target: bool
    slot: int
    name: str
    """That of the operation, or of an instruction of the sort OTHER."""


def _sort(row: Op) -> int:
    if row.operation:
        known = row.operation == "CMP" or tuple(operand.kind for operand in row.operands) in _OPERANDS
        return OPERATION if known else OTHER
    return _BY_FORMULA.get(row.formula, OTHER) if row.flow is Flow.NEXT else _BY_FLOW[row.flow]


def _shape(row: Op) -> Shape:
    sort = _sort(row)
    if sort == OTHER:
        return Shape(sort, -1, (), -1, False, -1, row.name)
    found: dict[OperandKind, int] = {}
    sources = []
    for position, operand in enumerate(row.operands):
        if operand.kind is OperandKind.SOURCE:
            sources.append(position)
        else:
            found[operand.kind] = position
    target, slot = found.get(OperandKind.TARGET, -1), found.get(OperandKind.SLOT, -1)
    detail = found[_DETAILS[sort]] if sort in _DETAILS else -1
    return Shape(sort, target, tuple(sources), detail, target < 0 <= slot, slot, row.operation)


SHAPES: Final = {row.code: _shape(row) for row in ROWS}
"""The shapes of all instructions, by opcode."""


def decode_at(index: int, instruction: Instruction, layout: Layout) -> Step:
    """Return the instruction at *index* of a spliced function in terms of the places of *layout*."""
    splice = layout.splice
    called, inlined = splice.by_call.get(index), splice.at(index)
    if called is not None:
        return Step(ENTER, -1, (), called)
    step = decode(instruction, layout)
    if inlined is not None and step.sort == RETURN:
        return Step(GIVE, inlined.result, (*step.sources, inlined.flag), inlined)
    if inlined is not None and step.sort == CALL:
        return step._replace(target=inlined.first)
    return step


def decode(instruction: Instruction, layout: Layout) -> Step:
    """Return *instruction* in terms of the places of *layout*."""
    sort, target, positions, detail, slot_is_target, slot, name = SHAPES[instruction.op.code]
    operands = instruction.operands
    if sort == CONSTANT:
        return Step(sort, operands[target], (), of_constant(operands[detail]))
    if len(positions) == 1:
        sources: tuple[int, ...] = (operands[positions[0]],)
    else:
        sources = tuple([operands[position] for position in positions])
    if target >= 0:
        target = operands[target]
    if slot >= 0:
        place = layout.slots[operands[slot]]
        if slot_is_target:
            target = place
        else:
            sources = (place,)
    if sort in (OPERATION, OTHER):
        return Step(sort, target, sources, name)
    if sort == CALL:
        return Step(sort, 0, sources, operands[detail])
    return Step(sort, target, sources, operands[detail] if detail >= 0 else None)
