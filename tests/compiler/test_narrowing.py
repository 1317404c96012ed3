"""Narrowing: what it keeps where ways meet."""

from __future__ import annotations

import pytest

import stoffel
from tests.compiler.generators import Case
from tests.compiler.oracle import COMPILED, compare


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
