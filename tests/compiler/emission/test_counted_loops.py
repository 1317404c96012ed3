"""Counted loops: which are found, and that a range runs them exactly as the interpreter does."""

from __future__ import annotations

import pytest

import stoffel
from stoffel.compiler.analysis.facts import I64, Fact
from stoffel.compiler.emission.counted_loops import counted_loops
from stoffel.isa.scalars import I64_MAX
from tests.compiler.units import typed

UP = """
    LDI     r1, 0
    LDI     r2, {step}
again:
    CMP     {compared}
    {leave}  done
    {body}
    ADD     r1, r1, r2
    JMP     again
done:
    RET     r1
"""


def loop(*, step: int = 1, compared: str = "r1, r0", leave: str = "JMPGT done\n    JMPEQ", body: str = "") -> str:
    return UP.format(step=step, compared=compared, leave=leave, body=body)


def found(body: str) -> list[tuple[int, int, bool, int]]:
    """Return counter, bound, whether the bound itself is reached, and step of the loops that are counted."""
    small = Fact(I64, 0, 1000)
    return [tuple(item[:4]) for item in counted_loops(typed(body, [small])).values()]


def test_a_loop_below_a_bound_that_stays_is_counted() -> None:
    assert found(loop()) == [(1, 0, False, 1)]


def test_a_loop_up_to_its_bound_is_counted() -> None:
    assert found(loop(leave="JMPGT")) == [(1, 0, True, 1)]


def test_the_comparison_may_be_the_other_way_round() -> None:
    assert found(loop(compared="r0, r1", leave="JMPLT done\n    JMPEQ")) == [(1, 0, False, 1)]


def test_the_step_may_be_any_constant_above_zero() -> None:
    assert found(loop(step=7)) == [(1, 0, False, 7)]
    assert found(loop(step=-1)) == []
    assert found(loop(step=0)) == []


def test_a_loop_that_changes_its_bound_or_counter_is_not_counted() -> None:
    assert found(loop(body="ADD r0, r0, r2")) == []
    assert found(loop(body="ADD r1, r1, r2")) == []
    assert found(loop(body="MOV r1, r2")) == []


def test_a_loop_that_ends_at_equality_is_not_counted() -> None:
    assert found(loop(leave="JMPEQ")) == []


@pytest.mark.parametrize("bound", [-3, 0, 1, 5, 1 << 31, (1 << 31) + 1, I64_MAX])
@pytest.mark.parametrize("start", [-2, 0, 4])
@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("every", [0, 1, 2])
@pytest.mark.parametrize("leave", ["JMPGT done\n    JMPEQ", "JMPGT"])
def test_counters_come_out_as_in_the_interpreter(bound: int, start: int, step: int, every: int, leave: str) -> None:
    text = f"""
function main(n: int64) -> int64
    MOV     r4, r0
    LDI     r1, {start}
    LDI     r2, {step}
    LDI     r3, 6
    LDI     r6, 1
again:
    CMP     r1, r4
    {leave} done
    SUB     r3, r3, r6
    LDI     r5, 0
    CMP     r3, r5
    JMPEQ   done
    ADD     r5, r1, r2
    MOV     r1, r5
    JMP     again
done:
    LDI     r0, 0
    PUSHARG r0
    CALL    create_array
    PUSHARG r0
    PUSHARG r1
    PUSHARG r3
    PUSHARG r5
    CALL    array_push
    RET     r1
end
"""
    results = []
    for jit in ("off", "always"):
        machine = stoffel.VirtualMachine(jit=jit)
        machine.load(stoffel.assemble(text))
        if jit == "always":
            machine.state.tier.every = every
        results.append([machine.execute("main", bound) for _ in range(3)])
    assert results[0] == results[1]


def test_a_foreign_function_sees_a_counter_that_has_been_incremented() -> None:
    text = """
function main(n: int64) -> int64
    MOV     r4, r0              ; 0
    LDI     r1, 0               ; 1
    LDI     r2, 1               ; 2
again:
    CMP     r1, r4              ; 3
    JMPLT   go                  ; 4
    RET     r1                  ; 5
go:
    MOV     r3, r1              ; 6
    ADD     r1, r1, r2          ; 7
    PUSHARG r3                  ; 8
    CALL    see                 ; 9
    JMP     again               ; 10
end
"""
    seen = []
    machine = stoffel.VirtualMachine(jit="always")

    def see(value: int) -> None:
        registers = machine.state.frames[-1].registers
        seen.append((registers[1], value))

    machine.register_foreign_function("see", see)
    machine.load(stoffel.assemble(text))
    assert machine.execute("main", 4) == 4
    assert seen == [(1, 0), (2, 1), (3, 2), (4, 3)]
