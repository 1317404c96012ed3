"""The fixpoint: it ends in what is true at every entry, and looks at blocks only if what they read has changed."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from stoffel import VirtualMachine
from stoffel.compiler.analysis.facts import I64, Fact, equal, join, of_constant, of_kinds
from stoffel.compiler.analysis.inference import Inference
from stoffel.compiler.analysis.ir import FlowState, TypedBlock, TypedFunction
from stoffel.compiler.flow.blocks import Block
from stoffel.compiler.flow.decoding import decode
from tests.compiler.generators import make_case
from tests.compiler.oracle import ALWAYS, run
from tests.compiler.units import function, layout, typed
from tests.machines import loaded

executed: Counter[int] = Counter()


@pytest.fixture(autouse=True)
def count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count how often each block is executed."""
    executed.clear()
    execute = Inference._execute

    def counting(self: Inference, block: Block, entry: FlowState) -> TypedBlock:
        executed[block.start] += 1
        return execute(self, block, entry)

    monkeypatch.setattr(Inference, "_execute", counting)


def entry(found: TypedFunction, start: int, place: int) -> Fact:
    return found.blocks[start].entry.facts[place]


def test_straight_code_is_executed_once() -> None:
    typed("ADD r2, r0, r1\nCMP r0, r1\nJMPLT a\nADD r2, r2, r0\na:\nRET r2", [of_kinds(I64), of_kinds(I64)])
    assert set(executed.values()) == {1}


LOOPS = """
    LDI r1, 0
    LDI r2, 1
    LDI r6, 0
first:
    ADD r1, r1, r2
    CMP r1, r0
    JMPLT first
    LDI r3, 0
second:
    ADD r3, r3, r2
    CMP r3, r0
    JMPLT second
    ADD r6, r6, r2
    CMP r6, r0
    JMPLT first
    RET r1
"""


def test_a_change_passes_through_blocks_that_do_not_read_it() -> None:
    typed(LOOPS.replace("JMPLT first\n    RET", "RET"), [of_kinds(I64)])
    without_outer_loop = executed[7]
    executed.clear()
    found = typed(LOOPS, [of_kinds(I64)])
    # The outer counter, r6, grows while the inner loops are at rest; neither of them reads it.
    assert executed[7] == without_outer_loop
    assert entry(found, 7, 6).high == entry(found, 3, 6).high > 1
    assert entry(found, 7, 6).low == 0


def test_what_passes_through_arrives_behind() -> None:
    body = """
        LDI r1, 0
        LDI r2, 1
    again:
        CMP r0, r2
        JMPLT skip
        ADD r3, r0, r2
    skip:
        MOV r4, r0
        ADD r1, r1, r2
        CMP r1, r0
        JMPLT again
        RET r1
    """
    found = typed(body, [of_kinds(I64)])
    assert entry(found, 4, 1).high == entry(found, 5, 1).high > 1
    assert (found.result.low, found.result.high) == (1, (1 << 63) - 1)


def test_a_place_that_a_block_defines_anew_does_not_pass() -> None:
    body = """
        LDI r1, 0
        LDI r2, 1
    again:
        MOV r4, r2
        CMP r0, r2
        JMPLT middle
        NOP
    middle:
        LDI r1, 5
        CMP r0, r2
        JMPLT out
        ADD r1, r1, r2
        LDI r0, 3
        JMP again
    out:
        RET r1
    """
    assert typed(body, [of_kinds(I64)]).result.constant == 5


def test_a_register_returned_at_the_end_of_the_function_is_followed() -> None:
    """Running off the end returns register 0, which the last block does not read otherwise."""
    body = "LDI r1, 1\nLDI r2, 9\nLDI r0, 0\nagain:\nADD r0, r0, r1\nCMP r0, r2\nJMPLT again\nNOP"
    found = typed(body, [of_kinds(I64)])
    assert found.result.mask == I64
    assert found.result.high > 1


def test_a_place_on_the_argument_stack_is_followed() -> None:
    """The counter is pushed in one block and read from the stack in the next."""
    machine = loaded(
        VirtualMachine(jit="always"),
        """
        function sum(n)
            MOV r5, r0
            LDI r1, 0
            LDI r2, 1
            LDI r4, 0
        again:
            PUSHARG r1
            CMP r1, r2
            JMPLT a
            NOP
        a:
            LD r3, sp+0
            CALL to_string
            ADD r4, r4, r3
            ADD r1, r1, r2
            CMP r1, r5
            JMPLT again
            RET r4
        end
        """,
    )
    assert machine.execute("sum", 5) == 10
    assert machine.jit_statistics()["functions"]["sum"]["refusal"] is None


def faults(inference: Inference, found: TypedFunction) -> list[str]:
    """Return where executing each block once more tells something that is not known already."""
    wrong = []
    for start, block in found.blocks.items():
        again = inference._execute(block.block, block.entry)
        if list(map(repr, again.nodes)) != list(map(repr, block.nodes)):
            wrong.append(f"nodes of block {start}")
        if (again.taken, again.next) != (block.taken, block.next):
            wrong.append(f"edges of block {start}")
        for edge, state in ((again.taken, again.taken_state), (again.next, again.next_state)):
            if edge is None or state is None or edge.target not in found.blocks:
                continue
            known = found.blocks[edge.target].entry
            if known.flag | state.flag != known.flag:
                wrong.append(f"flag at {edge.target}")
            for place, (old, new) in enumerate(zip(known.facts, state.facts, strict=True)):
                if not equal(join(old, new), old):
                    wrong.append(f"place {place} at {edge.target} from {start}: {old}, not {new}")
    return wrong


@pytest.mark.parametrize("seed", range(24))
def test_nothing_more_is_found_by_executing_blocks_again(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    infer = Inference.run
    wrong: list[str] = []
    blocks = 0

    def checking(self: Inference) -> TypedFunction:
        nonlocal blocks
        found = infer(self)
        wrong.extend(faults(self, found))
        blocks += len(found.blocks)
        return found

    monkeypatch.setattr(Inference, "run", checking)
    for number in range(5):
        run(make_case(random.Random(5 * seed + number)), ALWAYS)
    assert wrong == []
    assert blocks


def test_steps_say_what_blocks_use_and_define() -> None:
    made = function("LDI r1, 1\nADD r2, r0, r1\nSTS slot7, r2\nLDS r3, slot7\nMOV r0, r3\nRET r0", parameters="x")
    places = layout(4, [7])
    steps = [decode(instruction, places) for instruction in made.instructions]
    assert [(step.target, step.sources) for step in steps] == [
        (1, ()), (2, (0, 1)), (4, (2,)), (3, (4,)), (0, (3,)), (-1, (0,)),
    ]  # fmt: skip
    assert equal(steps[0].detail, of_constant(1))
