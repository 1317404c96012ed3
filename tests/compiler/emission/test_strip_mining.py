"""Stretches: counted loops that nothing lets poll in passing, and where they are left."""

from __future__ import annotations

from typing import Any

import pytest

from stoffel import VirtualMachine
from stoffel.compiler.emission.deopt_points import Unit
from stoffel.compiler.emission.global_names import STRETCH
from stoffel.isa.scalars import I64_MAX
from stoffel.jit import unit_globals as units_of_a_machine
from tests.machines import loaded, seen_from_outside

LOOP = """
function main(first, n)
    MOV r3, r0
    MOV r2, r1
    LDI r9, {step}
    LDI r5, 0
again:
    CMP r3, r2
{leave}
{body}
    ADD r3, r3, r9
    JMP again
out:
    RET r5
end

function half(x)
    ADD r0, r0, r0
    RET r0
end
"""
BELOW = "    JMPEQ out\n    JMPGT out"
WITHIN = "    JMPGT out"
NOTHING = ""
COPY = "    MOV r5, r3"
FORGETFUL = "    MOV r6, r5\n    MOV r5, r3\n    MOV r7, r6"
"""Moving r5 to where the next round expects it would lose r6 and r7, which it does not need."""


def program(body: str, *, step: int = 1, leave: str = BELOW) -> str:
    return LOOP.format(body=body, step=step, leave=leave)


def compiled(text: str, *arguments: int) -> Unit:
    """Return the unit that runs the loop, after a run."""
    machine = loaded(VirtualMachine(jit="always"), text)
    machine.execute("main", *arguments)
    return next(unit for unit in machine.state.tier.units.by_code.values() if unit.function.name == "main")


def is_stretched(text: str) -> bool:
    return STRETCH in compiled(text, 0, 3).code.co_names


@pytest.mark.parametrize("leave", [BELOW, WITHIN])
@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("body", [NOTHING, COPY])
def test_a_loop_that_loads_no_constant_is_counted_in_stretches(body: str, step: int, leave: str) -> None:
    assert is_stretched(program(body, step=step, leave=leave))


def test_a_loop_of_which_something_would_be_lost_polls_in_each_round() -> None:
    assert not is_stretched(program(FORGETFUL))


def test_a_loop_that_polls_in_passing_is_counted_in_one() -> None:
    assert not is_stretched(program("    LDI r4, 7\n    MUL r5, r3, r4"))


@pytest.mark.parametrize(
    "body",
    [
        "    PUSHARG r3\n    CALL print\n    MOV r0, r5",
        # An inner loop, which is counted in stretches itself: rounds of the outer one may take long.
        "    MOV r6, r0\ninner:\n    CMP r6, r2\n    JMPEQ on\n    JMPGT on\n    ADD r6, r6, r9\n    JMP inner\non:",
    ],
)
def test_a_loop_whose_rounds_may_take_long_polls_in_each(body: str) -> None:
    unit = compiled(program(body), 0, 3)
    polls = sum(1 for line in unit.lines if line.text.split()[1] == "JMP" and line.sites)
    assert polls == 1 + ("inner" in body)
    assert (STRETCH in unit.code.co_names) is ("inner" in body)


@pytest.mark.parametrize("stretch", [1, 2, 5])
@pytest.mark.parametrize("leave", [BELOW, WITHIN])
@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("body", [NOTHING, COPY, FORGETFUL])
def test_stretches_end_where_the_loop_does(
    body: str, step: int, leave: str, stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units_of_a_machine, "STRETCH", stretch)
    text = program(body, step=step, leave=leave).replace("RET r5", "ADD r0, r3, r5\n    RET r0")
    reference = loaded(VirtualMachine(jit="off"), text)
    machine = loaded(VirtualMachine(jit="always"), text)
    for first in (-4, 0):
        for end in range(-6, 20):
            assert machine.execute("main", first, end) == reference.execute("main", first, end)


def test_stretch_that_would_end_beyond_the_largest_integer_ends_with_the_loop() -> None:
    text = program(COPY)
    machine = loaded(VirtualMachine(jit="always"), text)
    assert machine.execute("main", I64_MAX - 2, I64_MAX) == I64_MAX - 1


@pytest.mark.parametrize("every", [1, 2, 3, 7])
@pytest.mark.parametrize("leave", [BELOW, WITHIN])
@pytest.mark.parametrize("body", [NOTHING, COPY, FORGETFUL])
def test_leaving_between_stretches_changes_nothing(body: str, leave: str, every: int) -> None:
    text = program(body, leave=leave)
    machine = loaded(VirtualMachine(jit="always"), text)
    machine.state.tier.every = every
    expected = loaded(VirtualMachine(jit="off"), text).execute("main", 0, 40)
    for _ in range(3):
        assert machine.execute("main", 0, 40) == expected
    left = machine.jit_statistics()["deoptimisations"]
    # While attention is asked for a stretch is one round.
    assert left == {"attention at a loop": pytest.approx(120 / every, abs=6)}


@pytest.mark.parametrize("body", [COPY, FORGETFUL])
def test_hook_that_another_thread_switches_on_sees_the_record_as_it_is(body: str) -> None:
    text = program(body).replace("LDI r9", "CALL start\n    LDI r9", 1)
    machine = loaded(VirtualMachine(jit="always"), text)

    def look(context: Any) -> tuple[int, int, list[Any]]:
        frame = machine.state.frames[-1]
        return context.cursor[1], frame.flag, list(frame.registers[3:8])

    index, flag, registers = seen_from_outside(machine, look, 0, 10**9)
    assert machine.jit_statistics()["deoptimisations"] == {"attention at a loop": 1}
    counter = registers[0]
    assert (index, flag) == (machine.state.functions["main"].function.labels["again"], -1)  # type: ignore[union-attr]
    assert registers[2] == counter - 1
    if body == FORGETFUL:
        assert registers[3:] == [counter - 2, counter - 2]
