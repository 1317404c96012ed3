"""Type inference and range analysis: a forward fixpoint over the blocks, then one pass that makes the typed nodes.

The analysis is optimistic (Wegman and Zadeck's conditional constants, with kinds and intervals): blocks are visited
only when an edge into them can be taken, and ranges that keep growing are widened at the second visit. Guesses about
kinds are written as guards; a guard that fails leaves compiled code, and what was seen there corrects the next
translation.
"""

from __future__ import annotations

from heapq import heappop, heappush
from operator import is_not
from typing import TYPE_CHECKING, Final

from stoffel.compiler import opened, ranges
from stoffel.compiler.blocks import END, Block, Edge, Graph
from stoffel.compiler.facts import (
    ANY,
    BOOL,
    FALSE_FACT,
    FLOAT,
    I64,
    IMPOSSIBLE,
    INTEGERS,
    KIND_RANGES,
    NOTHING,
    NUMBERS,
    STRING,
    TRUE_FACT,
    UNKNOWN,
    Fact,
    equal,
    join,
    kind_of,
    of_constant,
    of_kinds,
    of_range,
    widen,
)
from stoffel.compiler.refusal import Refusal
from stoffel.compiler.typed import FLAG_BITS, Comparison, FlowState, Layout, Node, TypedBlock, TypedFunction
from stoffel.errors import VMError
from stoffel.isa.table import Flow, OperandKind, Place
from stoffel.runtime.code import Code
from stoffel.runtime.operations import OPERATIONS

if TYPE_CHECKING:
    from stoffel.compiler.environment import Environment, Feedback

ORDERABLE: Final = (STRING, BOOL)
"""Kinds besides the numbers that compare with themselves."""

ARITHMETIC: Final = frozenset({"ADD", "SUB", "MUL", "DIV", "MOD"})
_LOGICAL: Final = frozenset({"AND", "OR", "XOR"})
_SHIFTS: Final = frozenset({"SHL", "SHR"})
_NOWHERE: Final = -2
_VISITS_BEFORE_WIDENING: Final = 3


def single(mask: int) -> bool:
    """Return whether a set of kinds holds exactly one."""
    return mask != 0 and mask & (mask - 1) == 0


