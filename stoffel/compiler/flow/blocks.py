"""Basic blocks of a VM function from one entry, with jumps through materialised Bools threaded.

The StoffelLang compiler turns every condition into a Bool and compares that again:

    CMP a, b; JMPLT t; LDI d, false; JMP e;  t: LDI d, true;  e: LDI f, false; CMP d, f; JMPEQ else

A block that ends in such a known comparison is copied to the end of each block that decides it, and the jump follows
the known outcome (jump threading; Mueller and Whalley, "Avoiding conditional branches by code replication", 1995).
Copies keep the index of the VM instruction they come from, so every position stays exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from stoffel.compiler.flow.decoding import CONSTANT, OPERATION, OTHER, SHAPES
from stoffel.compiler.flow.loops import predecessors_of
from stoffel.errors import VMError
from stoffel.isa.instruction import Instruction
from stoffel.isa.table import Flow
from stoffel.model.operations import OPERATIONS

if TYPE_CHECKING:
    from stoffel.compiler.flow.spliced import Splice

THREADED_LENGTH: Final = 8
"""Most instructions of a block that is copied to thread a jump through it."""
THREADED_TIMES: Final = 16
"""Most copies appended to one block; ends the unrolling of constant loops."""

END: Final = -1
"""Block identity of the function's end: RET of register 0."""


class Edge:
    """Where control goes: a block, and whether the VM jump there is a back-edge (and so a safepoint)."""

    __slots__ = ("back", "target")

    def __init__(self, target: int, back: bool) -> None:
        self.target = target
        self.back = back

    def __repr__(self) -> str:
        return f"{'^' if self.back else ''}{self.target}"


class Block:
    """Instructions that run one after the other, by index, and how control leaves.

    ``branch`` is the set of flag values on which the ``taken`` edge is followed, None if there is no choice; ``next``
    is the other edge, None after RET. ``branch_at`` is the index of the (last) branch instruction. ``start`` is the
    index of the first instruction, which also names the block.
    """

    __slots__ = ("body", "branch", "branch_at", "next", "start", "taken")

    def __init__(self, start: int) -> None:
        self.start = start
        self.body: list[int] = []
        self.branch: frozenset[int] | None = None
        self.branch_at = start
        self.taken: Edge | None = None
        self.next: Edge | None = None

    def edges(self) -> list[Edge]:
        """Return the edges out of the block, the branch's first."""
        return [edge for edge in (self.taken, self.next) if edge is not None]

    def move(self, distance: int) -> None:
        """Add *distance* to all indices, those of the blocks that it leads to among them."""
        self.start += distance
        self.body = [index + distance for index in self.body]
        self.branch_at += distance
        for edge in self.edges():
            edge.target += distance


Ends = Callable[[int], bool]
"""Says of an instruction whether nothing after it is of interest."""


class Graph:
    """The blocks reachable from ``entry``, by the index of their first instruction, in order of that index."""

    __slots__ = ("_order", "blocks", "entry", "instructions", "predecessors", "visiting_order")

    def __init__(self, instructions: Sequence[Instruction], entry: int, blocks: dict[int, Block]) -> None:
        self.instructions = instructions
        self.entry = entry
        self.blocks = blocks
        self._order: list[Block] = []
        self.visiting_order: list[int] = []
        """What ``stoffel.compiler.flow.ordering`` has found, once it has been asked."""
        self.predecessors = predecessors_of(
            {start: [edge.target for edge in block.edges()] for start, block in blocks.items()}
        )

    def order(self) -> list[Block]:
        """Return the blocks in reverse postorder from the entry."""
        if not self._order:
            self._order = self._reverse_postorder()
        return self._order

    def _reverse_postorder(self) -> list[Block]:
        seen: set[int] = set()
        done: list[Block] = []
        stack: list[tuple[Block, list[int]]] = []

        def visit(start: int) -> None:
            seen.add(start)
            block = self.blocks[start]
            # The fall-through is visited first, so that it comes last in postorder and stays next to its block.
            stack.append((block, [edge.target for edge in block.edges() if edge.target != END]))

        visit(self.entry)
        while stack:
            block, targets = stack[-1]
            while targets:
                target = targets.pop(0)
                if target not in seen:
                    visit(target)
                    break
            else:
                done.append(block)
                stack.pop()
        done.reverse()
        return done

    def format(self) -> str:
        """Return the blocks as text, for people."""
        lines = []
        for block in self.order():
            lines.append(f"block {block.start}:")
            lines.extend(f"    {index:4} {self.instructions[index]}" for index in block.body)
            if block.branch is not None:
                lines.append(f"    if flag in {sorted(block.branch)} goto {block.taken} else {block.next}")
            else:
                lines.append(f"    goto {block.next}" if block.next is not None else "    return")
        return "\n".join(lines)


def build(
    instructions: Sequence[Instruction], labels: Mapping[str, int], entry: int, ends: Ends | None = None
) -> Graph:
    """Return the graph of what is reachable from instruction *entry*, threaded and merged; *ends* as in split."""
    return simplified(instructions, split(instructions, labels, entry, ends), entry)


