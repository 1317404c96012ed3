"""Narrowing: what the fixpoint has widened is looked at again, from what its loops really bring back.

Widening ends the ascent at landmarks that are often far too high: ``x = (31 * x + 1) % 1009`` stays small, which its
loop shows once it is walked through with any bounds. So the blocks are passed through again in reverse postorder, the
entry of each joined from its predecessors' states; only ways back bring the states of the pass before (a decreasing
iteration; Cousot and Cousot, "Abstract interpretation", 1977). The last pass is the one that makes the nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stoffel.compiler.analysis.facts import equal, interchangeable
from stoffel.compiler.analysis.fixpoint import different
from stoffel.compiler.analysis.ir import FlowState, TypedBlock
from stoffel.compiler.flow.blocks import END, Block, Edge

_PASSES: Final = 3
"""Most passes; each takes what was narrowed one loop further out."""

_Ways = list[tuple[Edge, FlowState]]


def narrowed(
    order: list[Block],
    fixpoint: dict[int, TypedBlock],
    start: FlowState,
    execute: Callable[[Block, FlowState], TypedBlock],
) -> dict[int, TypedBlock] | None:
    """Return the typed blocks from narrowed entries, or None if there are none.

    *order* is the reverse postorder of the blocks from the entry, *fixpoint* has those that can be reached as the
    fixpoint left them, *start* is the state at the entry of the function. *execute* analyses a block from a state that
    it may keep; where a block is entered with what it was entered with before, it is not asked again.
    """
    rank = {block.start: position for position, block in enumerate(order)}
    back = [way for block in order if block.start in fixpoint for way in _ways(fixpoint[block.start], rank)[0]]
    blocks = fixpoint
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
                backwards, forwards = _ways(typed, rank)
                found.extend(backwards)
                for edge, state in forwards:
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


def _same(latest: FlowState, state: FlowState) -> bool:
    """Return whether *state* says what *latest* says at the same place, whose facts it takes where it does."""
    facts, others = state.facts, latest.facts
    same = state.flag == latest.flag and state.comparison is latest.comparison
    for place in different(facts, others):
        if interchangeable(facts[place], others[place]):
            facts[place] = others[place]
        else:
            same = False
    return same


def _ways(typed: TypedBlock, rank: dict[int, int]) -> tuple[_Ways, _Ways]:
    """Return the edges that can be taken, with the states there: those backwards, and the others."""
    ways: tuple[_Ways, _Ways] = [], []
    for edge, state in ((typed.taken, typed.taken_state), (typed.next, typed.next_state)):
        if edge is not None and state is not None and edge.target != END:
            ways[rank[edge.target] > rank[typed.block.start]].append((edge, state))
    return ways


def _flow(entries: dict[int, FlowState], edge: Edge, state: FlowState) -> bool:
    """Join *state* into the entry of the edge's target; return whether that changed it."""
    known = entries.get(edge.target)
    if known is None:
        entries[edge.target] = state.copy()
        return True
    changed = known.join_facts(state, different(known.facts, state.facts))
    return known.join_flag(state) or bool(changed)
