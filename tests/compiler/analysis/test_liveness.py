"""Liveness: what may be read, or seen by the interpreter, before it is defined again."""

from __future__ import annotations

from stoffel.compiler.analysis.facts import BIT, FLOAT, I64, UNKNOWN, of_kinds, of_range
from stoffel.compiler.analysis.ir import Node
from stoffel.compiler.analysis.liveness import FLAG, analyse, before, bit
from tests.compiler.units import typed

SMALL = of_range(I64, 0, 9)
EVERYTHING = ~0
"""The set of all places: what the interpreter may see."""


def test_places_have_bits_of_their_own() -> None:
    assert len({FLAG, *map(bit, range(50))}) == 51


def test_node_needs_its_sources_and_not_its_target() -> None:
    node = Node(0, "integer", 2, (0, 1), operation="ADD")
    assert before(node, bit(2) | bit(5)) == bit(0) | bit(1) | bit(5)


def test_node_that_redefines_its_source_still_needs_it() -> None:
    assert before(Node(0, "integer", 0, (0, 1), operation="ADD"), bit(0)) == bit(0) | bit(1)


def test_comparison_defines_the_flag() -> None:
    assert before(Node(0, "compare", -1, (0, 1), operation="CMP"), FLAG) == bit(0) | bit(1)
    assert before(Node(0, "flag", detail=0), FLAG | bit(3)) == bit(3)


def test_everything_is_needed_where_the_interpreter_may_take_over() -> None:
    assert before(Node(0, "integer", 2, (0,), operation="ADD", leaves=True), 0) == EVERYTHING
    assert before(Node(0, "foreign", 0, (), leaves=True), 0) == EVERYTHING


def test_straight_code_needs_what_it_reads_before_writing() -> None:
    function = typed("ADD r2, r0, r1\nMOV r0, r2\nRET r0", [SMALL, SMALL])
    assert analyse(function)[0] == {0: bit(0) | bit(1)}


def test_value_that_is_overwritten_is_dead() -> None:
    function = typed("ADD r2, r0, r1\nMOV r2, r0\nRET r2", [SMALL, SMALL])
    needed = analyse(function)[1][0]
    assert needed[0] == bit(0)
    assert needed[1] == bit(2)


def test_end_of_the_function_needs_register_0() -> None:
    function = typed("MOV r0, r1", [SMALL, SMALL])
    assert analyse(function)[0] == {0: bit(1)}


def test_branch_needs_the_flag() -> None:
    function = typed("CMP r0, r1\nJMPLT a\nRET r0\na:\nRET r1", [of_kinds(I64), of_kinds(I64)])
    assert analyse(function)[0][0] == bit(0) | bit(1)
    assert analyse(function)[1][0][0] == FLAG | bit(0) | bit(1)


def test_branch_without_comparison_needs_the_flag_from_the_entry() -> None:
    function = typed("CMP r0, r1\nMOV r2, r0\nJMP b\nb:\nJMPLT a\nRET r2\na:\nRET r1", [of_kinds(I64), of_kinds(I64)])
    last = max(start for start, block in function.blocks.items() if block.taken is not None)
    assert analyse(function)[0][last] & FLAG or last == 0


def test_back_edge_needs_everything() -> None:
    function = typed("a:\nADD r0, r0, r1\nCMP r0, r2\nJMPLT a\nRET r0", [SMALL, SMALL, of_kinds(I64)])
    needed = analyse(function)[1][0]
    assert needed[-1] == EVERYTHING
    # The loop defines register 0 only: all the rest is needed at its head, too.
    assert analyse(function)[0][0] & bit(7)


def test_guard_needs_everything_before_it_and_only_what_follows_after_it() -> None:
    function = typed("ADD r2, r0, r1\nRET r2", [UNKNOWN, of_kinds(FLOAT)])
    assert function.blocks[0].nodes[0].guards == ((0, FLOAT),)
    assert analyse(function)[0][0] == EVERYTHING
    assert analyse(function)[1][0][0] == bit(2)


def test_both_ways_of_a_branch_count() -> None:
    body = "CMP r0, r1\nJMPLT a\nMOV r4, r2\nRET r4\na:\nMOV r4, r3\nRET r4"
    function = typed(body, [of_kinds(I64), of_kinds(I64), SMALL, of_kinds(BIT[bool])])
    assert analyse(function)[0][0] == bit(0) | bit(1) | bit(2) | bit(3)
