"""Kinds, ranges, guesses and decided branches, on small functions that call nothing."""

from __future__ import annotations

import pytest

from stoffel import I8, U8
from stoffel.compiler.analysis.environment import Feedback
from stoffel.compiler.analysis.facts import (
    ANY,
    BIT,
    BOOL,
    FLOAT,
    I64,
    STRING,
    UNKNOWN,
    Fact,
    of_constant,
    of_kinds,
    of_range,
    with_hint,
)
from stoffel.compiler.analysis.ir import Node, TypedFunction
from stoffel.compiler.refusal import Refusal
from tests.compiler.units import forms, typed

INT, REAL, TEXT, TRUTH = map(of_kinds, (I64, FLOAT, STRING, BOOL))


def nodes(function: TypedFunction) -> list[Node]:
    """Return all nodes, in order."""
    return [node for block in function.blocks.values() for node in block.nodes]


def node(function: TypedFunction, index: int) -> Node:
    """Return the node of instruction *index*, the last if threading made copies."""
    return [node for node in nodes(function) if node.index == index][-1]


def test_constants_are_folded_with_the_operations_of_the_machine() -> None:
    function = typed("LDI r0, 6\nLDI r1, 7\nMUL r2, r0, r1\nRET r2")
    assert forms(function) == ["constant", "constant", "constant", "return"]
    assert repr(function.result) == "42"


def test_operation_that_fails_on_constants_is_left_to_run() -> None:
    function = typed("LDI r0, 9223372036854775807\nLDI r1, 1\nADD r2, r0, r1\nRET r2")
    assert forms(function) == ["constant", "constant", "generic", "return"]


COUNTED = """
    LDI r1, 0
    LDI r2, 1
    LDI r3, 1000
again:
    CMP r1, r3
    JMPGT end
    JMPEQ end
    ADD r1, r1, r2
    ADD r0, r0, r2
    JMP again
end:
    RET r0
"""


def test_counter_bounded_by_a_comparison_needs_no_overflow_check() -> None:
    function = typed(COUNTED, [INT])
    assert node(function, 6).detail == (False, False)
    assert node(function, 6).result.low == 1
    assert node(function, 7).detail == (False, True)


@pytest.mark.parametrize(
    ("jump", "step", "bounds", "checks"),
    [
        ("JMPLT", "ADD", (0, 2**63 - 1), (False, False)),
        ("JMPGT", "ADD", (0, 2**63 - 1), (False, True)),
        ("JMPEQ", "SUB", (-(2**63), 0), (True, False)),
    ],
)
def test_checks_of_a_counter_follow_from_how_its_loop_ends(
    jump: str, step: str, bounds: tuple[int, int], checks: tuple[bool, bool]
) -> None:
    body = f"LDI r1, 0\nLDI r2, 1\nagain:\n{step} r1, r1, r2\nCMP r1, r0\n{jump} again\nRET r1"
    found = node(typed(body, [INT]), 2)
    assert found.detail == checks
    assert bounds[0] <= found.result.low <= found.result.high <= bounds[1]


@pytest.mark.parametrize(
    ("operation", "facts", "form", "result"),
    [
        ("ADD", [INT, INT], "integer", I64),
        ("ADD", [of_kinds(BIT[U8])] * 2, "integer", BIT[U8]),
        ("ADD", [REAL, REAL], "float", FLOAT),
        ("ADD", [INT, REAL], "float", FLOAT),
        ("ADD", [TEXT, TEXT], "string", STRING),
        ("ADD", [of_kinds(BIT[U8]), REAL], "generic", ANY),
        ("ADD", [of_kinds(I64 | FLOAT), of_kinds(BOOL)], "generic", ANY),
        ("MUL", [TEXT, TEXT], "generic", ANY),
        ("SUB", [TRUTH, TRUTH], "generic", ANY),
        ("DIV", [INT, INT], "division", I64),
        ("DIV", [REAL, REAL], "float", FLOAT),
        ("AND", [TRUTH, TRUTH], "boolean", BOOL),
        ("AND", [INT, INT], "integer", I64),
        ("SHL", [TRUTH, TRUTH], "generic", ANY),
        ("SHL", [INT, INT], "generic", I64),
        ("SHL", [INT, of_range(I64, 0, 63)], "wrapping_shift", I64),
        ("SHL", [INT, of_range(I64, 0, 64)], "generic", I64),
        ("SHR", [INT, of_range(I64, 0, 63)], "integer", I64),
        ("SHR", [INT, of_range(I64, -1, 63)], "generic", I64),
    ],
)
def test_form_follows_from_the_kinds(operation: str, facts: list[Fact], form: str, result: int) -> None:
    function = typed(f"{operation} r2, r0, r1\nRET r2", facts)
    assert node(function, 0).form == form
    assert node(function, 0).result.mask == result


@pytest.mark.parametrize(
    ("operation", "divisor", "leaves"), [("DIV", 0.0, True), ("DIV", 2.0, False), ("MOD", 2.0, True)]
)
def test_float_division_may_leave_unless_the_divisor_is_known(operation: str, divisor: float, leaves: bool) -> None:
    assert node(typed(f"{operation} r2, r0, r1\nRET r2", [REAL, of_constant(divisor)]), 0).leaves is leaves


def test_result_of_mixed_arithmetic_may_be_either_kind() -> None:
    either = of_kinds(I64 | FLOAT)
    function = typed("ADD r2, r0, r1\nRET r2", [either, of_kinds(I64 | FLOAT)])
    assert node(function, 0).guards == ((0, I64), (1, I64))
    function = typed("MUL r2, r0, r1\nRET r2", [of_kinds(I64 | FLOAT | BOOL), of_kinds(BOOL | FLOAT | I64 | STRING)])
    assert node(function, 0).guards
    learned = Feedback()
    learned.miss(0, [I64 | FLOAT, I64 | FLOAT])
    function = typed("ADD r2, r0, r1\nRET r2", [either, either], learned=learned)
    assert (node(function, 0).form, node(function, 0).guards) == ("generic", ())
    assert function.result.mask == I64 | FLOAT


