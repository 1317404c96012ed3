"""The results of the passes as text."""

from __future__ import annotations

import pytest

from stoffel import Program, VirtualMachine
from stoffel.compiler.printing import printed_passes
from stoffel.compiler.refusal import Refusal
from stoffel.isa.function import Function
from tests.machines import loaded

LOOP = """
function f(n)
    LDI r1, 0
    LDI r2, 1
again:
    CMP r1, r0
    JMPEQ done
    ADD r1, r1, r2
    JMP again
done:
    RET r1
end
"""


def passes(text: str, *arguments: object) -> dict[str, str]:
    machine = loaded(VirtualMachine(jit="always"), text)
    tier = machine.state.tier
    return printed_passes(machine.state.functions["f"], arguments, tier.units.environment)  # type: ignore[arg-type, union-attr]


def test_every_pass_is_shown_in_order() -> None:
    assert list(passes(LOOP, 5)) == ["blocks", "inference", "liveness", "emission", "sites"]


def test_liveness_names_the_places_needed_at_the_start_of_each_block() -> None:
    lines = passes(LOOP, 5)["liveness"].splitlines()
    assert lines[0] == "block 0: r0"
    assert "block 6: r1" in lines


def test_sites_name_the_ways_of_leaving_and_where_the_interpreter_goes_on() -> None:
    lines = passes(LOOP, 5)["sites"].splitlines()
    assert lines[0].endswith("entry -> 0, depth -> 0, bounds -> 0")
    # The loop polls where it loads its step, if that is a constant, and else at the jump backwards.
    assert [line.split()[-3:] for line in lines if "ADD" in line] == [["loop", "->", "4"]]
    lines = passes(LOOP.replace("LDI r1, 0", "SUB r1, r0, r0").replace("LDI r2, 1", "MOV r2, r0"), 5.0)[
        "sites"
    ].splitlines()
    assert [line.split()[-3:] for line in lines if "JMP again" in line] == [["taken", "->", "2"]]


def test_the_kinds_of_the_arguments_decide_what_is_written() -> None:
    assert "int64" in passes(LOOP, 5)["inference"]
    assert "compare_float" in passes(LOOP, 5.0)["inference"]
    assert "compare_float" not in passes(LOOP, 5)["inference"]


def test_a_function_that_is_not_translated_is_refused() -> None:
    machine = VirtualMachine(jit="always")
    machine.load(Program([Function("f", [])]))
    tier = machine.state.tier
    with pytest.raises(Refusal, match="the function has no instructions"):
        printed_passes(machine.state.functions["f"], [], tier.units.environment)  # type: ignore[arg-type, union-attr]
