"""Polls in passing: where loops look for attention without a poll of their own."""

from __future__ import annotations

import dis
import itertools
import math
import sys
import threading
import time
from types import CellType, FrameType
from typing import Any

import pytest

import stoffel
from stoffel import VirtualMachine
from stoffel.compiler.analysis.facts import I64, of_kinds
from stoffel.compiler.analysis.ir import TypedBlock
from stoffel.compiler.cpython.verifier import check_unit, decode
from stoffel.compiler.emission.deopt_points import LOOP, Unit
from stoffel.compiler.flow.loops import immediate_dominators
from stoffel.isa.scalars import U8, U16
from stoffel.jit.code_cache import Units
from stoffel.jit.polled_constants import PolledConstants
from tests.compiler.units import typed, units
from tests.machines import loaded, seen_from_outside

WHILE = """
function main(n)
    LDI r1, 0
    LDI r2, 0
again:
    CMP r1, r0
    JMPEQ out
    JMPGT out
{body}
    ADD r1, r1, {step}
    JMP again
out:
    RET r2
end
"""


def looping(body: str, step: str = "r9") -> str:
    """Return a program that counts to its argument, with a body that may use r2 and from r4 on."""
    return WHILE.format(body=f"    LDI r9, 1\n{body}", step=step)


def polled(text: str, n: int = 4) -> Unit:
    """Return the unit of the program, which the checker has passed."""
    unit = units(text, arguments=[n])["main"]
    assert check_unit(unit) == []
    return unit


def loops(unit: Unit) -> list[str]:
    """Return the instructions of the listing before which the unit can be left by a poll in passing."""
    return [line.text.split(maxsplit=1)[1].strip() for line in unit.lines if LOOP in line.sites]


def flags(unit: Unit) -> int:
    """Return how many polls of their own the unit has."""
    names = unit.code.co_names
    loads = [item for item in decode(unit.code) if item.name == "LOAD_GLOBAL"]
    return [names[item.argument >> 1] for item in loads].count("attention")


@pytest.mark.parametrize(
    ("body", "where", "constants"),
    [
        # Of two constants the last.
        ("    LDI r4, 7\n    ADD r2, r2, r4\n    LDI r4, 5\n    SUB r2, r4, r2", ["SUB r2, r4, r2"], (5,)),
        # Not every round comes by what is in one arm only.
        ("    CMP r1, r2\n    JMPEQ on\n    LDI r4, 7\n    MUL r2, r1, r4\non:\n    OR r2, r2, r1", [], ()),
        # Before the arms part there is a constant, in the comparison, which is written with its jump.
        (
            "    LDI r4, 3\n    CMP r1, r4\n    JMPEQ on\n    LDI r4, 7\n    MUL r2, r1, r4\non:\n    OR r2, r2, r1",
            ["JMPEQ on"],
            (3,),
        ),
        # What the interpreter would see is not at hand: the next round makes r5 anew, whose value is not kept.
        ("    LDI r4, 7\n    MUL r2, r1, r4\n    MUL r5, r1, r1", [], ()),
        # The first product waits on the evaluation stack.
        ("    LDI r4, 7\n    MUL r2, r1, r1\n    AND r2, r2, r4", [], ()),
        # What may overflow is compared with the largest int that CPython compares quickly.
        ("    ADD r2, r2, r1", ["ADD r2, r2, r1"], (2**30 - 1,)),
    ],
)
def test_loop_polls_at_the_last_suitable_constant_that_every_round_loads(
    body: str, where: list[str], constants: tuple[object, ...]
) -> None:
    unit = polled(looping(body))
    assert (loops(unit), unit.polled, flags(unit)) == (where, constants, 0 if where else 1)


def test_loop_that_is_entered_in_the_middle_does_not_poll_before_it() -> None:
    text = """
function main(n)
    LDI r1, 0
    LDI r4, 7
    MUL r2, r0, r4
    JMP test
again:
    ADD r1, r1, r2
test:
    CMP r1, r0
    JMPLT again
    RET r1
end
"""
    unit = polled(text)
    assert (loops(unit), unit.polled, flags(unit)) == ([], (), 1)


SUM = """
function main(list, n, step)
    MOV r4, r0
    MOV r5, r1
    LDI r6, 0
    LDI r7, 0
again:
    CMP r6, r5
    JMPEQ out
    PUSHARG r4
    PUSHARG r6
    CALL get_field
    ADD r6, r6, r2
    ADD r7, r0, r7
    JMP again
out:
    RET r7
end
"""


def test_class_that_a_guard_compares_with_is_such_a_constant() -> None:
    machine = loaded(VirtualMachine(jit="always"), SUM)
    assert machine.execute("main", machine.create_array([1, 2, 3]), 3, 1) == 6
    (unit,) = machine.state.tier.units.by_code.values()
    assert (loops(unit), unit.polled, flags(unit)) == (["ADD r7, r0, r7"], (int,), 0)