def simplified(
    instructions: Sequence[Instruction], blocks: dict[int, Block], entry: int, splice: Splice | None = None
) -> Graph:
    """Return the graph of *blocks*, which may be those of several functions, threaded and merged."""
    for block in blocks.values():
        _merge_branches(block, blocks)
    for block in blocks.values():
        _thread(instructions, block, blocks, splice)
    return Graph(instructions, entry, _reachable(blocks, entry))


def split(
    instructions: Sequence[Instruction], labels: Mapping[str, int], entry: int, ends: Ends | None = None
) -> dict[int, Block]:
    """Return the basic blocks reachable from instruction *entry*, by the index of their first instruction.

    A jump of which *ends* says so is no jump but the last instruction of its block, from which nothing is reached.
    """
    targets = {labels[instruction.operands[0]] for instruction in instructions if instruction.op.flow is Flow.JUMP}
    size = len(instructions)
    blocks: dict[int, Block] = {}
    pending = [entry]

    def edge(source: int, target: int, jump: bool) -> Edge:
        if target >= size:
            return Edge(END, False)
        pending.append(target)
        return Edge(target, jump and target <= source)

    while pending:
        start = pending.pop()
        if start in blocks or start >= size:
            continue
        block = blocks[start] = Block(start)
        index = start
        while True:
            row = instructions[index].op
            if row.flow is Flow.JUMP and ends is not None and ends(index):
                block.body.append(index)
                break
            if row.flow is Flow.JUMP:
                target = labels[instructions[index].operands[0]]
                block.branch_at = index
                if row.is_branch:
                    block.branch = row.taken_on
                    block.taken = edge(index, target, True)
                    block.next = edge(index, index + 1, False)
                else:
                    block.next = edge(index, target, True)
                break
            block.body.append(index)
            if row.flow is Flow.RETURN:
                break
            index += 1
            if index >= size or index in targets:
                block.branch_at = index - 1
                block.next = edge(index - 1, index, False)
                break
    return dict(sorted(blocks.items()))


def _merge_branches(block: Block, blocks: dict[int, Block]) -> None:
    """Make one branch of two on the same flag that go to the same place (``JMPGT end; JMPEQ end``)."""
    while block.branch is not None and block.taken is not None and block.next is not None:
        follower = blocks.get(block.next.target)
        if (
            follower is None
            or follower.body
            or follower.branch is None
            or follower.taken is None
            or follower.taken.target != block.taken.target
            or follower.taken.back != block.taken.back
        ):
            return
        block.branch = block.branch | follower.branch
        block.branch_at = follower.branch_at
        block.next = follower.next


def _thread(instructions: Sequence[Instruction], block: Block, blocks: dict[int, Block], splice: Splice | None) -> None:
    for _ in range(THREADED_TIMES):
        if block.branch is not None or block.next is None or block.next.back or block.next.target == END:
            return
        follower = blocks[block.next.target]
        if follower is block or len(follower.body) > THREADED_LENGTH:
            return
        if follower.branch is None:
            if follower.body or follower.next is None:
                return
            block.next = follower.next
            continue
        outcome = _outcome(instructions, block, follower, splice)
        if outcome is None:
            return
        block.body = block.body + follower.body
        block.branch_at = follower.branch_at
        block.next = follower.taken if outcome in follower.branch else follower.next


def _outcome(instructions: Sequence[Instruction], block: Block, follower: Block, splice: Splice | None) -> int | None:
    """Return the flag at the end of *follower* when it is run after *block*, if constants in the two decide it."""
    known: dict[int, Any] = {}
    flag: int | None = None
    for index in block.body[-THREADED_LENGTH:] + follower.body:
        instruction = instructions[index]
        row = instruction.op
        operands = instruction.operands
        if row.flow is not Flow.NEXT:
            # A call changes r0 (and, through write-back, any closure); a constant elsewhere stays what it was.
            if splice is None:
                known.pop(0, None)
            else:
                flag = splice.follow(index, known)
            continue
        sort, target, sources, detail, _, slot, operation = SHAPES[row.code]
        if target >= 0:
            value: Any = _UNKNOWN
            if sort == CONSTANT:
                if operands[detail] is None or type(operands[detail]) in (bool, int, str):
                    value = operands[detail]
            elif sources and slot < 0:
                value = _result(operation, [known.get(operands[source], _UNKNOWN) for source in sources])
            if value is _UNKNOWN:
                known.pop(operands[target], None)
            else:
                known[operands[target]] = value
        elif sort == OTHER:
            known.clear()
            flag = None
        elif sort == OPERATION:
            value = _result(operation, [known.get(operands[source], _UNKNOWN) for source in sources])
            flag = None if value is _UNKNOWN else value
    return flag


_UNKNOWN: Final = object()


def _result(operation: str, values: list[Any]) -> Any:
    """Return what an operation, or a move if it has no name, makes of constants, of which some may be unknown."""
    if _UNKNOWN in values:
        return _UNKNOWN
    if not operation:
        return values[0]
    try:
        return OPERATIONS[operation](*values)
    except VMError:
        return _UNKNOWN


def _reachable(blocks: dict[int, Block], entry: int) -> dict[int, Block]:
    seen: set[int] = set()
    pending = [entry]
    while pending:
        start = pending.pop()
        if start == END or start in seen or start not in blocks:
            continue
        seen.add(start)
        pending.extend(edge.target for edge in blocks[start].edges())
    return {start: block for start, block in blocks.items() if start in seen}
