"""The typed form of a function: blocks of nodes whose kinds, checks and guesses are decided.

It lies between inference, which makes it, and emission, which writes it out. Places are numbered: registers first, then
the spill slots that occur, then the argument stack from the bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

from stoffel.compiler.analysis.facts import IMPOSSIBLE, UNIT_FACT, Fact, equal, join
from stoffel.compiler.flow.blocks import Block, Edge
from stoffel.compiler.flow.decoding import Layout
from stoffel.compiler.flow.loops import predecessors_of

FLAG_BITS: Final = {-1: 1, 0: 2, 1: 4}
"""Bits of a set of compare-flag values."""


CALLING: Final = frozenset({"call", "capturing_call", "closure_call", "any_closure_call"})
"""Forms of nodes that call VM functions, and so stack up records in compiled code."""
RUNNING_OTHERS: Final = CALLING | {"foreign"}
"""Forms of nodes that run code which the analysis of this function does not see."""

ARGUMENT: Final = 0
"""Captured is argument ``position`` of the unit."""
PLACE: Final = 1
"""Captured is the value of place ``position``."""
UPVALUE: Final = 2
"""Captured is upvalue ``position`` of the closure in place ``closure`` (-1: the one that the unit runs)."""
AROUND: Final = 3
"""Captured is what the records around have when the call is made."""


class Capture(NamedTuple):
    """Where the value of an upvalue comes from; ``sort`` is one of the constants above."""

    sort: int
    position: int = -1
    closure: int = -1

    @property
    def needs(self) -> list[int]:
        """The places that are read."""
        return [place for place in (self.closure, self.position if self.sort == PLACE else -1) if place >= 0]


class Comparison:
    """The two places that the compare flag came from; valid until one of them changes."""

    __slots__ = ("left", "right")

    def __init__(self, left: int, right: int) -> None:
        self.left = left
        self.right = right


Rise = Callable[[Fact, Fact], Fact]
"""Gives the fact to go on with where one has become more: from the old one and the join."""


class FlowState:
    """Facts at one point: of every place, and of the compare flag (``flag`` is a set of :data:`FLAG_BITS`)."""

    __slots__ = ("comparison", "facts", "flag")

    def __init__(self, facts: list[Fact], flag: int, comparison: Comparison | None = None) -> None:
        self.facts = facts
        self.flag = flag
        self.comparison = comparison

    def copy(self) -> FlowState:
        """Return an independent copy."""
        return FlowState(self.facts.copy(), self.flag, self.comparison)

    def join_facts(self, other: FlowState, places: Collection[int], rise: Rise | None = None) -> set[int]:
        """Join what *other* says about *places* into this state; return the places whose facts changed.

        *rise* is asked for the new fact where one changes, with the old fact and their join.
        """
        facts, others = self.facts, other.facts
        changed = set()
        for place in places:
            old, fact = facts[place], others[place]
            if old is not fact:
                new = join(old, fact)
                if new is not old and not equal(old, new):
                    facts[place] = new if rise is None else rise(old, new)
                    changed.add(place)
        return changed

    def join_flag(self, other: FlowState) -> bool:
        """Join what *other* says about the compare flag into this state; return whether that changed it."""
        flag, comparison = self.flag, self.comparison
        self.flag |= other.flag
        theirs = other.comparison
        if comparison is not None and (
            theirs is None or (comparison.left, comparison.right) != (theirs.left, theirs.right)
        ):
            self.comparison = None
        return self.flag != flag or self.comparison is not comparison


class Node:
    """One VM instruction with everything decided.

    ``form`` says how it is written out (see ``emission.selection``), ``target`` the place it defines (-1 for
    none), ``sources`` the places it reads, with ``facts`` about them after the guards, ``guards`` the kinds to be
    checked first as ``(source position, kind)``, ``result`` the fact about what it defines. ``detail`` is the form's
    own. ``publishes`` are the source places whose closures, so far held by registers only, are held elsewhere
    afterwards. ``leaves`` is True if the interpreter may take over here, so that every place must be recoverable.
    """

    __slots__ = (
        "detail",
        "facts",
        "form",
        "guards",
        "index",
        "leaves",
        "operation",
        "publishes",
        "result",
        "sources",
        "target",
    )

    def __init__(
        self,
        index: int,
        form: str,
        target: int = -1,
        sources: tuple[int, ...] = (),
        result: Fact = UNIT_FACT,
        *,
        facts: tuple[Fact, ...] = (),
        operation: str = "",
        guards: tuple[tuple[int, int], ...] = (),
        detail: Any = None,
        leaves: bool = False,
    ) -> None:
        self.index = index
        self.form = form
        self.target = target
        self.sources = sources
        self.facts = facts
        self.operation = operation
        self.result = result
        self.guards = guards
        self.detail = detail
        self.leaves = leaves
        self.publishes: tuple[int, ...] = ()

    def __repr__(self) -> str:
        facts = ", ".join(f"p{place}: {fact}" for place, fact in zip(self.sources, self.facts, strict=False))
        return f"{self.index}: {self.form} {self.operation} p{self.target} := ({facts}) {self.result} {self.guards}"


class TypedBlock:
    """A block with its nodes, the state at its start, the edges that can be taken, and what it returns if it does.

    The states at the edges are there only while the analysis needs them.
    """

    __slots__ = ("block", "entry", "next", "next_state", "nodes", "result", "taken", "taken_state")

    def __init__(self, block: Block, entry: FlowState) -> None:
        self.block = block
        self.entry = entry
        self.nodes: list[Node] = []
        self.result = IMPOSSIBLE
        self.taken: Edge | None = None
        self.taken_state: FlowState | None = None
        self.next: Edge | None = None
        self.next_state: FlowState | None = None


class TypedFunction:
    """All typed blocks reachable from an entry, in the order in which they are written out."""

    __slots__ = ("blocks", "layout", "predecessors", "result")

    def __init__(self, layout: Layout, blocks: dict[int, TypedBlock], result: Fact) -> None:
        self.layout = layout
        self.blocks = blocks
        self.result = result
        self.predecessors = predecessors_of(
            {start: [edge.target for edge in (one.taken, one.next) if edge] for start, one in blocks.items()}
        )

    def format(self) -> str:
        """Return the nodes as text, for people."""
        lines = []
        for start, typed in self.blocks.items():
            lines.append(f"block {start}:")
            lines.extend(f"    {node}" for node in typed.nodes)
            lines.append(f"    taken {typed.taken} next {typed.next}")
        return "\n".join(lines)
