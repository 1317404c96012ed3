"""Ends of innermost loops, copied for each way to them: which are, and that every copy is left exactly."""

from __future__ import annotations

import pytest

from stoffel.compiler.flow.blocks import Graph, build
from stoffel.compiler.kernels.analysis.tail_duplication import COPIED_LENGTH, with_copied_tails
from stoffel.isa.assembler import assemble
from tests.machines import failure, loaded
from tests.ways import ALL_WAYS, Way

JOINED = """
function main(n)
    LDI r1, 0
    LDI r2, 1
    LDI r3, 2
loop:
    CMP r0, r1
    JMPEQ out
    MOD r4, r0, r3
    CMP r4, r1
    JMPEQ even
    LDI r5, true
    JMP join
even:
    LDI r5, 1.5
join:
    {tail}
    SUB r0, r0, r2
    JMP loop
out:
    RET r0
end
"""
"""Counts n down; r5 is another value of another type on each way to the end of the loop."""


def graph_of(text: str) -> Graph:
    (function,) = assemble(text).functions
    return build(function.instructions, function.labels, 0)


def tails(graph: Graph) -> list[list[int]]:
    """Return the blocks that end in a back-edge without a choice, by their instructions."""
    return sorted(
        block.body
        for block in graph.blocks.values()
        if block.branch is None and block.next is not None and block.next.back
    )


def test_each_branch_of_an_innermost_loop_gets_the_end_of_the_loop() -> None:
    graph = graph_of(JOINED.format(tail="NOP"))
    assert tails(graph) == [[11, 12]]
    copied = with_copied_tails(graph)
    assert tails(copied) == [[11, 12], [11, 12]]
    assert len(copied.blocks) == len(graph.blocks) + 1
    assert all(len(copied.predecessors[start]) == 1 for start, block in copied.blocks.items() if block.body == [11, 12])
    assert tails(graph) == [[11, 12]]


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param("NOP\n" * COPIED_LENGTH, id="too long"),
        pytest.param("CALL f", id="a call"),
        pytest.param("inner:\nCMP r0, r0\nJMPLT inner", id="an outer loop"),
    ],
)
def test_other_ends_stay_as_they_are(tail: str) -> None:
    graph = graph_of(JOINED.format(tail=tail))
    assert tails(with_copied_tails(graph)) == tails(graph) != []


@pytest.mark.parametrize("way", ALL_WAYS, ids=lambda way: way.name)
@pytest.mark.parametrize(("step", "last"), [(1, True), (2, 1.5)])
def test_every_copy_has_the_values_of_its_branch(way: Way, step: int, last: object) -> None:
    program = JOINED.format(tail="NOP").replace("LDI r2, 1", f"LDI r2, {step}").replace("RET r0", "RET r5")
    assert loaded(way.machine(), program).execute("main", 1000) == last


@pytest.mark.parametrize("way", ALL_WAYS, ids=lambda way: way.name)
@pytest.mark.parametrize("largest", [10, 11])
def test_a_check_that_fails_in_a_copy_fails_where_it_is_written(way: Way, largest: int) -> None:
    program = JOINED.format(tail="ADD r6, r0, r7").replace("main(n)", "main(n, a, b, c, d, e, f, offset)")
    machine = loaded(way.machine(), program)
    error = failure(machine.execute, "main", 100, 0, 0, 0, 0, 0, 0, (1 << 63) - largest)
    assert (str(error), error.function, error.instruction) == ("Integer overflow in ADD operation", "main", 11)
    assert machine.execute("main", largest - 1, 0, 0, 0, 0, 0, 0, (1 << 63) - largest) == 0
