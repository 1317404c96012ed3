"""Counted loops: ``while i < n: ...; i += step`` with an ``n`` that stays, run by a Python range.

A loop is counted if its only way back ends with the one increment in the loop of a register that the comparison at its
head tests against a value which the loop does not change. The Python local of the counter then holds what the range
gave last; where the VM's register has been incremented already it is that plus the step (a :class:`Sum`), which nothing
has to compute unless somebody looks. A range may be a part of the loop only, see ``emission.strip_mining``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stoffel.compiler.analysis.facts import I64
from stoffel.compiler.analysis.ir import RUNNING_OTHERS, Node, TypedBlock, TypedFunction
from stoffel.compiler.flow.blocks import END, Edge
from stoffel.isa.flags import FLAGS

if TYPE_CHECKING:
    from stoffel.compiler.cpython.writer import Label


class Counted(NamedTuple):
    """A counted loop. ``stays`` is the edge of its head into the loop, ``goes`` the one out of it.

    ``brief`` says that a round is soon over: there are no calls and no other loops in it.
    """

    counter: int
    bound: int
    inclusive: bool
    step: int
    latch: int
    increment: Node
    stays: Edge
    goes: Edge
    brief: bool = False


def counted_loops(function: TypedFunction) -> dict[int, Counted]:
    """Return the counted loops of a function by the block at their head."""
    ranks = {start: rank for rank, start in enumerate(function.blocks)}
    latches: dict[int, list[int]] = {}
    for start, typed in function.blocks.items():
        for edge in (typed.taken, typed.next):
            if edge is not None and edge.target != END and ranks[edge.target] <= ranks[start]:
                latches.setdefault(edge.target, []).append(start)
    entry = next(iter(function.blocks))
    result = {}
    for head, ends in latches.items():
        if len(ends) == 1:
            loop = _counted(function, head, ends[0])
            body = None if loop is None else _body(function, head, loop, entry)
            if loop is not None and body is not None:
                result[head] = loop._replace(brief=_is_brief(function, body, loop.latch))
    return result


def _counted(function: TypedFunction, head: int, latch: int) -> Counted | None:
    """Return the loop as it looks at its head and its latch, without what happens between them."""
    typed = function.blocks[head]
    end = function.blocks[latch]
    if typed.taken is None or typed.next is None or latch == head or (end.taken is not None and end.next is not None):
        return None
    compare = typed.nodes[-1] if typed.nodes else None
    if compare is None or compare.form != "compare" or compare.guards or typed.taken.back or typed.next.back:
        return None
    if any(fact.mask != I64 for fact in compare.facts) or typed.block.branch is None:
        return None
    if any(node.form != "constant" or node.target in compare.sources for node in typed.nodes[:-1]):
        return None
    left, right = compare.sources
    for stays, goes, outcomes in (
        (typed.taken, typed.next, typed.block.branch),
        (typed.next, typed.taken, FLAGS - typed.block.branch),
    ):
        for counter, bound, below in ((left, right, -1), (right, left, 1)):
            if outcomes not in (frozenset({below}), frozenset({below, 0})):
                continue
            found = _increment(end, counter)
            if found is not None:
                node, step = found
                return Counted(counter, bound, 0 in outcomes, step, latch, node, stays, goes)
    return None


def _increment(latch: TypedBlock, counter: int) -> tuple[Node, int] | None:
    """Return the node that adds to the counter in the loop's last block, and how much, if that is all that happens."""
    source = counter
    for node in reversed(latch.nodes):
        if node.target != source:
            continue
        if node.form == "copy":
            source = node.sources[0]
            continue
        if node.form != "integer" or node.operation != "ADD" or node.detail != (False, False) or node.guards:
            return None
        for addend, step in (node.sources, node.sources[::-1]):
            fact = node.facts[node.sources.index(step)] if addend != step else None
            if addend == counter and fact is not None and fact.is_constant and fact.constant > 0:
                before = latch.nodes[: latch.nodes.index(node)]
                return None if any(other.target == counter for other in before) else (node, fact.constant)
        return None
    return None


def _body(function: TypedFunction, head: int, loop: Counted, entry: int) -> set[int] | None:
    """Return the blocks of the loop but its head, None if it is entered elsewhere or changes bound or counter."""
    body = {loop.latch}
    pending = [loop.latch]
    while pending:
        start = pending.pop()
        if start == entry:
            return None
        for predecessor in function.predecessors[start]:
            if predecessor != head and predecessor not in body:
                body.add(predecessor)
                pending.append(predecessor)
    if loop.stays.target not in body or loop.goes.target in body:
        return None
    for start in body:
        for node in function.blocks[start].nodes:
            if node.target == loop.bound and not (node.form == "copy" and node.sources[0] == loop.bound):
                return None
            if node.target == loop.counter and start != loop.latch and node.sources != (loop.counter,):
                return None
    return body


def _is_brief(function: TypedFunction, body: set[int], latch: int) -> bool:
    """Return whether the loop's body has no calls and no other loops; nothing happens at the head but a comparison."""
    for start in body:
        typed = function.blocks[start]
        if any(edge is not None and edge.back and start != latch for edge in (typed.taken, typed.next)):
            return False
        if any(node.form in RUNNING_OTHERS for node in typed.nodes):
            return False
    return True


def with_loops_together(function: TypedFunction, loops: dict[int, Counted]) -> TypedFunction:
    """Return the function with its blocks in the reverse postorder in which counted loops follow their heads."""
    if not loops:
        return function
    blocks = function.blocks
    first = next(iter(blocks))
    seen = {first}
    done: list[int] = []
    stack = [(first, _ways_on(blocks[first], loops))]
    while stack:
        start, targets = stack[-1]
        if targets:
            target = targets.pop()
            if target not in seen:
                seen.add(target)
                stack.append((target, _ways_on(blocks[target], loops)))
        else:
            done.append(start)
            stack.pop()
    return TypedFunction(function.layout, {start: blocks[start] for start in reversed(done)}, function.result)


def _ways_on(typed: TypedBlock, loops: dict[int, Counted]) -> list[int]:
    """Return the blocks that may come next, the one that is to follow first."""
    loop = loops.get(typed.block.start)
    edges = (typed.next, typed.taken) if loop is None else (loop.stays, loop.goes)
    return [edge.target for edge in edges if edge is not None and edge.target != END]


# Writing


class Stretch(NamedTuple):
    """Where a loop is left between two stretches: the number of the line that has the site, and its way."""

    line: int
    way: int


class Ranges:
    """What is known of the ranges of one unit while it is written, by the heads of the loops that they count.

    ``stretches`` are those of loops that are counted in some, ``labels`` say where a range is made out of line.
    """

    def __init__(self) -> None:
        self.stretches: dict[int, Stretch] = {}
        self.labels: dict[int, Label] = {}
