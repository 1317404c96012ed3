"""Which places matter where a running record is taken over: those that may be read before they are written."""

from __future__ import annotations

from stoffel.compiler.blocks import END, Graph
from stoffel.compiler.typed import Layout
from stoffel.isa.table import Flow, OperandKind


def places_read(graph: Graph, layout: Layout) -> list[int]:
    """Return the registers and spill slots whose values at the graph's entry may be read, in ascending order.

    The classic backward analysis of live variables (Aho et al., "Compilers", 9.2.5), over sets kept as ints.
    """
    reads: dict[int, int] = {}
    writes: dict[int, int] = {}
    for start, block in graph.blocks.items():
        read = written = 0
        for index in block.body:
            instruction = graph.instructions[index]
            row = instruction.op
            target = -1
            for operand, value in zip(row.operands, instruction.operands, strict=True):
                if operand.kind is OperandKind.SOURCE:
                    read |= (1 << value) & ~written
                elif operand.kind is OperandKind.TARGET:
                    target = value
                elif operand.kind is OperandKind.SLOT and row.name == "LDS":
                    read |= (1 << layout.slots[value]) & ~written
                elif operand.kind is OperandKind.SLOT:
                    target = layout.slots[value]
            if row.flow is Flow.CALL:
                target = 0
            if target >= 0:
                written |= 1 << target
        if any(edge.target == END for edge in block.edges()):
            read |= 1 & ~written
        reads[start], writes[start] = read, written
    live = reads.copy()
    changed = True
    while changed:
        changed = False
        for block in reversed(graph.order()):
            after = 0
            for edge in block.edges():
                after |= live.get(edge.target, 0)
            before = reads[block.start] | (after & ~writes[block.start])
            if before != live[block.start]:
                live[block.start] = before
                changed = True
    needed = live[graph.entry]
    return [place for place in range(layout.stack) if needed >> place & 1]
