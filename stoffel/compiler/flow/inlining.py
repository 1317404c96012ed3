"""Inlining: the instructions of small functions in the place of their calls, before anything is analysed.

A splice numbers the instructions of a function and, behind them, those of what is inlined, one chunk for each call;
the registers of a chunk are renumbered behind those of the function around it. So blocks, inference, liveness and
emission see one function, and constants, ranges and known jumps cross the call. What each chunk stands for is kept
here: an instruction of it belongs to the activation record of the inlined function, and around that are the records
of its callers, each suspended in its CALL.

Calls at the same depth follow one another, so their chunks share registers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Final

from stoffel.compiler.analysis.environment import LARGE
from stoffel.compiler.flow.blocks import END, Block, Edge, Ends, Graph, build, simplified, split
from stoffel.compiler.flow.spliced import Callee, Inlined, Splice
from stoffel.isa.instruction import Instruction
from stoffel.isa.table import Flow, OperandKind
from stoffel.model.code import LARGE_FRAME, Code
from stoffel.model.foreign import ForeignFunction

if TYPE_CHECKING:
    from stoffel.compiler.analysis.environment import Environment

MOST: Final = 40
"""Instructions of a function that is inlined."""
GROWTH: Final = 160
"""Instructions that may be inlined into one function, besides as many as it has."""
DEEPEST: Final = 3
"""Inlined calls within each other."""


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
