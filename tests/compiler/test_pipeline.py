"""The pipeline: the passes in their order, for calls and for entries in the middle."""

from __future__ import annotations

from typing import Any

import pytest

from stoffel import VirtualMachine
from stoffel.compiler.pipeline import REGISTER_LIMIT
from tests.compiler.units import units
from tests.machines import SUM, SUM_BY_CALL, loaded


def test_a_unit_is_for_one_entry_and_says_what_it_inlines() -> None:
    found = units(SUM_BY_CALL, "main", [10])
    assert {name: unit.entry for name, unit in found.items()} == {"main": 0, "sum": 0}
    assert found["main"].inlined == []


def test_an_entry_in_the_middle_takes_over_a_running_record() -> None:
    machine = loaded(VirtualMachine(jit="always", cache="off"), SUM)
    machine.state.tier.every = 50
    assert machine.execute("sum", 2000) == sum(range(2000))
    assert machine.jit_statistics()["functions"]["sum"]["loop_entries"] >= 1


@pytest.mark.parametrize(("registers", "refused"), [(REGISTER_LIMIT, False), (REGISTER_LIMIT + 1, True)])
def test_a_function_with_too_many_registers_is_left_to_the_interpreter(registers: int, refused: Any) -> None:
    text = f"function main(n)\n    .registers {registers}\n    ADD r0, r0, r0\n    RET r0\nend\n"
    machine = loaded(VirtualMachine(jit="always", cache="off"), text)
    assert machine.execute("main", 4) == 8
    sentence = machine.jit_statistics()["functions"]["main"]["refusal"]
    assert (sentence is not None and f"{registers} registers" in sentence) is refused