def test_unit_with_more_locals_than_an_instruction_can_tell_polls_with_a_flag() -> None:
    many = "\n".join(f"    ADD r{number}, r{number}, r1" for number in range(20, 100))
    zeros = "\n".join(f"    LDI r{number}, 0" for number in range(20, 100))
    text = looping(many).replace("again:", zeros + "\nagain:", 1)
    unit = polled(text.replace("ADD r1, r1, r9", "ADD r1, r1, r9\n    LDI r4, 7\n    MUL r2, r1, r4"))
    assert (unit.polled, flags(unit)) == ((), 1)


def dominates(blocks: dict[int, TypedBlock], one: int, other: int) -> bool:
    """Return whether every way from the first block to *other* goes through *one*."""
    first = next(iter(blocks))
    seen, pending = set(), [first]
    while pending:
        start = pending.pop()
        if start != one and start not in seen:
            seen.add(start)
            pending.extend(edge.target for edge in (blocks[start].taken, blocks[start].next) if edge is not None)
    return other not in seen


def test_dominators_are_those_of_the_definition() -> None:
    """Ways into the middle of a loop, and arms that meet: the nearest common dominator is none of the predecessors."""
    body = """
    CMP r0, r1
    JMPEQ four
    CMP r0, r2
    JMPEQ three
one:
    ADD r2, r2, r0
    CMP r2, r1
    JMPEQ two
    RET r2
four:
    ADD r2, r2, r1
    JMP one
three:
    ADD r2, r2, r1
two:
    ADD r2, r2, r2
    CMP r2, r1
    JMPNEQ one
    RET r2
"""
    function = typed(body, [of_kinds(I64)] * 3)
    blocks = function.blocks
    assert len(blocks) > 6
    first = next(iter(blocks))
    found = immediate_dominators(function.predecessors)
    assert found.pop(first) == first
    for start, nearest in found.items():
        above = {other for other in blocks if other != start and dominates(blocks, other, start)}
        assert nearest in above
        assert all(other == nearest or dominates(blocks, other, nearest) for other in above)
    assert set(found) == set(blocks) - {first}


# Attention


MULTIPLYING = looping("    LDI r4, 3\n    MUL r2, r1, r4")


@pytest.mark.parametrize("every", [1, 2, 3, 7])
@pytest.mark.parametrize(
    "body",
    [
        "    LDI r4, 3\n    MUL r2, r1, r4",
        # With a local, with a class, with another value below the constant, and with the constant first.
        "    LDI r4, 3\n    CMP r1, r4\n    JMPLT on\n    ADD r2, r2, r1\non:\n    ADD r2, r2, r2",
        "    LDI r4, 3\n    SUB r2, r4, r2",
        "    LDI r4, 1\n    SHR r2, r1, r4\n    LDI r4, 8\n    OR r2, r4, r2",
    ],
)
def test_leaving_and_going_on_change_nothing(body: str, every: int) -> None:
    text = looping(body)
    expected = loaded(VirtualMachine(jit="off"), text).execute("main", 40)
    machine = loaded(VirtualMachine(jit="always"), text)
    machine.state.tier.every = every
    for _ in range(3):
        result = machine.execute("main", 40)
        assert (type(result), result) == (type(expected), expected)
    left = machine.jit_statistics()["deoptimisations"]
    # The first poll after the code was entered does not count.
    assert left == {"attention at a loop": pytest.approx(120 / (every + 1), abs=6)}


@pytest.mark.parametrize("every", [1, 2, 3, 5])
@pytest.mark.parametrize(
    ("kind", "body", "rounds", "expected"),
    [
        # It happens in the last round, so nobody would notice in a later one.
        ("", "    ADD r8, r8, r8", 63, "Integer overflow in ADD operation"),
        ("", "    MOV r5, r8\n    ADD r8, r5, r5\n    MUL r2, r8, r7", 63, "Integer overflow in ADD operation"),
        # Of a small kind the local has a plain int.
        ("u8", "    ADD r8, r8, r7", 70, 0),
        ("u8", "    ADD r8, r8, r7", 255, "Integer overflow in ADD operation"),
        ("i8", "    SUB r8, r8, r7", 130, "Integer overflow in SUB operation"),
    ],
)
def test_what_overflows_is_not_left_after_the_operation(
    kind: str, body: str, rounds: int, expected: str | int, every: int
) -> None:
    text = looping(body).replace("again:", f"    LDI r7, 1{kind}\n    LDI r8, 1{kind}\nagain:", 1)
    outcomes = []
    for mode in ("off", "always"):
        machine = loaded(VirtualMachine(jit=mode), text)
        machine.state.tier.every = every
        for _ in range(2):
            try:
                outcomes.append((machine.execute("main", rounds), ()))
            except stoffel.VMError as error:
                outcomes.append((str(error), error.stack))
    assert outcomes[0][0] == expected
    assert outcomes == outcomes[:1] * 4
    assert any(unit.polled for unit in machine.state.tier.units.by_code.values())


