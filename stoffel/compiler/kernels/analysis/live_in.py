"""Which places matter where a running record is taken over: those that may be read before they are written."""

from __future__ import annotations

from stoffel.compiler.flow.blocks import END, Graph
from stoffel.compiler.flow.decoding import Layout, decode


def places_read(graph: Graph, layout: Layout) -> list[int]:
    """Return the registers and spill slots whose values at the graph's entry may be read, in ascending order.

    The classic backward analysis of live variables (Aho et al., "Compilers", 9.2.5), over sets kept as ints.
    """
    reads: dict[int, int] = {}
    writes: dict[int, int] = {}
    for start, block in graph.blocks.items():
        read = written = 0
        for index in block.body:
            step = layout.steps.get(index)
            if step is None:
                step = layout.steps[index] = decode(graph.instructions[index], layout)
            _, target, sources, _ = step
            for source in sources:
                read |= (1 << source) & ~written
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
