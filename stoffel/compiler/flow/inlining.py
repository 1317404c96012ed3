"""Inlining: the instructions of small functions in the place of their calls, before anything is analysed.

A splice numbers the instructions of a function and, behind them, those of what is inlined, one chunk for each call;
the registers of a chunk are renumbered behind those of the function around it. So blocks, inference, liveness and
emission see one function, and constants, ranges and known jumps cross the call. What each chunk stands for is kept
here: an instruction of it belongs to the activation record of the inlined function, and around that are the records
of its callers, each suspended in its CALL.

Calls at the same depth follow one another, so their chunks share registers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stoffel.compiler.analysis.environment import LARGE
from stoffel.compiler.flow.blocks import END, Block, Edge, Ends, Graph, build, simplified, split
from stoffel.isa.instruction import Instruction
from stoffel.isa.table import Flow, OperandKind
from stoffel.model.code import LARGE_FRAME, Code
from stoffel.model.foreign import ForeignFunction
from stoffel.model.values import Shape

if TYPE_CHECKING:
    from stoffel.compiler.analysis.environment import Environment
    from stoffel.compiler.analysis.ir import Layout

MOST: Final = 40
"""Instructions of a function that is inlined."""
GROWTH: Final = 160
"""Instructions that may be inlined into one function, besides as many as it has."""
DEEPEST: Final = 3
"""Inlined calls within each other."""


class Inlined:
    """One call that is inlined: where its instructions and places are.

    ``call`` is the index of the CALL, ``base`` that of the first instruction of ``code``; ``outer`` is the inlined
    call that the CALL belongs to, None for the function itself, and ``depth`` the number of such calls with this one.
    Its registers begin at place ``first``; the arguments as they were bound at ``bound``; ``flag`` holds the compare
    flag of the caller, ``closure`` the closure that runs (-1 for a plain call). ``end`` is the place after all those.
    ``shape`` is the one that the closure is expected to have.
    """

    __slots__ = ("base", "bound", "call", "closure", "code", "depth", "end", "first", "flag", "outer", "shape")

    def __init__(
        self, code: Code, base: int, call: int, first: int, outer: Inlined | None, shape: Shape | None = None
    ) -> None:
        self.code = code
        self.base = base
        self.call = call
        self.outer = outer
        self.depth: int = 1 if outer is None else outer.depth + 1
        self.shape = shape
        self.first = first
        self.bound = first + code.register_count
        self.flag = self.bound + len(code.parameters)
        self.closure = -1 if shape is None else self.flag + 1
        self.end = self.flag + (1 if shape is None else 2)

    @property
    def result(self) -> int:
        """The place that the result goes to: register 0 of the caller."""
        return 0 if self.outer is None else self.outer.first

    @property
    def captured(self) -> tuple[str, ...] | None:
        """Upvalue names of the closure that runs, None for a plain call."""
        return None if self.shape is None else self.shape[1]


class Splice:
    """A function with what is inlined into it.

    ``own`` are the instructions of the function; ``instructions`` are those, a RET of register 0 that stands for its
    end, and the chunks, each with such an end. ``registers`` is the number of registers with those of the chunks.
    ``by_call`` finds an inlined call by the index of its CALL.
    """

    __slots__ = ("_bases", "by_call", "chunks", "code", "inlined", "instructions", "layout", "own", "registers")

    def __init__(self, code: Code, instructions: list[Instruction]) -> None:
        self.code = code
        self.own = instructions
        self.instructions = instructions
        self.registers = code.register_count
        self.inlined: list[Inlined] = []
        self.by_call: dict[int, Inlined] = {}
        self.chunks: list[list[Instruction]] = []
        self.layout: Layout | None = None
        """The numbering of places, once it is known."""
        self._bases: list[int] = []

    def at(self, index: int) -> Inlined | None:
        """Return the inlined call that instruction *index* belongs to, None for the function itself."""
        position = bisect_right(self._bases, index)
        return self.inlined[position - 1] if position else None

    def position(self, index: int) -> tuple[Code, int]:
        """Return the function that instruction *index* belongs to, and its index there."""
        inlined = self.at(index)
        return (self.code, index) if inlined is None else (inlined.code, index - inlined.base)

    def positions(self, index: int) -> list[tuple[Code, int]]:
        """Return the same for the CALLs around *index* too, outermost first."""
        result = []
        inlined = self.at(index)
        while inlined is not None:
            result.append((inlined.code, index - inlined.base))
            index, inlined = inlined.call, inlined.outer
        result.append((self.code, index))
        result.reverse()
        return result

    def text(self, index: int) -> str:
        """Return instruction *index* as a line of a listing; those of inlined calls are indented and named."""
        inlined = self.at(index)
        if inlined is None:
            return f"{index:6}  {self.instructions[index]}"
        own, instructions = index - inlined.base, inlined.code.function.instructions
        # The end of a function is no instruction of it.
        text = str(instructions[own]) if own < len(instructions) else "RET r0"
        return f"{own:6}  {'  ' * inlined.depth}{text}  ; {inlined.code.name}"

    def follow(self, index: int, known: dict[int, Any]) -> int | None:
        """Take from *known*, the registers that hold constants, what a CALL or RET changes; return the flag after it.

        Returns None for a flag that is not known.
        """
        called = self.by_call.get(index)
        if called is not None:
            for place in range(called.first, called.end):
                known.pop(place, None)
            return 0
        inlined = self.at(index)
        instruction = self.instructions[index]
        if instruction.op.flow is Flow.CALL:
            known.pop(0 if inlined is None else inlined.first, None)
            return None
        assert inlined is not None
        (source,) = instruction.operands
        if source in known:
            known[inlined.result] = known[source]
        else:
            known.pop(inlined.result, None)
        return None

    def add(self, inlined: Inlined, instructions: list[Instruction]) -> None:
        """Append the chunk of an inlined call."""
        assert inlined.base == len(self.instructions)
        chunk = [renumbered(instruction, inlined.first) for instruction in instructions]
        chunk.append(Instruction("RET", inlined.first))
        self.instructions.extend(chunk)
        self.inlined.append(inlined)
        self.chunks.append(chunk)
        self._bases.append(inlined.base)
        self.by_call[inlined.call] = inlined
        self.registers = max(self.registers, inlined.end)


def renumbered(instruction: Instruction, first: int) -> Instruction:
    """Return *instruction* with its registers counted from *first*."""
    row = instruction.op
    operands = tuple(
        value + first if operand.kind in (OperandKind.SOURCE, OperandKind.TARGET) else value
        for operand, value in zip(row.operands, instruction.operands, strict=True)
    )
    return Instruction._from_trusted(row, operands)


class Callee(NamedTuple):
    """What a CALL is known to run: a function, and the shape of the closure if it is called as one."""

    code: Code
    shape: Shape | None = None


def splice(
    code: Code, instructions: list[Instruction], environment: Environment, without: Collection[Code] = ()
) -> Splice:
    """Return *code* with the calls inlined that are worth it, none of them of a function in *without*.

    Inlined are settled calls of functions of at most :data:`MOST` instructions without loops and spill slots, outer
    calls before those within them.
    """
    result = Splice(code, instructions)
    size = len(instructions)
    if size >= LARGE:
        return result
    room = GROWTH + size
    pending: list[tuple[int, list[Instruction], Inlined | None]] = [(0, instructions, None)]
    while pending:
        base, own, outer = pending.pop(0)
        for index, instruction in enumerate(own):
            if instruction.op.flow is not Flow.CALL:
                continue
            callee = _callee(code if outer is None else outer.code, index, instruction, environment)
            if callee is None or callee.code in without or not suits(callee.code, environment, _around(code, outer)):
                continue
            body = environment.instructions_of(callee.code)
            if len(body) > room:
                continue
            room -= len(body)
            if not result.inlined:
                result.instructions = [*instructions, Instruction("RET", 0)]
            first = code.register_count if outer is None else outer.end
            inlined = Inlined(callee.code, len(result.instructions), base + index, first, outer, callee.shape)
            result.add(inlined, body)
            pending.append((inlined.base, body, inlined))
    return result


def _around(code: Code, outer: Inlined | None) -> list[Code]:
    """Return the functions that a call is in: the inlined ones and the one they are inlined into."""
    result = []
    while outer is not None:
        result.append(outer.code)
        outer = outer.outer
    return [*result, code]


def _callee(caller: Code, index: int, instruction: Instruction, environment: Environment) -> Callee | None:
    name = instruction.operands[0]
    callee = environment.resolve(name)
    if type(callee) is Code:
        return None if callee.upvalue_names else Callee(callee)
    if name == "call_closure" and isinstance(callee, ForeignFunction) and callee.standard:
        return environment.closure_at(caller, index)
    return None


def suits(code: Code, environment: Environment, around: list[Code]) -> bool:
    """Return whether calls of a function can be inlined, given the functions that the call is in."""
    if code in around or len(around) > DEEPEST or code.register_count > LARGE_FRAME:
        return False
    if not 0 < len(code.function.instructions) <= MOST:
        return False
    labels = code.function.labels
    for index, instruction in enumerate(environment.instructions_of(code)):
        row = instruction.op
        if row.position(OperandKind.SLOT) is not None:
            return False
        if row.flow is Flow.JUMP and labels[instruction.operands[0]] <= index:
            return False
    return True


# Blocks


def graph(splice: Splice, entry: int, unseen: Callable[[Code, int], bool] | None = None) -> Graph:
    """Return the blocks of a spliced function that are reachable from *entry*, threaded and merged.

    What *unseen* says to have never run ends its block.
    """
    labels = splice.code.function.labels
    if not splice.inlined:
        return build(splice.instructions, labels, entry, _ends(splice.code, unseen))
    blocks = split(splice.own, labels, entry, _ends(splice.code, unseen))
    _insert(splice, blocks, unseen)
    result = simplified(splice.instructions, blocks, entry, splice)
    _join(result.blocks, entry)
    return Graph(splice.instructions, entry, result.blocks)


def _ends(code: Code, unseen: Callable[[Code, int], bool] | None) -> Ends | None:
    return None if unseen is None else partial(unseen, code)


def _insert(result: Splice, blocks: dict[int, Block], unseen: Callable[[Code, int], bool] | None) -> None:
    """Put the blocks of what is inlined between those of the function."""
    for inlined, chunk in zip(result.inlined, result.chunks, strict=True):
        for block in split(chunk, inlined.code.function.labels, 0, _ends(inlined.code, unseen)).values():
            block.move(inlined.base)
            blocks[block.start] = block
    pending = list(blocks.values())
    while pending:
        block = pending.pop()
        for position, index in enumerate(block.body):
            call = result.by_call.get(index)
            if call is not None:
                following = _rest(block, position, blocks)
                if following is not None:
                    pending.append(following)
                    back = Edge(following.start, False)
                else:
                    assert block.next is not None
                    back = block.next
                _return_to(call, result, blocks, back)
                block.body = block.body[: position + 1]
                block.branch, block.branch_at, block.taken = None, index, None
                block.next = Edge(call.base, False)
                break


def _rest(block: Block, position: int, blocks: dict[int, Block]) -> Block | None:
    """Return a new block of what comes after the CALL at *position*, None if the block's way on leads there."""
    start = block.body[position] + 1
    if position + 1 == len(block.body) and block.branch is None and block.next is not None and not block.next.back:
        return None
    rest = blocks[start] = Block(start)
    rest.body = block.body[position + 1 :]
    rest.branch, rest.branch_at, rest.taken, rest.next = block.branch, block.branch_at, block.taken, block.next
    return rest


def _return_to(call: Inlined, result: Splice, blocks: dict[int, Block], way: Edge) -> None:
    # Its instructions, and the one that stands for its end.
    for start in range(call.base, call.base + len(call.code.function.instructions) + 1):
        block = blocks.get(start)
        if block is not None and block.body and result.instructions[block.body[-1]].op.flow is Flow.RETURN:
            block.next = Edge(way.target, way.back)


def _join(blocks: dict[int, Block], entry: int) -> None:
    """Make one block of two of which the first leads to the second only and nothing else does."""
    ways: dict[int, int] = {}
    for block in blocks.values():
        for edge in block.edges():
            ways[edge.target] = ways.get(edge.target, 0) + 1
    for start in list(blocks):
        if start not in blocks:
            continue
        block = blocks[start]
        while block.branch is None and block.next is not None and not block.next.back:
            target = block.next.target
            if target in (END, entry, block.start) or ways[target] != 1:
                break
            follower = blocks.pop(target)
            block.body = block.body + follower.body
            block.branch, block.branch_at, block.taken = follower.branch, follower.branch_at, follower.taken
            block.next = follower.next
