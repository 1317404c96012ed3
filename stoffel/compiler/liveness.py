"""Which places are needed where: a backward fixpoint over the typed blocks.

A place is needed at a point if its value may be read, or seen by the interpreter after leaving, before it is defined
again. Sets are ints, one bit for each place and bit 0 for the compare flag.
"""

from __future__ import annotations

from stoffel.compiler.blocks import END
from stoffel.compiler.typed import Node, TypedBlock, TypedFunction

FLAG = 1
EVERYTHING = -1
"""The set of all places: what the interpreter may see."""


def bit(place: int) -> int:
    """Return the set that holds *place* only."""
    return 2 << place


def before(node: Node, needed: int, unseen: int = 0) -> int:
    """Return what is needed before *node*, given what is needed after it; the interpreter does not see *unseen*."""
    if node.form == "foreign" and node.leaves:
        # The run may also be handed over after the call, with its result.
        needed |= ~unseen
    if node.target >= 0:
        needed &= ~bit(node.target)
    if node.operation == "CMP" or node.form == "flag":
        needed &= ~FLAG
    for place in node.sources:
        needed |= bit(place)
    return needed | ~unseen if node.leaves else needed


def at_end(typed: TypedBlock, needed_in: dict[int, int], unseen: int = 0) -> int:
    """Return what is needed at the end of a block, before its branch."""
    needed = 0
    for edge in (typed.taken, typed.next):
        if edge is None:
            continue
        if edge.back:
            needed |= ~unseen | needed_in.get(edge.target, 0)
        elif edge.target == END:
            needed |= bit(0)
        else:
            needed |= needed_in.get(edge.target, 0)
    return needed


def analyse(function: TypedFunction, left_at: int = END) -> dict[int, int]:
    """Return what is needed at the start of every block; the interpreter may take over at the start of *left_at*."""
    unseen = function.layout.unseen_bits
    needed_in: dict[int, int] = dict.fromkeys(function.blocks, 0)
    waiting = list(function.blocks)
    predecessors: dict[int, list[int]] = {start: [] for start in function.blocks}
    for start, typed in function.blocks.items():
        for edge in (typed.taken, typed.next):
            if edge is not None and edge.target != END:
                predecessors[edge.target].append(start)
    pending = set(waiting)
    while waiting:
        start = waiting.pop()
        if start not in pending:
            continue
        pending.discard(start)
        typed = function.blocks[start]
        needed = _before_branch(typed, needed_in, unseen)
        for node in reversed(typed.nodes):
            needed = before(node, needed, unseen)
        if start == left_at:
            needed |= ~unseen
        if needed != needed_in[start]:
            needed_in[start] = needed
            for predecessor in predecessors[start]:
                if predecessor not in pending:
                    pending.add(predecessor)
                    waiting.append(predecessor)
    return needed_in


def _before_branch(typed: TypedBlock, needed_in: dict[int, int], unseen: int) -> int:
    needed = at_end(typed, needed_in, unseen)
    return needed | FLAG if typed.taken is not None and typed.next is not None else needed


def after_each(typed: TypedBlock, needed_in: dict[int, int], unseen: int = 0) -> list[int]:
    """Return, for every node of a block, what is needed right after it."""
    needed = _before_branch(typed, needed_in, unseen)
    result = []
    for node in reversed(typed.nodes):
        result.append(needed | ~unseen if node.form == "foreign" and node.leaves else needed)
        needed = before(node, needed, unseen)
    result.reverse()
    return result
