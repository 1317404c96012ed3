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


def before(node: Node, needed: int) -> int:
    """Return what is needed before *node*, given what is needed after it."""
    if node.form == "foreign" and node.leaves:
        # The run may also be handed over after the call, with its result.
        needed = EVERYTHING
    if node.target >= 0:
        needed &= ~bit(node.target)
    if node.operation == "CMP" or node.form == "flag":
        needed &= ~FLAG
    for place in node.sources:
        needed |= bit(place)
    return EVERYTHING if node.leaves else needed


def at_end(typed: TypedBlock, needed_in: dict[int, int]) -> int:
    """Return what is needed at the end of a block, before its branch."""
    needed = 0
    for edge in (typed.taken, typed.next):
        if edge is None:
            continue
        if edge.back:
            needed = EVERYTHING
        elif edge.target == END:
            needed |= bit(0)
        else:
            needed |= needed_in.get(edge.target, 0)
    return needed


def analyse(function: TypedFunction) -> dict[int, int]:
    """Return what is needed at the start of every block."""
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
        needed = _before_branch(typed, needed_in)
        for node in reversed(typed.nodes):
            needed = before(node, needed)
        if needed != needed_in[start]:
            needed_in[start] = needed
            for predecessor in predecessors[start]:
                if predecessor not in pending:
                    pending.add(predecessor)
                    waiting.append(predecessor)
    return needed_in


def _before_branch(typed: TypedBlock, needed_in: dict[int, int]) -> int:
    needed = at_end(typed, needed_in)
    return needed | FLAG if typed.taken is not None and typed.next is not None else needed


def after_each(typed: TypedBlock, needed_in: dict[int, int]) -> list[int]:
    """Return, for every node of a block, what is needed right after it."""
    needed = _before_branch(typed, needed_in)
    result = []
    for node in reversed(typed.nodes):
        result.append(needed if not (node.form == "foreign" and node.leaves) else EVERYTHING)
        needed = before(node, needed)
    result.reverse()
    return result
