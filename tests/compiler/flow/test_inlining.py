"""Splices: what is inlined, how its instructions are numbered and its registers renumbered, and where they belong."""

from __future__ import annotations

from typing import Any

import pytest

from stoffel import VirtualMachine
from stoffel.compiler.flow import inlining
from stoffel.compiler.flow.blocks import END
from stoffel.compiler.flow.spliced import Splice
from stoffel.compiler.pipeline import spliced_layout
from stoffel.model.code import Code
from tests.machines import loaded

INNER = """
function inner(a, b)
    CMP     r0, r1
    JMPLT   less
    SUB     r2, r0, r1
    RET     r2
less:
    ADD     r0, r0, r1
end
"""
MIDDLE = """
function middle(a)
    PUSHARG r0
    PUSHARG r0
    CALL    inner
    RET     r0
end
"""
MAIN = """
function main(n)
    MOV     r3, r0
    PUSHARG r3
    CALL    middle
    PUSHARG r0
    PUSHARG r3
    CALL    inner
    RET     r0
end
"""


def machine(text: str) -> VirtualMachine:
    return loaded(VirtualMachine(jit="always"), text)


def code(machine: VirtualMachine, name: str) -> Code:
    found = machine.state.functions[name]
    assert type(found) is Code
    return found


def spliced(text: str, name: str = "main") -> Splice:
    host = machine(text)
    return host.state.tier.units.environment.splice(code(host, name))  # type: ignore[union-attr]


def names(splice: Splice) -> list[tuple[str, int]]:
    return [(inlined.code.name, inlined.call) for inlined in splice.inlined]


def test_a_function_that_calls_nothing_is_itself() -> None:
    splice = spliced(INNER, "inner")
    assert splice.inlined == []
    assert splice.instructions is splice.own
    assert splice.registers == splice.code.register_count


def test_chunks_stand_behind_the_function_and_its_end() -> None:
    splice = spliced(INNER + MIDDLE + MAIN)
    # main has 7 instructions, middle 4 and inner 5; each is followed by a RET that stands for its end.
    assert names(splice) == [("middle", 2), ("inner", 5), ("inner", 10)]
    assert [inlined.base for inlined in splice.inlined] == [8, 13, 19]
    assert [splice.instructions[index].name for index in (7, 12, 18, 24)] == ["RET"] * 4
    assert len(splice.instructions) == 25


def test_registers_are_counted_behind_those_of_the_caller_and_shared_by_calls_at_one_depth() -> None:
    splice = spliced(INNER + MIDDLE + MAIN)
    middle, after, within = splice.inlined
    assert (middle.first, middle.bound, middle.flag, middle.end) == (4, 5, 6, 7)
    assert (after.first, after.end) == (4, 10)
    assert (within.first, within.bound, within.flag, within.end) == (7, 10, 12, 13)
    assert splice.registers == 13
    assert str(splice.instructions[within.base + 2]) == "SUB r9, r7, r8"
    assert str(splice.instructions[within.base]) == "CMP r7, r8"
    assert (middle.result, after.result, within.result) == (0, 0, 4)


def test_every_index_belongs_to_its_function_within_its_calls() -> None:
    splice = spliced(INNER + MIDDLE + MAIN)
    assert splice.at(7) is None
    positions = [(found.name, own) for found, own in splice.positions(21)]
    assert positions == [("main", 2), ("middle", 2), ("inner", 2)]
    assert [splice.position(index)[1] for index in (0, 7, 8, 12, 13, 18, 19, 24)] == [0, 7, 0, 4, 0, 5, 0, 5]


def test_an_inlined_instruction_shows_its_own_text_its_function_and_its_depth() -> None:
    splice = spliced(INNER + MIDDLE + MAIN)
    assert splice.text(2) == "     2  CALL middle"
    assert splice.text(8) == "     0    PUSHARG r0  ; middle"
    assert splice.text(21) == "     2      SUB r2, r0, r1  ; inner"
    assert splice.text(24) == "     5      RET r0  ; inner"


def test_blocks_lead_into_the_function_and_back_behind_the_call() -> None:
    splice = spliced(INNER + MAIN.replace("middle", "nobody"))
    graph = inlining.graph(splice, 0)
    (inlined,) = splice.inlined
    assert graph.blocks[0].body == [0, 1, 2, 3, 4, 5, inlined.base]
    returns = [block.next for block in graph.blocks.values() if splice.instructions[block.body[-1]].name == "RET"]
    assert [edge.target for edge in returns if edge is not None] == [6, 6]
    assert {index for block in graph.blocks.values() for index in block.body} == {*range(7), *range(8, 14)} - {9}