def test_complement_of_an_interval() -> None:
    function = typed("NOT r1, r0\nRET r1", [of_range(I64, 3, 9)])
    assert (function.result.low, function.result.high) == (-10, -4)
    function = typed("NOT r1, r0\nRET r1", [of_range(BIT[U8], 3, 9)])
    assert (function.result.low, function.result.high) == (0, 255)


def test_guess_follows_the_hint_and_is_learned_by_both_names() -> None:
    function = typed("ADD r2, r0, r1\nADD r3, r0, r1\nRET r3", [with_hint(UNKNOWN, 0.5), REAL])
    assert [found.guards for found in nodes(function)[:2]] == [((0, FLOAT),), ()]
    assert function.result.mask == FLOAT


def test_hopeless_guess_is_not_made() -> None:
    assert node(typed("SUB r2, r0, r1\nRET r2", [with_hint(UNKNOWN, "a"), TEXT]), 0).guards == ()


@pytest.mark.parametrize(
    ("first", "jump", "blocks"),
    [(of_range(I64, 0, 4), "JMPLT", 2), (of_range(I64, 0, 5), "JMPLT", 3), (of_range(I64, 5, 9), "JMPLT", 2)],
)
def test_branch_that_ranges_decide_has_one_way(first: Fact, jump: str, blocks: int) -> None:
    function = typed(f"CMP r0, r1\n{jump} a\nLDI r2, 1\nRET r2\na:\nLDI r2, 2\nRET r2", [first, of_constant(5)])
    assert len(function.blocks) == blocks


def test_ranges_are_those_of_the_way_taken() -> None:
    body = "CMP r0, r1\nJMPLT a\nRET r0\na:\nMOV r2, r0\nRET r2"
    function = typed(body, [of_range(I64, 0, 9), of_range(I64, 4, 6)])
    entries = [block.entry.facts[0] for block in function.blocks.values()]
    assert sorted((fact.low, fact.high) for fact in entries) == [(0, 5), (0, 9), (4, 9)]


def test_comparison_teaches_nothing_about_values_that_changed_since() -> None:
    body = "CMP r0, r1\nMOV r0, r2\nJMPLT a\nRET r1\na:\nRET r0"
    function = typed(body, [of_range(I64, 0, 9), of_range(I64, 4, 6), of_range(I64, 3, 60)])
    assert (function.result.low, function.result.high) == (3, 60)


@pytest.mark.parametrize(("constant", "unequal"), [(True, False), (False, True)])
def test_bool_that_differs_from_a_constant_is_the_other(constant: bool, unequal: bool) -> None:
    function = typed("CMP r0, r1\nJMPEQ a\nRET r0\na:\nRET r2", [TRUTH, of_constant(constant), TEXT])
    found = next(block for block in function.blocks.values() if block.nodes[-1].sources == (0,) and not block.taken)
    assert found.entry.facts[0].constant is unequal


def test_values_that_meet_are_joined() -> None:
    body = "CMP r0, r1\nJMPLT a\nLDI r2, 1.5\nJMP b\na:\nLDI r2, 7\nb:\nRET r2"
    assert typed(body, [INT, INT]).result.mask == I64 | FLOAT


def test_every_return_counts() -> None:
    function = typed("CMP r0, r1\nJMPLT a\nLDI r2, 1\nRET r2\na:\nLDI r3, 2.5\nRET r3", [INT, INT])
    assert function.result.mask == I64 | FLOAT


def test_flags_that_meet_are_joined() -> None:
    body = """
        CMP r0, r1
        JMPLT a
        LDI r3, 1
        LDI r4, 2
        CMP r3, r4
        LDI r5, 1
        MOV r6, r0
        MOV r6, r1
        MOV r6, r0
        MOV r6, r1
        MOV r6, r0
        MOV r6, r1
        JMP b
    a:
        CMP r1, r1
    b:
        MOV r6, r0
        JMPEQ c
        LDI r2, 1
        RET r2
    c:
        LDI r2, 2.5
        RET r2"""
    assert typed(body, [TEXT, TEXT]).result.mask == I64 | FLOAT


def test_stacks_of_different_height_that_meet_are_refused() -> None:
    with pytest.raises(Refusal) as caught:
        typed("CMP r0, r1\nJMPLT a\nPUSHARG r0\na:\nRET r0", [INT, INT])
    refusal = caught.value
    assert (refusal.sentence, refusal.function, refusal.index) == ("argument stack has no static shape", "f", 3)


def test_constant_nan_is_compared_by_the_operation() -> None:
    nan = of_constant(float("nan"))
    assert node(typed("CMP r0, r1\nJMPLT a\nRET r0\na:\nRET r1", [REAL, nan]), 0).form == "compare_generic"
    assert node(typed("CMP r0, r1\nJMPLT a\nRET r0\na:\nRET r1", [REAL, of_constant(0.5)]), 0).form == "compare_float"


def test_growing_ranges_come_to_rest_within_the_kind() -> None:
    function = typed(
        "LDI r2, 1\nagain:\nADD r0, r0, r1\nCMP r0, r3\nJMPLT again\nRET r0",
        [of_constant(I8(0)), of_constant(I8(1)), TEXT, of_kinds(BIT[I8])],
    )
    assert node(function, 1).result.mask == BIT[I8]
    assert node(function, 1).result.high == 127
