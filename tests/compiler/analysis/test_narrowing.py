"""Narrowing: what it keeps where ways meet."""

from __future__ import annotations

import pytest

import stoffel
from stoffel.compiler.analysis.facts import I64, Fact, of_constant
from tests.compiler.generators import Case
from tests.compiler.oracle import COMPILED, compare
from tests.compiler.units import typed


def test_a_remainder_that_a_loop_brings_back_is_known_to_be_small_at_its_head() -> None:
    found = typed(
        """
        LDI r1, 0
        LDI r2, 0
    head:
        MUL r2, r2, r3
        ADD r2, r2, r4
        MOD r2, r2, r5
        ADD r1, r1, r4
        CMP r1, r0
        JMPLT head
        RET r2
        """,
        [Fact(I64, 0, 1 << 31), *[of_constant(None)] * 2, of_constant(31), of_constant(1), of_constant(1009)],
    )
    bounds = {start: (block.entry.facts[2].low, block.entry.facts[2].high) for start, block in found.blocks.items()}
    assert bounds == {0: (0, 0), 2: (0, 1008), 8: (0, 1008)}


@pytest.mark.parametrize(("first", "second"), [("r1, r2", "r3, r1"), ("r3, r1", "r1, r2")])
@pytest.mark.parametrize("argument", [3, 4])
def test_a_comparison_made_on_one_way_teaches_nothing_where_another_meets_it(
    first: str, second: str, argument: int
) -> None:
    text = f"""
function main(a)
LDI r1, 5
LDI r2, 5
LDI r3, 3
LDI r4, 0
LDI r6, 1
again:
CMP r0, r3
JMPEQ other
CMP {first}
JMP join
other:
CMP {second}
join:
JMPLT less
ADD r4, r4, r6
less:
ADD r4, r4, r1
ADD r0, r0, r6
CMP r0, r1
JMPLT again
RET r4
end
"""
    difference = compare(Case(stoffel.assemble(text), (argument,), {}), COMPILED)
    assert difference is None, difference.report()
