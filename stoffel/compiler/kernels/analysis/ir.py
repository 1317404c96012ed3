"""Functions of a kernel with their types decided: what the analysis makes and the lowering writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stoffel.compiler.flow.blocks import Block, Edge, Graph
from stoffel.compiler.kernels.analysis.types import UNIT, Cell, Type, VariantKey

if TYPE_CHECKING:
    from stoffel.compiler.flow.decoding import Layout
    from stoffel.model.code import Code

TAKING: Final = frozenset({"call", "builtin", "create_closure", "get_upvalue", "set_upvalue"})
"""Forms of actions that take the argument stack."""

OPENED_LENGTH: Final = 40
"""Most instructions of a function that is opened in itself."""
OPENED_CALLS: Final = 2
"""Most calls of itself in such a function: all are opened, and each copy has as many."""


class Action(NamedTuple):
    """One VM instruction with its types decided: *at* is its index, *form* says how it is lowered.

    *sources* are the places that it reads, *target* the one that it sets (-1 for none). *detail* is what the form needs
    to be written: for a call the instances that it may run, one for each closure that is called.
    """

    at: int
    form: str
    target: int
    sources: tuple[int, ...]
    types: tuple[Type, ...]
    result: Type
    detail: Any = None

    @property
    def ends(self) -> bool:
        """Whether control does not go on behind it in the kernel."""
        if self.form == "call":
            return all(instance.result is None for instance in self.detail)
        return self.form in ("leave", "return")


class State:
    """Types of all places at one point, and the compare flag where it is known."""

    __slots__ = ("flag", "types")

    def __init__(self, types: list[Type], flag: int | None) -> None:
        self.types = types
        self.flag = flag

    def copy(self) -> State:
        """Return an independent copy."""
        return State(self.types.copy(), self.flag)

    def apply(self, action: Action, stack: int) -> None:
        """Make this the state after *action*; *stack* is the first place of the argument stack."""
        if action.form == "compare":
            self.flag = action.detail
        elif action.form == "push":
            self.types.append(action.result)
        elif action.target >= 0:
            if action.form in TAKING:
                del self.types[stack:]
            self.types[action.target] = action.result


class TypedBlock(NamedTuple):
    """A block with its actions, the states at its start and end, and the edges that can be taken."""

    block: Block
    entry: State
    actions: list[Action]
    after: State
    taken: Edge | None
    next: Edge | None

    def edges(self) -> Iterator[Edge]:
        """Return the edges that can be taken."""
        return (edge for edge in (self.taken, self.next) if edge is not None)


class Variant(NamedTuple):
    """One kind of closure: function and names, and the types of the upvalues."""

    key: VariantKey
    cells: list[Cell]


class Instance:
    """One VM function for one combination of types at its entry.

    ``result`` is None while it is not seen to return. ``closure`` is the kind of closure that is called, None in a
    plain call. *flag* is the compare flag at entry, None where a record in progress is taken over.
    """

    def __init__(
        self,
        number: int,
        code: Code,
        graph: Graph,
        layout: Layout,
        types: list[Type],
        flag: int | None,
        closure: Variant | None,
    ) -> None:
        self.number = number
        self.code = code
        self.graph = graph
        self.layout = layout
        self.entry = State(types, flag)
        self.closure = closure
        self.result: Type | None = None
        self.entries: dict[int, State] = {}
        self.blocks: dict[int, TypedBlock] = {}
        self.created: dict[Any, Type] = {}
        """Types of the tables and closures that instructions create, by instruction."""
        self.given: list[Type] = []
        """Types of the closure and its upvalues where a record that runs one is taken over."""
        self.callers: set[Instance] = set()
        self.callees: list[Instance] = []
        self.parameters: list[Type] = types[: len(code.parameters)]

    @property
    def upvalues(self) -> dict[str, Cell]:
        """Return the types of the upvalues by name; a plain call has none."""
        return {} if self.closure is None else dict(zip(self.closure.key[1], self.closure.cells, strict=True))

    @property
    def instructions(self) -> Any:
        """Return the VM instructions."""
        return self.graph.instructions

    def summary(self) -> Any:
        """Return everything that one more pass could change."""
        states = [(start, [kind.code for kind in state.types], state.flag) for start, state in self.entries.items()]
        return None if self.result is None else self.result.code, states, sum(1 for _ in self.leaves())

    def leaves(self) -> Iterator[Action]:
        """Return the actions at which a kernel cannot go on."""
        for typed in self.blocks.values():
            for action in typed.actions:
                if action.form == "leave":
                    yield action

    def loops_through(self, start: int) -> bool:
        """Return whether control can come back to a block from itself."""
        seen: set[int] = set()
        pending = [edge.target for edge in self.blocks[start].edges()] if start in self.blocks else []
        while pending:
            item = pending.pop()
            if item == start:
                return True
            if item not in seen and item in self.blocks:
                seen.add(item)
                pending.extend(edge.target for edge in self.blocks[item].edges())
        return False

    def opens_itself(self) -> bool:
        """Return whether it is so small that its calls of itself are opened, one deep (recursive inlining)."""
        if self not in self.callees or len(self.instructions) > OPENED_LENGTH:
            return False
        actions = (action for typed in self.blocks.values() for action in typed.actions)
        return sum(action.form == "call" and self in action.detail for action in actions) <= OPENED_CALLS

    def heads(self) -> list[int]:
        """Return the targets of the graph's back-edges that the analysis reached."""
        found = {edge.target for block in self.graph.blocks.values() for edge in block.edges() if edge.back}
        return sorted(found & self.blocks.keys())


def leave(index: int, sentence: str) -> Action:
    """Return the action that leaves the kernel at an instruction, for the reason that *sentence* gives."""
    return Action(index, "leave", -1, (), (), UNIT, sentence)