def outcomes_of(flag: int) -> frozenset[int]:
    """Return the set of compare-flag values that a set of flag bits stands for."""
    return frozenset(value for value, bit in FLAG_BITS.items() if flag & bit)


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
        self.feedback: Feedback = environment.feedback(code)
        self.entries: dict[int, FlowState] = {graph.entry: entry}
        self.visits: dict[int, int] = {}
        self.result = IMPOSSIBLE

    def run(self) -> TypedFunction:
        """Return the typed function. Raises Refusal if the argument stack has no static shape."""
        order = self.graph.order()
        rank = {block.start: position for position, block in enumerate(order)}
        pending = [0]
        waiting = {self.graph.entry}
        while pending:
            start = order[heappop(pending)].start
            waiting.discard(start)
            self.visits[start] = self.visits.get(start, 0) + 1
            typed = self._block(self.graph.blocks[start], self.entries[start].copy(), keep=False)
            for edge, state in ((typed.taken, typed.taken_state), (typed.next, typed.next_state)):
                if edge is not None and state is not None and edge.target != END:
                    retreats = rank[edge.target] <= rank[start]
                    if self._flow(edge, state, retreats) and edge.target not in waiting:
                        waiting.add(edge.target)
                        heappush(pending, rank[edge.target])
        self.result = IMPOSSIBLE
        blocks = {
            block.start: self._block(block, self.entries[block.start].copy(), keep=True)
            for block in order
            if block.start in self.entries
        }
        return TypedFunction(self.layout, blocks, self.result)

    def _flow(self, edge: Edge, state: FlowState, retreats: bool) -> bool:
        """Join *state* into the entry of the edge's target; return whether that changed it.

        Only edges that close a loop widen: elsewhere what is known comes to rest by itself.
        """
        known = self.entries.get(edge.target)
        if known is None:
            self.entries[edge.target] = state.copy()
            return True
        if len(known.facts) != len(state.facts):
            raise Refusal(f"argument stack has no static shape at instruction {edge.target}")
        changed = False
        may_widen = retreats and self.visits.get(edge.target, 0) >= _VISITS_BEFORE_WIDENING
        different = [place for place, differs in enumerate(map(is_not, known.facts, state.facts)) if differs]
        for place in different:
            old, fact = known.facts[place], state.facts[place]
            new = join(old, fact)
            if not equal(old, new):
                known.facts[place] = widen(old, new) if may_widen else new
                changed = True
        if known.flag | state.flag != known.flag:
            known.flag |= state.flag
            changed = True
        same = known.comparison
        if same is not None and (
            state.comparison is None or (same.left, same.right) != (state.comparison.left, state.comparison.right)
        ):
            known.comparison = None
            changed = True
        return changed

    def _block(self, block: Block, state: FlowState, *, keep: bool) -> TypedBlock:
        typed = TypedBlock(block, state.copy() if keep else state)
        nodes: list[Node] | None = typed.nodes if keep else None
        for index in block.body:
            if not self._instruction(index, state, nodes):
                typed.after = state
                return typed
        typed.after = state
        self._leave_block(block, state, typed)
        for edge, reached in ((typed.taken, typed.taken_state), (typed.next, typed.next_state)):
            if edge is not None and edge.target == END and reached is not None:
                self.result = join(self.result, reached.facts[0])
        return typed

    def _leave_block(self, block: Block, state: FlowState, typed: TypedBlock) -> None:
        if block.next is None:
            return
        if block.branch is None or block.taken is None:
            typed.next, typed.next_state = block.next, state
            return
        possible = outcomes_of(state.flag)
        for edge, outcomes in ((block.taken, possible & block.branch), (block.next, possible - block.branch)):
            if not outcomes:
                continue
            refined = self._assume(state, outcomes)
            if refined is None:
                continue
            if edge is block.taken:
                typed.taken, typed.taken_state = edge, refined
            else:
                typed.next, typed.next_state = edge, refined

    def _assume(self, state: FlowState, outcomes: frozenset[int]) -> FlowState | None:
        """Return the state after learning that the last comparison came out as one of *outcomes*, None if it cannot."""
        result = state.copy()
        result.flag = sum(FLAG_BITS[value] for value in outcomes)
        comparison = state.comparison
        if comparison is None:
            return result
        left, right = state.facts[comparison.left], state.facts[comparison.right]
        if left.mask in KIND_RANGES and right.mask in KIND_RANGES:
            refined = ranges.refine(left, right, outcomes)
            if refined is None:
                return None
            result.facts[comparison.left], result.facts[comparison.right] = refined
        elif left.mask == BOOL and right.mask == BOOL:
            for place, this, other in ((comparison.left, left, right), (comparison.right, right, left)):
                if this.is_constant or not other.is_constant:
                    continue
                if outcomes == {0}:
                    result.facts[place] = other
                elif 0 not in outcomes:
                    result.facts[place] = FALSE_FACT if other.constant else TRUE_FACT
        return result

    # Instructions

    def _define(self, state: FlowState, place: int, fact: Fact) -> None:
        state.facts[place] = fact
        comparison = state.comparison
        if comparison is not None and place in (comparison.left, comparison.right):
            state.comparison = None

    def _instruction(self, index: int, state: FlowState, nodes: list[Node] | None) -> bool:
        """Apply instruction *index* to *state*, adding its node to *nodes*; return False if control ends there."""
        instruction = self.graph.instructions[index]
        row = instruction.op
        operands = instruction.operands
        facts = state.facts
        if row.operation:
            return self._operation(index, row.operation, operands, state, nodes)
        if row.flow is Flow.CALL:
            return opened.call(self, index, operands[0], state, nodes)
        if row.flow is Flow.RETURN:
            self.result = join(self.result, facts[operands[0]])
            if nodes is not None:
                nodes.append(Node(index, "return", -1, (operands[0],), facts=(facts[operands[0]],)))
            return False
        if Place.STACK in row.writes:  # PUSHARG
            facts.append(facts[operands[0]])
            if nodes is not None:
                nodes.append(Node(index, "copy", len(facts) - 1, (operands[0],), result=facts[-1]))
            return True
        source = self._copied(instruction.operands, row.operands, state)
        if source is None:
            return True
        if source[2] == _NOWHERE:
            if nodes is not None:
                nodes.append(Node(index, "leave", detail="argument stack read out of bounds", leaves=True))
            return False
        target, fact, place = source
        self._define(state, target, fact)
        if nodes is not None:
            if place < 0:
                nodes.append(Node(index, "constant", target, result=fact))
            else:
                nodes.append(Node(index, "copy", target, (place,), result=fact))
        return True

    def _copied(
        self, operands: tuple[object, ...], kinds: tuple[object, ...], state: FlowState
    ) -> tuple[int, Fact, int] | None:
        """Return target, fact and source place of an instruction that only moves a value.

        The source is -1 for a constant, :data:`_NOWHERE` for an argument-stack entry that does not exist.
        """
        target = source = -1
        fact: Fact | None = None
        slot_first = False
        for operand, value in zip(kinds, operands, strict=True):
            kind = operand.kind  # type: ignore[attr-defined]
            if kind is OperandKind.TARGET:
                target = value  # type: ignore[assignment]
            elif kind is OperandKind.SOURCE:
                source = value  # type: ignore[assignment]
            elif kind is OperandKind.CONSTANT:
                fact = of_constant(value)
            elif kind is OperandKind.SLOT:
                place = self.layout.slots[value]  # type: ignore[index]
                if target < 0:
                    slot_first = True
                    target = place
                else:
                    source = place
            elif kind is OperandKind.OFFSET:
                depth = len(state.facts) - self.layout.stack
                position = depth - 1 + value  # type: ignore[operator]
                if not 0 <= position < depth:
                    return target, UNKNOWN, _NOWHERE
                source = self.layout.stack + position
        if target < 0 and not slot_first:
            return None
        return target, fact if fact is not None else state.facts[source], source

    def _operation(
        self, index: int, operation: str, operands: tuple[int, ...], state: FlowState, nodes: list[Node] | None
    ) -> bool:
        compares = operation == "CMP"
        sources = operands if compares else operands[1:]
        target = -1 if compares else operands[0]
        facts = [state.facts[source] for source in sources]
        if all(fact.is_constant for fact in facts):
            try:
                value = OPERATIONS[operation](*(fact.constant for fact in facts))
            except VMError:
                value = NOTHING
            if value is not NOTHING:
                return self._constant(index, compares, target, value, sources, state, nodes)
        guards = self._guards(index, operation, facts)
        for position, kind in guards:
            facts[position] = self._guarded(facts[position], kind)
            # The other name of a value that is compared or added to itself learns the same.
            state.facts[sources[position]] = facts[position]
        if any(fact.mask == 0 for fact in facts):
            return False
        if compares:
            return self._compare(index, sources, facts, guards, state, nodes)
        form, result, detail, leaves = self._arithmetic(operation, facts)
        node = None
        if nodes is not None:
            node = Node(
                index,
                form,
                target,
                sources,
                facts=tuple(facts),
                operation=operation,
                result=result,
                guards=tuple(guards),
                detail=detail,
                leaves=leaves or bool(guards),
            )
            nodes.append(node)
        self._define(state, target, result)
        return True

    def _constant(
        self,
        index: int,
        compares: bool,
        target: int,
        value: object,
        sources: tuple[int, ...],
        state: FlowState,
        nodes: list[Node] | None,
    ) -> bool:
        if compares:
            state.flag = FLAG_BITS[value]  # type: ignore[index]
            state.comparison = Comparison(*sources)
            if nodes is not None:
                nodes.append(Node(index, "flag", detail=value))
            return True
        fact = of_constant(value)
        self._define(state, target, fact)
        if nodes is not None:
            nodes.append(Node(index, "constant", target, result=fact))
        return True

    def _guarded(self, fact: Fact, kind: int) -> Fact:
        if fact.mask == kind:
            return fact
        if not fact.mask & kind:
            return IMPOSSIBLE
        return Fact(kind, *KIND_RANGES.get(kind, (0, 0)), NOTHING, fact.hint)

    def _guards(self, index: int, operation: str, facts: list[Fact]) -> list[tuple[int, int]]:
        """Return the guesses about operands whose kind is open, as (source position, kind) pairs; none if hopeless."""
        if all(single(fact.mask) for fact in facts) or self.feedback.is_generic(index):
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
        if not self._native(operation, kinds):
            return []
        return guards

    def _guess(self, index: int, position: int, fact: Fact, other: Fact) -> int:
        seen = self.feedback.seen(index, position)
        if seen:
            return seen if single(seen) and seen & fact.mask else 0
        if fact.hint is not NOTHING and kind_of(fact.hint) & fact.mask:
            return kind_of(fact.hint)
        if single(other.mask) and other.mask & fact.mask:
            return other.mask
        if other.hint is not NOTHING and kind_of(other.hint) & fact.mask:
            return kind_of(other.hint)
        return I64 if I64 & fact.mask else 0

    def _native(self, operation: str, kinds: list[int]) -> str:
        """Return the form in which *operation* is written out for these single kinds, "" if it is called instead."""
        a, b = kinds[0], kinds[-1]
        if operation == "CMP":
            if (a & INTEGERS and b & INTEGERS) or (a == b and a in ORDERABLE):
                return "compare"
            return "compare_float" if a & NUMBERS and b & NUMBERS else ""
        if a == b and a & INTEGERS:
            return "integer"
        if operation in ARITHMETIC and FLOAT in (a, b) and a in (FLOAT, I64) and b in (FLOAT, I64):
            return "float"
        if a == b == STRING and operation == "ADD":
            return "string"
        if a == b == BOOL and operation not in ARITHMETIC and operation not in _SHIFTS:
            return "boolean"
        return ""

    def _arithmetic(self, operation: str, facts: list[Fact]) -> tuple[str, Fact, object, bool]:
        """Return form, result, detail and whether it leaves, for operands that are guarded already."""
        masks = [fact.mask for fact in facts]
        form = self._native(operation, masks) if all(map(single, masks)) else ""
        if form == "integer":
            return self._integer(operation, facts)
        if form == "float":
            zero_divisor = operation in ("DIV", "MOD") and not (facts[1].is_constant and facts[1].constant != 0)
            return "float", of_kinds(FLOAT), None, zero_divisor or operation == "MOD"
        if form == "string":
            return "string", of_kinds(STRING), None, False
        if form == "boolean":
            return "boolean", of_kinds(BOOL), None, False
        return "generic", of_kinds(self._generic_result(operation, masks)), None, False

    def _generic_result(self, operation: str, masks: list[int]) -> int:
        a, b = masks[0], masks[-1]
        result = a & b & INTEGERS
        if operation in ARITHMETIC:
            if (a | b) & FLOAT and a & (FLOAT | I64) and b & (FLOAT | I64):
                result |= FLOAT
            if operation == "ADD":
                result |= a & b & STRING
        elif operation not in _SHIFTS:
            result |= a & b & BOOL
        return result or ANY

    def _integer(self, operation: str, facts: list[Fact]) -> tuple[str, Fact, object, bool]:
        kind = facts[0].mask
        least, greatest = KIND_RANGES[kind]
        if operation == "NOT":
            low, high = (~facts[0].high, ~facts[0].low) if least < 0 else (0, greatest)
            return "integer", of_range(kind, low, high), None, False
        a, b = facts
        if operation in _SHIFTS:
            width = (greatest - least + 1).bit_length() - 1
            if b.low < 0 or b.high >= width:
                return "generic", of_kinds(kind), None, False
            bounds = ranges.interval(operation, a, b)
            if operation == "SHL" and any(ranges.checks(kind, bounds)):
                return "wrapping_shift", of_kinds(kind), None, False
            return "integer", of_range(kind, *bounds), None, False
        bounds = ranges.interval(operation, a, b)
        if operation in ("DIV", "MOD"):
            # Anything that the quick form does not cover (zero, minimum by -1) is computed by the operation itself.
            return "division", of_range(kind, *bounds), None, False
        low, high = ranges.checks(kind, bounds)
        if operation in _LOGICAL:
            return "integer", of_range(kind, *bounds), None, False
        if bounds[1] < least or bounds[0] > greatest:
            return "generic", of_kinds(kind), None, False
        return "integer", of_range(kind, *bounds), (low, high), False

    def _compare(
        self,
        index: int,
        sources: tuple[int, ...],
        facts: list[Fact],
        guards: list[tuple[int, int]],
        state: FlowState,
        nodes: list[Node] | None,
    ) -> bool:
        masks = [fact.mask for fact in facts]
        form = (self._native("CMP", masks) if all(map(single, masks)) else "") or "compare_generic"
        if any(fact.constant != fact.constant for fact in facts if type(fact.constant) is float):
            form = "compare_generic"
        flag = 7
        if form == "compare" and masks[0] & INTEGERS:
            flag = sum(FLAG_BITS[value] for value in ranges.possible_orders(*facts))
        if nodes is not None:
            nodes.append(
                Node(
                    index,
                    form,
                    -1,
                    sources,
                    facts=tuple(facts),
                    operation="CMP",
                    guards=tuple(guards),
                    leaves=bool(guards),
                    detail=flag,
                )
            )
        state.flag = flag
        state.comparison = Comparison(*sources)
        return True
