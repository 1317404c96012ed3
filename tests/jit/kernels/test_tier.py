"""Kernels that turn out not to pay are given up with a sentence, and results that callers did not expect are right."""

from __future__ import annotations

from typing import Any

import pytest

from stoffel import VirtualMachine, assemble
from stoffel.jit.policy.thresholds import LEAST_WORK_IF_EAGER, MISMATCHES, TRIAL
from tests.compiler.kernels.programs import expanded
from tests.machines import loaded

SHORT = expanded("""
function power(base, times)
LDI r2, 1
LDI r3, 1
LDI r4, 0
loop:
MUL r2, r2, r0
SUB r1, r1, r3
CMP r1, r4
JMPGT loop
RET r2
end
function main(calls, times)
MOV r9, r0
MOV r10, r1
LDI r5, 0
LDI r6, 0
LDI r7, 1
again:
_ = host(r6)
r8 = power(r7, r10)
ADD r5, r5, r8
ADD r6, r6, r7
CMP r6, r9
JMPLT again
RET r5
end
""")
"""``main`` calls a host function, so it is no kernel, and ``power``, which is one with a loop of *times* turns."""

TYPES = expanded("""
function total(numbers)
MOV r6, r0
LDI r2, 0
LDI r3, 1
r4 = array_length(r6)
r7 = get_field(r6, r2)
MOV r2, r3
loop:
r5 = get_field(r6, r2)
ADD r7, r7, r5
ADD r2, r2, r3
CMP r2, r4
JMPLT loop
RET r7
end
function main(integers, floats, calls)
MOV r9, r1
MOV r10, r2
LDI r6, 0
LDI r7, 1
r5 = total(r0)
again:
_ = host(r6)
r5 = total(r9)
ADD r6, r6, r7
CMP r6, r10
JMPLT again
RET r5
end
""")
"""``main`` calls ``total``, a kernel, once with integers and *calls* times with floats."""


def machine(jit: str, text: str) -> VirtualMachine:
    made = VirtualMachine(jit=jit)
    made.register_foreign_function("host", lambda _context: None)
    return loaded(made, text)


def refusal(made: VirtualMachine, function: str) -> Any:
    return made.jit_statistics()["functions"][function]["kernel_refusal"]


def kernels(made: VirtualMachine, function: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = made.jit_statistics()["functions"][function]["kernels"]
    return found


def test_a_kernel_whose_runs_are_too_short_is_given_up() -> None:
    made = machine("kernels", SHORT)
    assert made.execute("main", 10 * TRIAL, 1) == 10 * TRIAL
    (kernel,) = kernels(made, "power")
    average = kernel["instructions_run"] // kernel["runs"]
    assert average < LEAST_WORK_IF_EAGER
    assert kernel["runs"] == TRIAL
    assert refusal(made, "power") == f"its runs are too short: {average} instructions on average"
    assert made.execute("main", 10, 3) == 10
    assert kernels(made, "power") == [kernel]


def test_a_kernel_whose_runs_are_long_enough_stays() -> None:
    made = machine("kernels", SHORT)
    assert made.execute("main", 10 * TRIAL, 100) == 10 * TRIAL
    (kernel,) = kernels(made, "power")
    assert kernel["runs"] == 10 * TRIAL
    assert refusal(made, "power") is None


def totals(made: VirtualMachine, calls: int) -> Any:
    integers, floats = made.create_array(list(range(60))), made.create_array([0.5] * 60)
    return made.execute("main", integers, floats, calls)


def test_a_kernel_that_is_called_with_arrays_of_other_types_too_often_is_given_up() -> None:
    made = machine("kernels", TYPES)
    assert totals(made, 3 * MISMATCHES) == 30.0
    of_integers, of_floats = (kernel for kernel in kernels(made, "total") if kernel["entry"] is None)
    assert (of_integers["types"], of_integers["runs"], of_integers["mismatches"]) == (["[int64"], 1, 2 * MISMATCHES)
    assert (of_floats["types"], of_floats["mismatches"]) == (["[float"], 0)
    assert refusal(made, "total") == "it is called with arrays of other types too often"
    runs = of_floats["runs"]
    assert totals(made, 10) == 30.0
    assert [kernel["runs"] for kernel in kernels(made, "total") if kernel["entry"] is None] == [1, runs + 10]


@pytest.mark.parametrize("end", ["RET r7", "MOV r0, r7"], ids=["RET", "the end of the function"])
def test_a_kernel_may_return_what_its_callers_did_not_expect(end: str) -> None:
    """They were compiled for what the first array holds, which is a guess."""
    text = TYPES.replace("RET r7", end)
    made = machine("kernels", text)
    assert totals(made, 1) == totals(machine("off", text), 1) == 30.0
    assert made.jit_statistics()["deoptimisations"] == {"a kernel was left": 1}
    assert [kernel["left"] for kernel in kernels(made, "total")] == [0, 0]


def test_a_kernel_that_is_left_in_the_middle_of_many_calls_is_given_up_at_once() -> None:
    made = VirtualMachine(jit="kernels", cache="off")
    made.load(
        assemble("""
function f(n: int64) -> int64
    LDI     r1, 0
    CMP     r0, r1
    JMPEQ   end
    LDI     r1, 1
    SUB     r0, r0, r1
    PUSHARG r0
    CALL    f
    ADD     r0, r0, r1
end:
    RET     r0
end
""")
    )
    assert made.execute("f", 100) == 100
    assert made.jit_statistics()["functions"]["f"]["kernel_refusal"] is None
    for _ in range(3):
        assert made.execute("f", 20_000) == 20_000
    assert refusal(made, "f") == "it is left in the middle of too many calls"
