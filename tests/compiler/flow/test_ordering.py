"""The order in which blocks are analysed."""

from __future__ import annotations

from stoffel.compiler.flow.blocks import END, Graph
from stoffel.compiler.flow.ordering import DEEPEST, weak_topological_order
from tests.compiler.units import graph


def ranks(found: Graph) -> dict[int, int]:
    order = weak_topological_order(found)
    assert sorted(order) == sorted(found.blocks)
    return {start: rank for rank, start in enumerate(order)}


def retreating(found: Graph) -> set[tuple[int, int]]:
    rank = ranks(found)
    return {
        (start, edge.target)
        for start, block in found.blocks.items()
        for edge in block.edges()
        if edge.target != END and rank[edge.target] <= rank[start]
    }


def test_without_loops_every_edge_goes_forwards() -> None:
    found = graph("CMP r0, r1\nJMPLT a\nADD r2, r0, r1\nJMP b\na:\nSUB r2, r0, r1\nb:\nRET r2", parameters="x, y")
    assert retreating(found) == set()
    assert weak_topological_order(found) == [block.start for block in found.order()]


def test_a_loop_comes_before_what_follows_it_however_its_test_is_written() -> None:
    body = "a:\nCMP r0, r1\n{jump} {taken}\nJMP {other}\nin:\nADD r0, r0, r0\nJMP a\nout:\nSUB r2, r0, r1\nRET r2"
    for taken, other in (("in", "out"), ("out", "in")):
        found = graph(body.format(jump="JMPLT", taken=taken, other=other), parameters="x, y")
        rank = ranks(found)
        inside = next(start for start in found.blocks if 3 in found.blocks[start].body)
        after = next(start for start in found.blocks if 5 in found.blocks[start].body)
        assert rank[0] < rank[inside] < rank[after]
        assert retreating(found) == {(inside, 0)}


NESTED = """
    LDI r2, 0
outer:
    LDI r3, 0
inner:
    ADD r3, r3, r1
    CMP r3, r0
    JMPLT inner
    ADD r2, r2, r1
    CMP r2, r0
    JMPLT outer
    RET r2
"""


def test_an_inner_loop_is_a_whole_within_the_outer_one() -> None:
    found = graph(NESTED, parameters="n, one")
    rank = ranks(found)
    assert [rank[start] for start in (0, 1, 2, 5, 8)] == [0, 1, 2, 3, 4]
    assert retreating(found) == {(2, 2), (5, 1)}


def test_loops_nested_beyond_all_reason_are_ordered_too() -> None:
    depth = 3 * DEEPEST
    opening = "".join(f"l{level}:\nADD r{level + 2}, r0, r1\n" for level in range(depth))
    closing = "".join(f"CMP r{level + 2}, r0\nJMPLT l{level}\n" for level in reversed(range(depth)))
    found = graph(f"{opening}{closing}RET r0", parameters="n, one")
    assert len(retreating(found)) >= depth


def test_a_loop_with_two_entries_has_an_order() -> None:
    body = "CMP r0, r1\nJMPLT b\na:\nADD r0, r0, r1\nb:\nSUB r0, r0, r1\nCMP r0, r1\nJMPLT a\nRET r0"
    assert len(retreating(graph(body, parameters="x, y"))) == 1
