"""The forward fixpoint over the blocks of a graph.

Only differences travel: for a block that waits is noted which places have changed since it was looked at. A block that
reads none of them is not looked at again; the change is passed on to where the block leads. So what a loop does to one
register costs next to nothing in the blocks that only carry it along.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Set
from heapq import heappop, heappush
from operator import is_not
from typing import Final, NamedTuple

from stoffel.compiler.analysis.facts import Fact, widen
from stoffel.compiler.analysis.ir import FlowState, TypedBlock
from stoffel.compiler.flow.blocks import END, Block, Edge, Graph
from stoffel.compiler.flow.ordering import weak_topological_order

VISITS_BEFORE_WIDENING: Final = 1
"""Visits of a loop's head that follow exactly what happens; then ranges that still grow are widened."""
_CHUNK: Final = 64


class Effects(NamedTuple):
    """The places that a block reads before it defines them, and those that it defines."""

    uses: Set[int]
    defines: Set[int]


class NoStaticShapeError(Exception):
    """Two ways to the block that starts at *index* of the graph arrive with argument stacks of different lengths."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class Fixpoint:
    """One analysis.

    *execute* runs a block on a copy of its entry state and returns the typed block with the edges that can be taken and
    the states there, which belong to the analysis from then on; *effects* tells what a block does with registers and
    spill slots. *stack* is the first place of the argument stack. ``typed`` has the result of each block that can be
    reached; if the fixpoint *keeps_states*, with the states at its edges. ``widened`` is True if that was reached by
    widening.
    """

    def __init__(
        self,
        graph: Graph,
        entry: FlowState,
        stack: int,
        execute: Callable[[Block, FlowState], TypedBlock],
        effects: Callable[[Block], Effects],
        *,
        keeps_states: bool,
    ) -> None:
        self.graph = graph
        self.entries: dict[int, FlowState] = {graph.entry: entry}
        self.typed: dict[int, TypedBlock] = {}
        self.widened = False
        self._visits: dict[int, int] = {}
        self._stack = stack
        self._keeps_states = keeps_states
        self._execute = execute
        self._effects_of = effects
        self._effects: dict[int, Effects] = {}
        self._order = weak_topological_order(graph)
        self._rank = {start: rank for rank, start in enumerate(self._order)}
        self._pending = [self._rank[graph.entry]]
        self._changes: dict[int, set[int] | None] = {graph.entry: None}
        self._followed: set[tuple[int, int]] = set()

    def run(self) -> None:
        """Visit blocks until nothing changes. Raises NoStaticShapeError."""
        while self._pending:
            self._visit(self._order[heappop(self._pending)])

    def _visit(self, start: int) -> None:
        changes = self._changes.pop(start)
        self._visits[start] = self._visits.get(start, 0) + 1
        typed = self.typed.get(start)
        effects: Effects | None = None
        if typed is not None and changes is not None:
            effects = self._effects.get(start)
            if effects is None:
                effects = self._effects[start] = self._all_effects(typed)
            if effects.uses.isdisjoint(changes):
                self._pass_on(typed, changes - effects.defines)
                return
            changes.update(effects.uses, effects.defines)
        typed = self.typed[start] = self._execute(self.graph.blocks[start], self.entries[start])
        for edge, state in ((typed.taken, typed.taken_state), (typed.next, typed.next_state)):
            if edge is None or state is None or edge.target == END:
                continue
            way = start, edge.target
            if changes is None or way not in self._followed:
                self._followed.add(way)
                self._flow(start, edge, state, None)
            else:
                self._flow(start, edge, state, self._with_stack(changes, len(state.facts)))
        if not self._keeps_states:
            typed.taken_state = typed.next_state = None

    def _with_stack(self, places: set[int], end: int) -> set[int]:
        """Return *places* with all of the argument stack: a block may have pushed there, and calls have taken away."""
        if end == self._stack and max(places, default=-1) < end:
            return places
        return {place for place in places if place < self._stack} | {*range(self._stack, end)}

    def _all_effects(self, typed: TypedBlock) -> Effects:
        """Return the effects of a block, with those on the argument stack and of what its branch or end looks at."""
        effects = self._effects_of(typed.block)
        more = set(range(self._stack, len(typed.entry.facts)))
        comparison, block = typed.entry.comparison, typed.block
        if comparison is not None:
            more.update((comparison.left, comparison.right))
        if (block.taken and block.taken.target == END) or (block.next and block.next.target == END):
            more.add(0)
        return Effects(effects.uses | more, effects.defines) if more else effects

    def _pass_on(self, typed: TypedBlock, places: Collection[int]) -> None:
        """Let changes of places that a block leaves alone go through it."""
        if not places:
            return
        state = typed.entry
        for edge, leaving in ((typed.taken, typed.taken_state), (typed.next, typed.next_state)):
            if edge is not None and edge.target != END:
                known = self.entries[edge.target]
                changed = self._join(known, state, places, self._may_widen(typed.block.start, edge))
                self._note(edge.target, changed)
                if leaving is not None:
                    for place in places:
                        leaving.facts[place] = state.facts[place]

    def _may_widen(self, start: int, edge: Edge) -> bool:
        # Only ways back to the head of a loop widen: elsewhere what is known comes to rest by itself.
        retreats = self._rank[edge.target] <= self._rank[start]
        return retreats and self._visits.get(edge.target, 0) >= VISITS_BEFORE_WIDENING

    def _flow(self, start: int, edge: Edge, state: FlowState, places: Collection[int] | None) -> None:
        """Join *state*, which may differ from what was joined before in *places* only, into the entry of a block."""
        target = edge.target
        known = self.entries.get(target)
        if known is None:
            self.entries[target] = state.copy() if self._keeps_states else state
            self._note(target, None)
            return
        if len(known.facts) != len(state.facts):
            raise NoStaticShapeError(target)
        if places is None:
            places = different(known.facts, state.facts)
        changed: set[int] | None = self._join(known, state, places, self._may_widen(start, edge))
        if known.join_flag(state):
            changed = None
        self._note(target, changed)

    def _join(self, known: FlowState, state: FlowState, places: Collection[int], may_widen: bool) -> set[int]:
        """Join the facts about *places* into *known*; return those that changed."""
        return known.join_facts(state, places, self._widen if may_widen else None)

    def _widen(self, old: Fact, new: Fact) -> Fact:
        self.widened = True
        return widen(old, new)

    def _note(self, target: int, changed: set[int] | None) -> None:
        """Have a block visited because *changed* places (None: anything) are no longer what they were."""
        if changed is not None and not changed:
            return
        if target not in self._changes:
            self._changes[target] = changed
            heappush(self._pending, self._rank[target])
            return
        waiting = self._changes[target]
        if waiting is not None:
            self._changes[target] = None if changed is None else waiting | changed


def different(one: list[Fact], other: list[Fact]) -> list[int]:
    """Return where two lists of one length have different objects; most of them are the same."""
    if len(one) <= _CHUNK:
        # Facts have no equality of their own, so this compares identities, quickly.
        if one == other:
            return []
        return [place for place, differs in enumerate(map(is_not, one, other)) if differs]
    result: list[int] = []
    for first in range(0, len(one), _CHUNK):
        mine, others = one[first : first + _CHUNK], other[first : first + _CHUNK]
        if mine != others:
            result.extend(first + place for place, differs in enumerate(map(is_not, mine, others)) if differs)
    return result
