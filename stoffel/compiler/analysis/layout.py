"""Which places a function has: what the translator and those who take over its records agree on."""

from __future__ import annotations

from typing import Final

from stoffel.compiler.emission.global_names import ARGUMENTS_LOCAL, CLOSURE_LOCAL, UPVALUES_LOCAL
from stoffel.compiler.flow.decoding import Layout
from stoffel.compiler.flow.spliced import Splice
from stoffel.isa.instruction import Instruction
from stoffel.isa.table import ROWS, OperandKind
from stoffel.model.code import Code

_SLOTS: Final = {row.name: position for row in ROWS if (position := row.position(OperandKind.SLOT)) is not None}

FRAME_PARAMETERS: Final = (ARGUMENTS_LOCAL, UPVALUES_LOCAL, CLOSURE_LOCAL)
"""Parameters of a unit that is entered in the middle: the parts of the activation record that do not change."""


def layout_of(code: Code, instructions: list[Instruction]) -> Layout:
    """Return the numbering of the places of a function alone, which is the same for all units on all machines."""
    layout: Layout | None = code.layout
    if layout is None:
        slots = {
            instruction.operands[_SLOTS[instruction.op.name]]
            for instruction in instructions
            if instruction.op.name in _SLOTS
        }
        layout = code.layout = Layout(Splice(code, instructions), sorted(slots))
    return layout
