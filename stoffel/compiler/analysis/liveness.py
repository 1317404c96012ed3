"""Which places are needed where: a backward fixpoint over the typed blocks.

A place is needed at a point if its value may be read, or seen by the interpreter after leaving, before it is defined
again. Sets are ints, one bit for each place and bit 0 for the compare flag.
"""

from __future__ import annotations

from collections.abc import Callable

from stoffel.compiler.analysis.ir import Node, TypedBlock, TypedFunction
from stoffel.compiler.flow.blocks import END

Hidden = Callable[[int], int]
"""What the interpreter does not see at an instruction (see ``Layout.hidden``)."""

FLAG = 1


def bit(place: int) -> int:
    """Return the set that holds *place* only."""
    return 2 << place


def before(node: Node, needed: int, hidden: int = 0) -> int:
    """Return what is needed before *node*, given what is needed after it; the interpreter does not see *hidden*."""
    form = node.form
    if form == "save_flag":
        return needed & ~bit(node.target) | FLAG if needed & bit(node.target) else needed
    if form == "restore_flag":
        return needed & ~FLAG | bit(node.sources[0]) if needed & FLAG else needed
    if form == "foreign" and node.leaves:
        # The run may also be handed over after the call, with its result.
        needed |= ~hidden
    if node.target >= 0:
        needed &= ~(2 << node.target)
    if node.operation == "CMP" or form == "flag":
        needed &= ~FLAG
    for place in node.sources:
        needed |= 2 << place
    return needed | ~hidden if node.leaves else needed


def at_end(typed: TypedBlock, needed_in: dict[int, int], hidden: Hidden) -> int:
    """Return what is needed at the end of a block, before its branch."""
    needed = 0
    for edge in (typed.taken, typed.next):
        if edge is None:
            continue
        if edge.back:
            needed |= ~hidden(edge.target) | needed_in.get(edge.target, 0)
        elif edge.target == END:
            needed |= bit(0)
        else:
            needed |= needed_in.get(edge.target, 0)
    return needed


def analyse(function: TypedFunction, left_at: int = END) -> tuple[dict[int, int], dict[int, list[int]]]:
    """Return what is needed at the start of every block, and right after each of its nodes.

    The interpreter may take over at the start of the block *left_at*.
    """
    hidden = function.layout.hidden
    needed_in: dict[int, int] = dict.fromkeys(function.blocks, 0)
    after: dict[int, list[int]] = {}
    waiting = list(function.blocks)
    pending = set(waiting)
    while waiting:
        start = waiting.pop()
        if start not in pending:
            continue
        pending.discard(start)
        # The last time that a block is looked at, everything is known that comes after it.
        needed, after[start] = _through(function.blocks[start], needed_in, hidden)
        if start == left_at:
            needed |= ~hidden(start)
        if needed != needed_in[start]:
            needed_in[start] = needed
            for predecessor in function.predecessors[start]:
                if predecessor not in pending:
                    pending.add(predecessor)
                    waiting.append(predecessor)
    return needed_in, after


def _before_branch(typed: TypedBlock, needed_in: dict[int, int], hidden: Hidden) -> int:
    needed = at_end(typed, needed_in, hidden)
    return needed | FLAG if typed.taken is not None and typed.next is not None else needed


def _through(typed: TypedBlock, needed_in: dict[int, int], hidden_at: Hidden) -> tuple[int, list[int]]:
    """Return what is needed at the start of a block, and right after each of its nodes."""
    needed = _before_branch(typed, needed_in, hidden_at)
    result = []
    for node in reversed(typed.nodes):
        form = node.form
        if form == "copy":
            result.append(needed)
            needed = needed & ~(2 << node.target) | 2 << node.sources[0]
        elif form == "constant":
            result.append(needed)
            needed &= ~(2 << node.target)
        elif node.leaves:
            hidden = hidden_at(node.index)
            result.append(needed | ~hidden if form == "foreign" else needed)
            needed = before(node, needed, hidden)
        else:
            result.append(needed)
            needed = before(node, needed)
    result.reverse()
    return needed, result
