"""Type inference and range analysis: what each instruction does to what is known, and the typed node it becomes.

The analysis, a forward fixpoint over the blocks (see ``fixpoint``), is optimistic (Wegman and Zadeck's conditional
constants, with kinds and intervals): blocks are visited only when an edge into them can be taken. Guesses about kinds
are written as guards; a guard that fails leaves compiled code, and what was seen there corrects the next translation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.compiler.analysis import calls, inlined_calls, ranges
from stoffel.compiler.analysis.environment import LARGE
from stoffel.compiler.analysis.facts import (
    BOOL,
    CLASS,
    FALSE_FACT,
    FLOAT,
    FORGOTTEN_FACT,
    IMPOSSIBLE,
    INTEGERS,
    KIND_RANGES,
    NOTHING,
    TRUE_FACT,
    Fact,
    join,
    kind_of,
    of_constant,
    of_kinds,
    of_range,
)
from stoffel.compiler.analysis.fixpoint import Effects, Fixpoint, NoStaticShapeError
from stoffel.compiler.analysis.ir import FLAG_BITS, Comparison, FlowState, Node, TypedBlock, TypedFunction
from stoffel.compiler.analysis.narrowing import narrowed
from stoffel.compiler.analysis.operation_forms import native_form, result_kinds
from stoffel.compiler.flow.blocks import END, Block, Graph
from stoffel.compiler.flow.decoding import (
    CALL,
    CONSTANT,
    ENTER,
    GIVE,
    MOVE,
    OPERATION,
    OTHER,
    PEEK,
    PUSH,
    RETURN,
    Layout,
    Step,
    decode,
    decode_at,
)
from stoffel.compiler.refusal import NO_STATIC_SHAPE, Refusal
from stoffel.errors import VMError
from stoffel.model.code import Code
from stoffel.model.operations import OPERATIONS

if TYPE_CHECKING:
    from stoffel.compiler.analysis.environment import Environment, Feedback
    from stoffel.compiler.flow.spliced import Inlined

_BITWISE: Final = frozenset({"AND", "OR", "XOR", "NOT"})
_SHIFTS: Final = frozenset({"SHL", "SHR"})


def single(mask: int) -> bool:
    """Return whether a set of kinds holds exactly one."""
    return mask != 0 and mask & (mask - 1) == 0


_OUTCOMES: Final = [frozenset(value for value, bit in FLAG_BITS.items() if flag & bit) for flag in range(8)]
_FLAGS: Final = {outcomes: flag for flag, outcomes in enumerate(_OUTCOMES)}


def _places(comparison: Comparison | None) -> tuple[int, ...]:
    return () if comparison is None else (comparison.left, comparison.right)


def outcomes_of(flag: int) -> frozenset[int]:
    """Return the set of compare-flag values that a set of flag bits stands for."""
    return _OUTCOMES[flag]


class Visited:
    """What is kept of a block from one visit to the next; most instructions are given then what they were given before.

    ``nodes`` are the nodes that its instructions became when they were last looked at, None for one that has none of
    its own, and ``given`` what each operation was given.
    """

    __slots__ = ("given", "nodes", "steps")

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps
        self.nodes: list[Node | None] = [None] * len(steps)
        self.given: list[tuple[Fact, Fact] | None] = [None] * len(steps)


class Inference:
    """One analysis of one graph from one entry state."""

    def __init__(
        self,
        code: Code,
        graph: Graph,
        layout: Layout,
        entry: FlowState,
        environment: Environment,
        captured: tuple[str, ...] | None,
    ) -> None:
        self.code = code
        self.captured = captured
        self.graph = graph
        self.layout = layout
        self.environment = environment
        self.entry = entry
        self.calls: dict[int, tuple[tuple[Fact, ...], Node]] = {}
        """Calls that depend on nothing but their arguments, by index: the facts about these, and the node."""
        self._feedback = environment.feedback(code)
        self._visited: dict[int, Visited] = {}
        self._comparisons: dict[tuple[int, ...], Comparison] = {}

    def run(self) -> TypedFunction:
        """Return the typed function. Raises Refusal if the argument stack has no static shape."""
        start = self.entry.copy()
        narrows = len(self.graph.instructions) < LARGE
        fixpoint = Fixpoint(
            self.graph, self.entry, self.layout.stack, self._execute, self._effects, keeps_states=narrows
        )
        try:
            fixpoint.run()
        except NoStaticShapeError as error:
            code, index = self.layout.splice.position(error.index)
            # The end of a function, where what is inlined goes on in its caller, is no instruction of it.
            inside = index < len(code.function.instructions)
            raise Refusal(NO_STATIC_SHAPE, code.name, index if inside else None) from None
        order = self.graph.order()
        blocks = narrowed(order, fixpoint.typed, start, self._execute) if narrows and fixpoint.widened else None
        if blocks is None:
            blocks = {block.start: fixpoint.typed[block.start] for block in order if block.start in fixpoint.typed}
        result = IMPOSSIBLE
        for typed in blocks.values():
            result = join(result, typed.result)
        return TypedFunction(self.layout, blocks, result)

    def _visit(self, block: Block) -> Visited:
        """Return what is kept of *block*, the first time its instructions decoded only."""
        visited = self._visited.get(block.start)
        if visited is None:
            layout, instructions = self.layout, self.graph.instructions
            # Decoded instructions take much room, and long functions are seldom translated again.
            known = layout.steps if len(instructions) < LARGE else {}
            inlined = layout.splice.inlined
            steps = []
            for index in block.body:
                step = known.get(index)
                if self._feedback.unseen is not None and self._is_unseen(index):
                    step = Step(OTHER, -1, (), "what has never run")
                elif step is None:
                    instruction = instructions[index]
                    step = decode_at(index, instruction, layout) if inlined else decode(instruction, layout)
                    known[index] = step
                steps.append(step)
            visited = self._visited[block.start] = Visited(steps)
        return visited

    def inlined_at(self, index: int) -> Inlined | None:
        """Return the inlined call that an instruction belongs to, None if it is the function's own."""
        return self.layout.splice.at(index)

    def feedback_at(self, index: int) -> tuple[Feedback, int]:
        """Return what was seen in the function that an instruction belongs to, and the instruction's index there."""
        inlined = self.inlined_at(index)
        if inlined is None:
            return self._feedback, index
        return self.environment.feedback(inlined.code), index - inlined.base

    def is_generic(self, index: int) -> bool:
        """Return whether an instruction is to be written without guesses."""
        feedback, own = self.feedback_at(index)
        return feedback.is_generic(own)

    def _is_unseen(self, index: int) -> bool:
        feedback, own = self.feedback_at(index)
        return feedback.unseen is not None and feedback.unseen(own)

    def _effects(self, block: Block) -> Effects:
        """Return what a block does with registers and spill slots; guards may learn about places that are read."""
        uses: set[int] = set()
        defines: set[int] = set()
        steps = self._visit(block).steps
        for sort, target, sources, detail in steps:
            if sort == ENTER:
                defines.update(range(detail.first, detail.end))
            for source in sources:
                if source not in defines:
                    uses.add(source)
            if target >= 0:
                defines.add(target)
        if self.layout.unseen:
            if any(step.sort == CALL for step in steps):
                uses.update(self.layout.unseen.values())
                defines.update(self.layout.unseen.values())
            else:
                defines.update(*(self.layout.unseen_of.get(place, ()) for place in tuple(defines)))
        return Effects(uses, defines)

    def _execute(self, block: Block, entry: FlowState) -> TypedBlock:
        typed = TypedBlock(block, entry)
        state = entry.copy()
        facts, nodes = state.facts, typed.nodes
        unseen_of = self.layout.unseen_of
        visited = self._visit(block)
        latest, given = visited.nodes, visited.given
        compared = _places(state.comparison)
        for position, (index, step) in enumerate(zip(block.body, visited.steps, strict=True)):
            sort, target, sources, detail = step
            node = latest[position]
            if sort == CONSTANT:
                if node is None:
                    node = latest[position] = Node(index, "constant", target, (), detail)
            elif sort in (MOVE, PUSH):
                fact = facts[sources[0]]
                if node is None or node.result is not fact:
                    place = target if sort == MOVE else len(facts)
                    node = latest[position] = Node(index, "copy", place, sources, fact)
                if sort == PUSH:
                    facts.append(fact)
                if sort == PUSH or sources[0] == target:
                    nodes.append(node)
                    continue
            elif sort == OPERATION:
                left, right = facts[sources[0]], facts[sources[-1]]
                before = given[position]
                if node is None or before is None or before[0] is not left or before[1] is not right:
                    node = self._operation(
                        index, detail, target, sources, [left, right] if len(sources) > 1 else [left]
                    )
                    if node is None:
                        return typed
                    latest[position], given[position] = node, (left, right)
                for source, _ in node.guards:
                    # The other name of a value that is compared or added to itself learns the same.
                    facts[sources[source]] = node.facts[source]
                if target < 0:
                    state.flag = FLAG_BITS[node.detail] if node.form == "flag" else node.detail
                    state.comparison = self._comparison(sources)
                    compared = sources
                    nodes.append(node)
                    continue
            elif sort == RETURN:
                typed.result = facts[sources[0]]
                nodes.append(Node(index, "return", -1, sources, facts=(typed.result,)))
                return typed
            elif self._transfer(index, step, state, nodes):
                compared = _places(state.comparison)
                continue
            else:
                return typed
            nodes.append(node)
            facts[target] = node.result
            if target in compared:
                state.comparison, compared = None, ()
            if target in unseen_of:
                for unseen in unseen_of[target]:
                    facts[unseen] = FORGOTTEN_FACT
        self._leave_block(block, state, typed)
        for edge, reached in ((typed.taken, typed.taken_state), (typed.next, typed.next_state)):
            if edge is not None and edge.target == END and reached is not None:
                typed.result = join(typed.result, reached.facts[0])
        return typed

    def _comparison(self, places: tuple[int, ...]) -> Comparison:
        """Return the comparison of two places, always the same object."""
        known = self._comparisons.get(places)
        if known is None:
            known = self._comparisons[places] = Comparison(*places)
        return known

    def _leave_block(self, block: Block, state: FlowState, typed: TypedBlock) -> None:
        if block.next is None:
            return
        if block.branch is None or block.taken is None:
            typed.next, typed.next_state = block.next, state
            return
        possible = outcomes_of(state.flag)
        taken, other = possible & block.branch, possible - block.branch
        if taken:
            typed.taken_state = self._assume(state.copy() if other else state, taken)
            if typed.taken_state is not None:
                typed.taken = block.taken
        if other:
            typed.next_state = self._assume(state, other)
            if typed.next_state is not None:
                typed.next = block.next

    def _assume(self, state: FlowState, outcomes: frozenset[int]) -> FlowState | None:
        """Let *state* know that the last comparison came out as one of *outcomes*; return None if it cannot."""
        state.flag = _FLAGS[outcomes]
        comparison = state.comparison
        if comparison is None:
            return state
        facts = state.facts
        left, right = facts[comparison.left], facts[comparison.right]
        if left.mask in KIND_RANGES and right.mask in KIND_RANGES:
            refined = ranges.refine(left, right, outcomes)
            if refined is None:
                return None
            facts[comparison.left], facts[comparison.right] = refined
        elif left.mask == BOOL and right.mask == BOOL:
            for place, this, other in ((comparison.left, left, right), (comparison.right, right, left)):
                if this.is_constant or not other.is_constant:
                    continue
                if outcomes == {0}:
                    facts[place] = other
                elif 0 not in outcomes:
                    facts[place] = FALSE_FACT if other.constant else TRUE_FACT
        return state

    # Instructions

    def define(self, state: FlowState, place: int, fact: Fact) -> None:
        state.facts[place] = fact
        self._forget(state, place)

    def _forget(self, state: FlowState, place: int) -> None:
        """Take back what was known by way of the old value of *place*."""
        for unseen in self.layout.unseen_of.get(place, ()):
            state.facts[unseen] = FORGOTTEN_FACT
        comparison = state.comparison
        if comparison is not None and place in (comparison.left, comparison.right):
            state.comparison = None

    def _transfer(self, index: int, step: Step, state: FlowState, nodes: list[Node]) -> bool:
        """Apply an instruction that does more than define or push a place; return False if control ends there."""
        sort, target, sources, detail = step
        facts = state.facts
        if sort == CALL:
            return calls.call(self, index, detail, target, state, nodes)
        elif sort == ENTER:
            return inlined_calls.enter(self, index, detail, state, nodes)
        elif sort == GIVE:
            inlined_calls.give(self, index, sources[0], detail, state, nodes)
        elif sort == PEEK:
            place = len(facts) - 1 + detail
            if not self.layout.stack <= place < len(facts):
                nodes.append(Node(index, "leave", detail="argument stack read out of bounds", leaves=True))
                return False
            self.define(state, target, facts[place])
            nodes.append(Node(index, "copy", target, (place,), result=facts[target]))
        elif sort == OTHER:
            nodes.append(Node(index, "leave", detail=f"{detail} is executed by the interpreter", leaves=True))
            return False
        return True

    def _operation(
        self, index: int, operation: str, target: int, sources: tuple[int, ...], facts: list[Fact]
    ) -> Node | None:
        """Return the node of an operation on values with *facts*, None if a guess about them can only fail."""
        left, right = facts[0], facts[-1]
        if left.constant is not NOTHING and right.constant is not NOTHING:
            try:
                value = OPERATIONS[operation](*(fact.constant for fact in facts))
            except VMError:
                value = NOTHING
            if value is not NOTHING:
                if target < 0:
                    return Node(index, "flag", detail=value)
                return Node(index, "constant", target, result=of_constant(value))
        guards: tuple[tuple[int, int], ...] = ()
        if left.mask not in CLASS or right.mask not in CLASS:
            guards = tuple(self._guards(index, operation, facts))
            for position, kind in guards:
                facts[position] = self.guarded(facts[position], kind)
            if any(fact.mask == 0 for fact in facts):
                return None
        if target < 0:
            return self._compare(index, sources, facts, guards)
        form, result, detail, leaves = self._arithmetic(operation, facts)
        return Node(
            index,
            form,
            target,
            sources,
            facts=tuple(facts),
            operation=operation,
            result=result,
            guards=guards,
            detail=detail,
            leaves=leaves or bool(guards),
        )

    def guarded(self, fact: Fact, kind: int) -> Fact:
        if fact.mask == kind:
            return fact
        if not fact.mask & kind:
            return IMPOSSIBLE
        return Fact(kind, *KIND_RANGES.get(kind, (0, 0)), NOTHING, fact.hint)

    def _guards(self, index: int, operation: str, facts: list[Fact]) -> list[tuple[int, int]]:
        """Return the guesses about operands whose kind is open, as (source position, kind) pairs; none if hopeless."""
        if self.is_generic(index):
            return []
        guards: list[tuple[int, int]] = []
        for position, fact in enumerate(facts):
            if single(fact.mask):
                continue
            other = facts[1 - position] if len(facts) == 2 else fact
            kind = self._guess(index, position, fact, other)
            if not kind:
                return []
            guards.append((position, kind))
        kinds = [fact.mask for fact in facts]
        for position, kind in guards:
            kinds[position] = kind
        if not native_form(operation, kinds[0], kinds[-1]):
            return []
        return guards

    def _guess(self, index: int, position: int, fact: Fact, other: Fact) -> int:
        feedback, own = self.feedback_at(index)
        seen = feedback.seen(own, position)
        if seen:
            return seen if single(seen) and seen & fact.mask else 0
        if fact.hint is not NOTHING and kind_of(fact.hint) & fact.mask:
            return kind_of(fact.hint)
        if single(other.mask) and other.mask & fact.mask:
            return other.mask
        if other.hint is not NOTHING and kind_of(other.hint) & fact.mask:
            return kind_of(other.hint)
        return feedback.usual & fact.mask

    def _arithmetic(self, operation: str, facts: list[Fact]) -> tuple[str, Fact, object, bool]:
        """Return form, result, detail and whether it leaves, for operands that are guarded already."""
        a, b = facts[0].mask, facts[-1].mask
        form = native_form(operation, a, b) if a in CLASS and b in CLASS else ""
        if not form:
            return "generic", of_kinds(result_kinds(operation, a, b)), None, False
        if a == b and a & INTEGERS:
            return self._integer(operation, form, facts)
        if form == "float":
            zero_divisor = operation in ("DIV", "MOD") and not (facts[-1].is_constant and facts[-1].constant != 0)
            return "float", of_kinds(FLOAT), None, zero_divisor or operation == "MOD"
        return form, of_kinds(FLOAT if FLOAT in (a, b) else a), None, False

    def _integer(self, operation: str, form: str, facts: list[Fact]) -> tuple[str, Fact, object, bool]:
        a, b = facts[0], facts[-1]
        kind = a.mask
        least, greatest = KIND_RANGES[kind]
        if operation in _SHIFTS:
            width = (greatest - least + 1).bit_length() - 1
            if b.low < 0 or b.high >= width:
                return "generic", of_kinds(kind), None, False
            bounds = ranges.interval(operation, a, b)
            if operation == "SHL" and any(ranges.checks(kind, bounds)):
                return "wrapping_shift", of_kinds(kind), None, False
            return "integer", of_range(kind, *bounds), None, False
        bounds = ranges.interval(operation, a, b)
        if form != "integer" or operation in _BITWISE:
            # The result fits, or the operation itself is called for what does not (zero, minimum by -1 in a division).
            return form, of_range(kind, *bounds), None, False
        low, high = bounds
        if high < least or low > greatest:
            return "generic", of_kinds(kind), None, False
        return "integer", of_range(kind, low, high), (low < least, high > greatest), False

    def _compare(
        self, index: int, sources: tuple[int, ...], facts: list[Fact], guards: tuple[tuple[int, int], ...]
    ) -> Node:
        left, right = facts
        a, b = left.mask, right.mask
        form = (native_form("CMP", a, b) if a in CLASS and b in CLASS else "") or "compare_generic"
        if left.constant != left.constant or right.constant != right.constant:  # NaN
            form = "compare_generic"
        flag = 7
        if form == "compare" and a & INTEGERS:
            flag = _FLAGS[ranges.possible_orders(left, right)]
        return Node(
            index,
            form,
            -1,
            sources,
            facts=tuple(facts),
            operation="CMP",
            guards=guards,
            leaves=bool(guards),
            detail=flag,
        )
