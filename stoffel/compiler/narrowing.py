"""Narrowing: what the fixpoint has widened is looked at again, from what its loops really bring back.

Widening ends the ascent at landmarks that are often far too high: ``x = (31 * x + 1) % 1009`` stays small, which its
loop shows once it is walked through with any bounds. So the blocks are passed through again in reverse postorder, the
entry of each joined from its predecessors' states; only ways back bring the states of the pass before (a decreasing
iteration; Cousot and Cousot, "Abstract interpretation", 1977). The last pass is the one that makes the nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stoffel.compiler.blocks import END, Block, Edge
from stoffel.compiler.facts import equal, join
from stoffel.compiler.typed import FlowState, TypedBlock

_PASSES: Final = 3
"""Most passes; each takes what was narrowed one loop further out."""

_Ways = list[tuple[Edge, FlowState]]


def narrowed(
    order: list[Block],
    fixpoint: dict[int, FlowState],
    start: FlowState,
    execute: Callable[[Block, FlowState], TypedBlock],
) -> dict[int, TypedBlock] | None:
    """Return the typed blocks from narrowed entries, or None if there are none.

    *order* is the reverse postorder of the blocks from the entry, *fixpoint* has the states at those that can be
    reached, *start* is the one at the entry of the function. *execute* analyses a block from a state that it may keep.
    """
    rank = {block.start: position for position, block in enumerate(order)}
    back: _Ways = []
    for block in order:
        if block.start in fixpoint and any(
            edge.target != END and rank[edge.target] <= rank[block.start] for edge in block.edges()
        ):
            back.extend(_ways(execute(block, fixpoint[block.start].copy()), rank, back=True))
    blocks: dict[int, TypedBlock] = {}
    for _ in range(_PASSES):
        entries = {order[0].start: start.copy()}
        for edge, state in back:
            _flow(entries, edge, state)
        before, blocks = blocks, {}
        found: _Ways = []
        for block in order:
            entry = entries.get(block.start)
            if entry is not None:
                latest = before.get(block.start)
                typed = latest if latest is not None and _same(latest.entry, entry) else execute(block, entry)
                blocks[block.start] = typed
                found.extend(_ways(typed, rank, back=True))
                for edge, state in _ways(typed, rank, back=False):
                    _flow(entries, edge, state)
        # Guesses may make the analysis do what a monotone one never does: then the fixpoint itself is what holds.
        if any(_flow(entries, edge, state) for edge, state in found):
            return None
        if len(found) == len(back) and all(
            all(map(equal, before.facts, after.facts)) for (_, before), (_, after) in zip(back, found, strict=True)
        ):
            break
        back = found
    return blocks


def _same(one: FlowState, other: FlowState) -> bool:
    """Return whether two states at one place are surely the same."""
    # Facts have no equality of their own, so this compares identities.
    return one.facts == other.facts and one.flag == other.flag and one.comparison is other.comparison


def _ways(typed: TypedBlock, rank: dict[int, int], *, back: bool) -> _Ways:
    """Return the edges that can be taken, those backwards or the others, and the states there."""
    return [
        (edge, state)
        for edge, state in ((typed.taken, typed.taken_state), (typed.next, typed.next_state))
        if edge is not None
        and state is not None
        and edge.target != END
        and (rank[edge.target] <= rank[typed.block.start]) is back
    ]


def _flow(entries: dict[int, FlowState], edge: Edge, state: FlowState) -> bool:
    """Join *state* into the entry of the edge's target; return whether that changed it."""
    known = entries.get(edge.target)
    if known is None:
        entries[edge.target] = state.copy()
        return True
    changed = False
    for place, (old, fact) in enumerate(zip(known.facts, state.facts, strict=True)):
        if old is not fact:
            new = join(old, fact)
            if new is not old and not equal(old, new):
                known.facts[place] = new
                changed = True
    if known.flag | state.flag != known.flag:
        known.flag |= state.flag
        changed = True
    mine, other = known.comparison, state.comparison
    if mine is not None and (other is None or (mine.left, mine.right) != (other.left, other.right)):
        known.comparison = None
        changed = True
    return changed
