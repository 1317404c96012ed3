"""Tail duplication: the end of an innermost loop's body, where branches meet, is there once for each branch.

A kernel keeps registers exact that the program itself never reads again: where branches meet, the machine code would
choose between their values in every round, only to have them should it be left there. In a copy of its own each branch
just knows them (Mueller and Whalley, "Avoiding conditional branches by code replication", 1995).
"""

from __future__ import annotations

from typing import Final

from stoffel.compiler.flow.blocks import Block, Edge, Graph
from stoffel.isa.table import Flow

COPIED_LENGTH: Final = 8
"""Most instructions of a block that is copied."""


def with_copied_tails(graph: Graph) -> Graph:
    """Return *graph* with each short block that ends in an innermost back-edge there once for each way to it.

    A copy is named by a number behind those of the instructions.
    """
    heads = {edge.target for block in graph.blocks.values() for edge in block.edges() if edge.back}
    tails = {start for start, block in graph.blocks.items() if _is_tail(graph, block, heads)}
    blocks = dict(graph.blocks)
    met: set[int] = set()
    for block in graph.blocks.values():
        edge = block.next
        if block.branch is not None or edge is None or edge.back or edge.target not in tails:
            continue
        if edge.target not in met:
            met.add(edge.target)
            continue
        name = len(graph.instructions) + len(blocks)
        blocks[name] = _copy(graph.blocks[edge.target], name)
        blocks[block.start] = _copy(block, block.start)
        blocks[block.start].next = Edge(name, back=False)
    return Graph(graph.instructions, graph.entry, blocks)


def _copy(block: Block, name: int) -> Block:
    """Return an independent copy of a block without a branch."""
    copy = Block(name)
    copy.body = block.body
    copy.branch_at = block.branch_at
    copy.next = block.next
    return copy


def _is_tail(graph: Graph, block: Block, heads: set[int]) -> bool:
    if block.branch is not None or block.next is None or not block.next.back or len(block.body) > COPIED_LENGTH:
        return False
    if not all(graph.instructions[index].op.flow is Flow.NEXT for index in block.body):
        return False
    # The natural loop of the back-edge: only in innermost loops the time is worth the copies.
    head = block.next.target
    if block.start == head:
        return False
    loop = {head, block.start}
    pending = [block.start]
    while pending:
        new = [start for start in graph.predecessors[pending.pop()] if start not in loop]
        loop.update(new)
        pending.extend(new)
    return heads & loop == {head}
