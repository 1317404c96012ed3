"""Basic blocks: what is reachable, where control goes, and that threading jumps keeps the meaning."""

from __future__ import annotations

import random

import pytest

import stoffel
from stoffel.compiler.flow.blocks import END, Graph
from stoffel.isa.table import OperandKind
from stoffel.model.operations import OPERATIONS
from tests.compiler.units import graph
from tests.machines import loaded

MATERIALISED = """
    CMP r0, r1
    JMPLT yes
    LDI r2, false
    JMP test
yes:
    LDI r2, true
test:
    LDI r3, false
    CMP r2, r3
    JMPEQ else
    LDI r0, 10
    RET r0
else:
    LDI r0, 20
    RET r0
"""


def walk(blocks: Graph, registers: list[object], limit: int = 400) -> tuple[object, list[tuple[int, int]]]:
    """Run blocks of moves, constants, operations and jumps; return the result and the back-edges that were taken."""
    instructions = blocks.instructions
    flag = 0
    backs = []
    block = blocks.blocks[blocks.entry]
    for _ in range(limit):
        for index in block.body:
            instruction = instructions[index]
            row, operands = instruction.op, instruction.operands
            if row.name == "RET":
                return registers[operands[0]], backs
            if row.name == "CMP":
                flag = OPERATIONS["CMP"](*(registers[operand] for operand in operands))
            elif row.operation:
                registers[operands[0]] = OPERATIONS[row.operation](*(registers[operand] for operand in operands[1:]))
            elif row.position(OperandKind.CONSTANT) is not None:
                registers[operands[0]] = operands[1]
            else:
                registers[operands[0]] = registers[operands[1]]
        edge = block.taken if block.branch is not None and flag in block.branch else block.next
        assert edge is not None
        if edge.back:
            backs.append((block.start, edge.target))
        if edge.target == END:
            return registers[0], backs
        block = blocks.blocks[edge.target]
    raise AssertionError("the blocks do not end")


def test_straight_code_is_one_block() -> None:
    made = graph("LDI r0, 1\nLDI r1, 2\nADD r0, r0, r1\nRET r0")
    assert {start: block.body for start, block in made.blocks.items()} == {0: [0, 1, 2, 3]}
    assert made.blocks[0].edges() == []


def test_what_no_jump_reaches_is_left_out() -> None:
    made = graph("JMP end\nLDI r0, 1\nLDI r0, 2\nend:\nLDI r0, 3\nRET r0")
    assert sorted(index for block in made.blocks.values() for index in block.body) == [3, 4]


def test_end_of_the_function_is_an_edge_to_the_end() -> None:
    made = graph("LDI r0, 1")
    assert made.blocks[0].next is not None
    assert made.blocks[0].next.target == END


def test_entry_in_the_middle_sees_what_is_reachable_from_there() -> None:
    body = "LDI r0, 0\nagain:\nLDI r1, 1\nADD r0, r0, r1\nCMP r0, r1\nJMPLT again\nRET r0"
    assert list(graph(body, entry=1).blocks) == [1, 5]


@pytest.mark.parametrize("size", [0, 1, 3, 20])
def test_jump_back_is_a_back_edge_however_short_the_loop(size: int) -> None:
    filling = "LDI r2, 3\n" * size
    made = graph(f"LDI r0, 1\nagain:\n{filling}CMP r0, r1\nJMPLT again\nRET r0")
    backs = [edge.target for block in made.blocks.values() for edge in block.edges() if edge.back]
    assert backs == [1]


def test_jump_to_itself_is_a_back_edge() -> None:
    made = graph("again:\nJMP again")
    assert [(edge.target, edge.back) for edge in made.blocks[0].edges()] == [(0, True)]


def test_two_branches_to_one_place_become_one() -> None:
    made = graph("CMP r0, r1\nJMPGT end\nJMPEQ end\nLDI r0, 1\nend:\nRET r0")
    assert made.blocks[0].branch == {0, 1}
    assert len(made.blocks) == 3


def test_materialised_condition_is_branched_on_directly() -> None:
    made = graph(MATERIALISED)
    branches = [block.start for block in made.blocks.values() if block.branch is not None]
    assert branches == [0]
    assert [walk(made, [one, 5, None, None])[0] for one in (3, 5, 9)] == [10, 20, 20]


def test_constants_that_an_instruction_overwrites_decide_nothing() -> None:
    body = MATERIALISED.replace("yes:\n    LDI r2, true", "yes:\n    LDI r2, true\n    MOV r2, r4")
    assert body != MATERIALISED
    made = graph(body)
    assert [walk(made, [1, 2, None, None, value])[0] for value in (False, True)] == [20, 10]


def test_result_of_a_call_decides_nothing() -> None:
    body = (
        "LDI r0, true\nJMP test\ntest:\nCALL g\nLDI r3, true\nCMP r0, r3\nJMPEQ else\nRET r3\nelse:\nLDI r0, 1\nRET r0"
    )
    made = graph(body)
    assert sum(block.branch is not None for block in made.blocks.values()) == 1


def test_threading_does_not_lose_back_edges() -> None:
    body = """
        LDI r1, 0
        LDI r2, 1
        LDI r3, 3
    head:
        CMP r1, r3
        JMPLT more
        LDI r4, false
        JMP test
    more:
        LDI r4, true
    test:
        LDI r5, false
        CMP r4, r5
        JMPEQ out
        ADD r1, r1, r2
        JMP head
    out:
        RET r1"""
    result, backs = walk(graph(body), [None] * 6)
    assert result == 3
    assert [target for _, target in backs] == [3, 3, 3]


def random_body(seed: int) -> str:
    """Return a body of constants, moves and materialised conditions with jumps forwards, and one counted loop."""
    rng = random.Random(seed)
    lines = ["LDI r6, 0", "LDI r7, 1", "head:"]
    size = rng.randrange(6, 22)
    for number in range(size):
        lines.append(f"l{number}:")
        jump = rng.choice(("JMP", "JMPLT", "JMPGT", "JMPEQ", "JMPNEQ"))
        lines.append(
            rng.choice(
                (
                    f"LDI r{rng.randrange(4)}, {rng.choice(('true', 'false'))}",
                    f"LDI r{rng.randrange(4)}, {rng.choice(('true', 'false'))}",
                    f"MOV r{rng.randrange(4)}, r{rng.randrange(4)}",
                    f"CMP r{rng.randrange(4)}, r{rng.randrange(4)}",
                    f"CMP r{rng.randrange(4)}, r{rng.randrange(4)}",
                    f"AND r{rng.randrange(4)}, r{rng.randrange(4)}, r{rng.randrange(4)}",
                    f"{jump} l{rng.randrange(number + 1, size + 1)}",
                    f"{jump} l{rng.randrange(number + 1, size + 1)}",
                )
            )
        )
    lines += [f"l{size}:", "ADD r6, r6, r7", "LDI r5, 4", "CMP r6, r5", "JMPLT head", "RET r1"]
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(150))
def test_threaded_blocks_mean_what_the_interpreter_does(seed: int) -> None:
    body = random_body(seed)
    machine = loaded(stoffel.VirtualMachine(jit="off"), f"function f(a, b, c, d)\n{body}\nend")
    made = graph(body, parameters="a, b, c, d")
    for bits in range(16):
        arguments = [bool(bits >> place & 1) for place in range(4)]
        result, backs = walk(made, [*arguments, None, None, None, None])
        assert result is machine.execute_with_args("f", arguments)
        assert len(backs) == 3