def test_constants_that_are_known_cross_the_seams_of_a_call() -> None:
    splice = spliced(INNER + MIDDLE + MAIN)
    inner = splice.inlined[1]
    known: dict[int, Any] = {0: 1, 3: 2, inner.first: 3, inner.first + 2: 4}
    # The registers of the function are new ones, and its flag says equal.
    assert splice.follow(inner.call, known) == 0
    assert known == {0: 1, 3: 2}
    known[inner.first + 2] = 9
    assert splice.follow(inner.base + 3, known) is None
    assert known == {0: 9, 3: 2, inner.first + 2: 9}
    # The end of the function returns register 0, which is not known.
    assert splice.follow(inner.base + 5, known) is None
    assert known == {3: 2, inner.first + 2: 9}


def test_a_condition_that_the_function_returns_decides_the_jump_of_its_caller() -> None:
    text = """
function yes(a)
    CMP     r0, r1
    JMPEQ   no
    LDI     r0, true
    RET     r0
no:
    LDI     r0, false
    RET     r0
end
function main(a)
    PUSHARG r0
    CALL    yes
    LDI     r1, false
    CMP     r0, r1
    JMPEQ   end
    LDI     r2, 5
    RET     r2
end:
    RET     r0
end
"""
    splice = spliced(text)
    graph = inlining.graph(splice, 0)
    branches = [block.branch_at for block in graph.blocks.values() if block.branch is not None]
    assert branches == [splice.inlined[0].base + 1]


def test_a_call_that_ends_the_function_leads_to_its_end() -> None:
    splice = spliced(INNER + "function main(a)\nPUSHARG r0\nPUSHARG r0\nCALL inner\nend\n")
    graph = inlining.graph(splice, 0)
    targets = {edge.target for block in graph.blocks.values() for edge in block.edges()}
    assert END in targets


def test_the_interpreter_sees_the_registers_of_the_calls_in_progress_only() -> None:
    host = machine(INNER + MIDDLE + MAIN)
    units = host.state.tier.units.environment  # type: ignore[union-attr]
    layout = spliced_layout(code(host, "main"), units, full=True)
    hidden = [layout.hidden(index) >> 1 for index in (2, 8, 13, 19)]
    assert [f"{mask:013b}" for mask in hidden] == [
        "1111111110000",  # main: registers 0 to 3
        "1111110000000",  # middle: places 4 to 6 as well
        "1110000000000",  # inner after it: places 4 to 9
        "0000000000000",  # inner within it
    ]


@pytest.mark.parametrize(
    "body",
    [
        "again:\nCMP r0, r1\nJMPLT again\nRET r0",
        "STS slot0, r0\nLDS r1, slot0\nRET r1",
        "NOP\n" * 40 + "RET r0",
        "PUSHARG r0\nPUSHARG r0\nCALL f\nRET r0",
    ],
    ids=["a loop", "spill slots", "too many instructions", "a call of itself"],
)
def test_not_inlined_is_a_function_with(body: str) -> None:
    text = f"function f(a, b)\n{body}\nend\nfunction main(a)\nPUSHARG r0\nPUSHARG r0\nCALL f\nRET r0\nend\n"
    splice = spliced(text)
    assert [name for name, call in names(splice) if call < len(splice.own)] == (["f"] if "CALL" in body else [])
    assert [name for name, call in names(splice) if call > len(splice.own)] == []


def test_the_growth_of_a_function_is_bounded() -> None:
    small = "function f(a)\n" + "NOP\n" * 30 + "RET r0\nend\n"
    splice = spliced(small + "function main(a)\n" + "PUSHARG r0\nCALL f\n" * 50 + "RET r0\nend\n")
    assert len(splice.inlined) == (inlining.GROWTH + len(splice.own)) // 31


def test_calls_within_each_other_are_inlined_to_a_depth() -> None:
    chain = "".join(f"function f{n}(a)\nPUSHARG r0\nCALL f{n + 1}\nRET r0\nend\n" for n in range(8))
    splice = spliced(chain + "function f8(a)\nRET r0\nend\n", "f0")
    assert [inlined.depth for inlined in splice.inlined] == [*range(1, inlining.DEEPEST + 1)]


def test_nothing_is_inlined_where_calls_are_counted() -> None:
    host = machine(INNER + MIDDLE + MAIN)
    host.count_calls()
    host.execute("main", 5)
    functions = host.jit_statistics()["functions"]
    assert {name: functions[name]["calls"] for name in functions} == {"main": 1, "middle": 1, "inner": 2}


def test_statistics_name_what_is_inlined() -> None:
    host = machine(INNER + MIDDLE + MAIN)
    host.execute("main", 5)
    assert host.jit_statistics()["functions"]["main"]["inlined"] == ["inner", "middle"]