def test_hook_that_another_thread_switches_on_is_seen_in_passing() -> None:
    text = MULTIPLYING.replace("again:", "    MOV r8, r0\n    CALL start\n    MOV r0, r8\nagain:", 1)
    machine = loaded(VirtualMachine(jit="always"), text)
    index, (_, counter, product) = seen_from_outside(
        machine, lambda context: (context.cursor[1], list(machine.state.frames[-1].registers[:3])), 10**9
    )
    assert machine.jit_statistics()["deoptimisations"] == {"attention at a loop": 1}
    assert (index, product) == (10, 3 * (counter - 1))


def units_at_rest() -> Units:
    """Return the units of a machine that nobody asks for attention, as the start of a run leaves them."""
    units: Units = loaded(VirtualMachine(jit="always"), MULTIPLYING).state.tier.units  # type: ignore[union-attr]
    units.state.tier.attention.tell_units(False)
    return units


def test_equal_constants_that_differ_have_different_cells() -> None:
    units = units_at_rest()
    values = [0, 0.0, -0.0, False, 1, True, math.nan, -math.nan, U8(1), U16(1), None, "1", int, float]
    cells = [units.polled.cell(value) for value in values]
    assert [cell.cell_contents is value for cell, value in zip(cells, values, strict=True)] == [True] * len(values)
    assert len(set(map(id, cells))) == len(values)
    assert [units.polled.cell(value) for value in values] == cells


def is_empty(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - looks whether there is something
    except ValueError:
        return True
    return False


def test_cells_are_empty_while_attention_is_asked_for() -> None:
    units = units_at_rest()
    old = units.polled.cell(5)
    for _ in range(2):
        units.state.tier.attention.tell_units(True)
        new = units.polled.cell(6)
        assert (is_empty(old), is_empty(new)) == (True, True)
    for _ in range(2):
        units.state.tier.attention.tell_units(False)
        assert (old.cell_contents, new.cell_contents) == (5, 6)


def test_cells_are_as_was_asked_last_although_two_threads_ask_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    units = units_at_rest()
    cells = [units.polled.cell(number) for number in range(3)]
    fill = PolledConstants._fill
    other = threading.Thread(target=lambda: units.state.tier.attention.tell_units(False))

    def interrupted(self: PolledConstants, *arguments: Any) -> None:
        fill(self, *arguments)
        if other.ident is None:
            other.start()
            time.sleep(0.02)

    monkeypatch.setattr(PolledConstants, "_fill", interrupted)
    units.state.tier.attention.tell_units(True)
    other.join()
    assert [is_empty(cell) for cell in cells] == [False] * 3
    units.state.tier.attention.tell_units(True)
    assert [is_empty(cell) for cell in cells] == [True] * 3


def test_cells_are_put_right_by_the_next_who_asks_after_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    units = units_at_rest()
    cells = [units.polled.cell(number) for number in range(3)]
    fill = PolledConstants._fill
    times = itertools.count()

    def interrupted(self: PolledConstants, *arguments: Any) -> None:
        fill(self, *arguments)
        if next(times) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(PolledConstants, "_fill", interrupted)
    with pytest.raises(KeyboardInterrupt):
        units.state.tier.attention.tell_units(True)
    units.state.tier.attention.tell_units(False)
    assert [is_empty(cell) for cell in cells] == [False] * 3


def test_what_a_tracing_function_raises_at_the_load_is_not_taken_for_an_empty_cell() -> None:
    machine = loaded(VirtualMachine(jit="always"), MULTIPLYING)
    assert machine.execute("main", 5) == 12
    codes = machine.state.tier.units.by_code
    raised: list[NameError] = []

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return step if frame.f_code in codes else None

    def step(frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_opcodes = True
        if event == "opcode" and dis.opname[frame.f_code.co_code[frame.f_lasti]] == "LOAD_DEREF":
            raised.append(NameError("from outside"))
            raise raised[-1]
        return step

    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # from 3.12 on, settrace looks whether any frame asks for them
    sys.settrace(trace)
    try:
        with pytest.raises(NameError, match="from outside"):
            machine.execute("main", 5)
    finally:
        sys.settrace(before)
    assert len(raised) == 1
    assert machine.jit_statistics()["deoptimisations"] == {}
    assert machine.execute("main", 5) == 12
